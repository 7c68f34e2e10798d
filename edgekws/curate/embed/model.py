"""A module with the HEAR API, loaded by name, and its model."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekws import plugins
from edgekws.curate.embed import audio as _audio
from edgekws.errors import ConfigError, EdgeKwsError, unknown
from edgekws.files import sha256, sha256_file

if TYPE_CHECKING:
    import torch

HEAR_RATES_HZ = (16_000, 22_050, 32_000, 44_100, 48_000)
"""The rates that the HEAR API allows."""


@dataclass(frozen=True)
class ModelSpec:
    """Which model. name: a plugin, an importable module, or the path of a .py file.

    weights: the model_file_path of load_model. options: its other arguments. device: a torch device.
    """

    name: str
    weights: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    device: str = "cpu"


@dataclass(frozen=True)
class Model:
    """A loaded model. dimensions: length of a scene embedding."""

    spec: ModelSpec
    module: ModuleType
    network: Any
    rate_hz: int
    dimensions: int

    def scene(self, audio: np.ndarray) -> np.ndarray:
        """float32 [n, samples] at rate_hz -> float32 [n, dimensions].

        Raises ConfigError for another shape or dtype, and when the model fails. NaN and infinity are not checked.
        """
        output = self._call("get_scene_embeddings", audio)
        return self._floats("get_scene_embeddings", output, (len(audio), self.dimensions))

    def times(self, audio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """float32 [n, samples] at rate_hz -> (float32 [n, t, time_dimensions], float32 [n, t]: centres in ms).

        Raises ConfigError as `scene` does.
        """
        name, size = "get_timestamp_embeddings", self.time_dimensions
        output = self._call(name, audio)
        if not isinstance(output, tuple | list) or len(output) != 2:
            raise self._broken(f"{name} of {self.spec.name} should give embeddings and their times", output)
        vectors = self._floats(name, output[0], (len(audio), None, size))
        return vectors, self._floats(name, output[1], vectors.shape[:2])

    @property
    def time_dimensions(self) -> int:
        """Length of a timestamp embedding. Raises ConfigError for a module that has none."""
        size = getattr(self.network, "timestamp_embedding_size", None)
        if not callable(getattr(self.module, "get_timestamp_embeddings", None)):
            raise ConfigError(
                f"timestamps need get_timestamp_embeddings in {self.spec.name}", got="no such function", hint=self._hint
            )
        if type(size) is not int or size < 1:
            got = f"timestamp_embedding_size {size!r}"
            raise ConfigError(f"the model of {self.spec.name} should have an integer size", got=got, hint=self._hint)
        return size

    def _call(self, function: str, audio: np.ndarray) -> Any:  # noqa: ANN401
        import torch

        with torch.inference_mode(), _errors_of_user_code(self.spec.name, function):
            batch = torch.from_numpy(np.ascontiguousarray(audio, np.float32)).to(self.spec.device)
            return getattr(self.module, function)(batch, self.network)

    def _floats(self, function: str, output: object, shape: tuple[int | None, ...]) -> np.ndarray:
        """The output as an array. shape: None stands for any length."""
        import torch

        if isinstance(output, torch.Tensor) and output.dtype == torch.float32 and fits(output, shape):
            with _errors_of_user_code(self.spec.name, function):
                return np.asarray(output.detach().cpu().numpy())
        raise self._broken(f"{function} of {self.spec.name} should give float32 {written(shape)}", output)

    def _broken(self, expected: str, output: object) -> ConfigError:
        return ConfigError(expected, got=described(output), hint=self._hint)

    @property
    def _hint(self) -> str:
        return f"run edgekws embed --check {self.spec.name}"


def open_model(spec: ModelSpec) -> Model:
    """Import the module and load the model. Raises ConfigError that says which part of the HEAR API is broken."""
    import torch

    module = import_module(spec.name)
    for function in ("load_model", "get_scene_embeddings"):
        if not callable(getattr(module, function, None)):
            raise ConfigError(f"{spec.name} should follow the HEAR API", got=f"no function {function}")
    with _errors_of_user_code(spec.name, "load_model"):
        network = module.load_model(spec.weights, **spec.options)
    if not isinstance(network, torch.nn.Module):
        got = type(network).__name__
        raise ConfigError(f"load_model of {spec.name} should give a torch.nn.Module", got=got)
    rate, size = (getattr(network, name, None) for name in ("sample_rate", "scene_embedding_size"))
    if not (type(rate) is type(size) is int and rate in _audio.RATES_HZ and size > 0):
        got = f"sample_rate {rate!r}, scene_embedding_size {size!r}"
        raise ConfigError(f"the model of {spec.name} should have an integer rate in Hz and an integer size", got=got)
    with _errors_of_user_code(spec.name, f"device {spec.device}"):
        network = network.eval().to(spec.device)
    return Model(spec, module, network, rate, size)


def import_module(name: str) -> ModuleType:
    """Raises ConfigError for an unknown name, and for a module that fails on import."""
    if name.endswith(".py"):
        return _import_file(Path(name))
    if name.replace("-", "_") in plugins.names("embeddings"):
        return plugins.load("embeddings", name)
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        spec = None
    if spec is None:
        known = unknown("--model", name, plugins.names("embeddings"))
        raise ConfigError(known, hint="give the path of a .py file, or install the package that has this module")
    with _errors_of_user_code(name, "import"):
        return importlib.import_module(name)


def _import_file(path: Path) -> ModuleType:
    """A file can import its neighbours, like a script."""
    if not path.is_file():
        raise ConfigError(f"{path} should be a Python file", got="no such file")
    folder = str(path.resolve().parent)
    name = f"edgekws_embed_{path.stem}_{sha256(str(path.resolve()).encode())[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} should be a Python file", got="something that Python does not load")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if folder not in sys.path:
        sys.path.append(folder)
    with _errors_of_user_code(str(path), "import"):
        spec.loader.exec_module(module)
    return module


@contextmanager
def _errors_of_user_code(name: str, what: str) -> Iterator[None]:
    """Errors of a user's code become a ConfigError that names it."""
    try:
        yield
    except EdgeKwsError:
        raise
    except (Exception, SystemExit) as error:  # untrusted code
        got = named(error)
        hint = f"run edgekws embed --check {name}; --debug shows where it comes from"
        raise ConfigError(f"{what} of {name} should work", got=got, hint=hint) from error


def named(error: BaseException) -> str:
    """Its class and the first line of its message."""
    try:
        message = str(error)
    except Exception:  # a user's exception class
        message = "no message"
    return f"{type(error).__name__}: {message.strip().partition(chr(10))[0]}"


def described(value: object) -> str:
    """Type, dtype and shape of a value, as text."""
    if not (hasattr(value, "shape") and hasattr(value, "dtype")):
        return type(value).__name__
    kind = "" if type(value).__module__.startswith("torch") else f"{type(value).__module__}.{type(value).__name__} of "
    return f"{kind}{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"


def fits(output: torch.Tensor, shape: tuple[int | None, ...]) -> bool:
    """Whether it has that shape; None stands for any length."""
    return output.ndim == len(shape) and all(
        size in (None, have) for size, have in zip(shape, output.shape, strict=True)
    )


def written(shape: tuple[int | None, ...]) -> str:
    """For messages: [4, t, 64], where t is any length."""
    return "[" + ", ".join("t" if size is None else str(size) for size in shape) + "]"


def identity(model: Model, timestamps: bool = False) -> dict[str, Any]:
    """What embeddings depend on, as JSON: the module's code, the weights, the options.

    timestamps: of timestamp embeddings, which are of another size. Raises ConfigError when the model has none.
    """
    source = getattr(model.module, "__file__", None)
    return {
        "name": _shown(model.spec.name),
        "version": str(getattr(model.module, "__version__", "")),
        "module_sha256": sha256_file(Path(source)) if source else "",
        "weights_sha256": weights_hash(_weights_path(model)),
        "options": model.spec.options,
        "sample_rate": model.rate_hz,
        "dimensions": model.time_dimensions if timestamps else model.dimensions,
    }


def _shown(name: str) -> str:
    """A file's name without its folder: the same model gives the same index in any folder."""
    return Path(name).name if name.endswith(".py") else name


def _weights_path(model: Model) -> str:
    """The path that the model reports, else the one in its spec."""
    return str(getattr(model.network, "model_file_path", "") or model.spec.weights)


def weights_hash(path: str) -> str:
    """SHA-256 of a file, or of all files of a folder; "" for anything else."""
    place = Path(path)
    if not path or not place.exists():
        return ""
    if place.is_file():
        return sha256_file(place)
    files = sorted(each for each in place.rglob("*") if each.is_file())
    return sha256(json.dumps([(each.relative_to(place).as_posix(), sha256_file(each)) for each in files]).encode())
