"""Every error that edgekws raises on purpose.

EdgeKwsError            exit code 1
├── DataError           exit code 3   recordings, folders, downloads, prepared data sets
├── ConfigError         exit code 4   recipes, options, missing tools
├── TargetError         exit code 5   a graph breaks a rule of its NPU or CPU
├── ProtocolError       exit code 6   the device sent something that the protocol does not allow
├── BoardError          exit code 7   the board cannot be built, started or reached
├── ArtifactError       exit code 8   a file of another kind, version or hash; a damaged file
└── ParityError         exit code 9   two executors disagree where they must not

Exit code 2 belongs to the command line parser (unknown option or command).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class EdgeKwsError(Exception):
    """One paragraph: `expected` says what should have been, `got` what was there, `hint` what to do."""

    exit_code: ClassVar[int] = 1

    def __init__(self, expected: str, *, got: str = "", hint: str = "") -> None:
        self.expected = expected
        self.got = got
        self.hint = hint
        super().__init__(self._paragraph())

    def _paragraph(self) -> str:
        parts = [self.expected.rstrip(".") + "."]
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
        super().__init__(
            f"this needs the package {package}, which is not installed", hint=f'pip install "edgekws[{extra}]"'
        )


class TargetError(EdgeKwsError):
    exit_code = 5


class ProtocolError(EdgeKwsError):
    exit_code = 6


class BoardError(EdgeKwsError):
    exit_code = 7


class ArtifactError(EdgeKwsError):
    exit_code = 8


class ParityError(EdgeKwsError):
    exit_code = 9


class RegressionError(EdgeKwsError):
    exit_code = 10


class NotComparableError(EdgeKwsError):
    exit_code = 11


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
    "wav2vec2": ("transformers",),
    "joulescope": ("pyjoulescope_driver",),
    "otii": ("otii_tcp_client",),
    "ppk2": ("ppk2_api",),
    "flash": ("pyocd",),
}
"""Extra of pyproject.toml -> the modules that are imported of its packages."""


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
    close = difflib.get_close_matches(given, names, 1)
    suggestion = f"; did you mean {close[0]}?" if close else "."
    listed = f" There are: {', '.join(names)}" if names else ""
    return f"{what} {given}".strip() + f" is not known{suggestion}{listed}"
