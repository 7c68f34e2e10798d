"""A module of the HEAR API, found by name, and its model, ready for batches."""

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
from typing import Any

import numpy as np

from edgekws import plugs
from edgekws.errors import ConfigError, EdgeKwsError
from edgekws.files import sha256, sha256_file

RATES_HZ = (16_000, 22_050, 32_000, 44_100, 48_000)
"""The rates that the HEAR API allows."""


@dataclass(frozen=True)
class ModelSpec:
    """Which model. name: a file of edgekws/embed, an importable module, or the path of a .py file.

    weights: the model_file_path of load_model. options: its other arguments. device: as torch names it.
    """

    name: str
    weights: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    device: str = "cpu"


@dataclass(frozen=True)
class Model:
    spec: ModelSpec
    module: ModuleType
    network: Any
    rate_hz: int
    dimensions: int

    def scene(self, audio: np.ndarray) -> np.ndarray:
        """float32 [n, samples] at rate_hz -> float32 [n, dimensions], whatever numbers the model gives.

        Raises ConfigError for another shape or type, and when the model fails.
        """
        import torch

        with torch.inference_mode(), _blamed(self.spec.name, "get_scene_embeddings"):
            given = torch.from_numpy(np.ascontiguousarray(audio, np.float32)).to(self.spec.device)
            found = self.module.get_scene_embeddings(given, self.network)
        wanted = (len(audio), self.dimensions)
        if not isinstance(found, torch.Tensor) or tuple(found.shape) != wanted or found.dtype != torch.float32:
            raise ConfigError(
                f"get_scene_embeddings of {self.spec.name} should give float32 {list(wanted)}",
                got=described(found),
                hint=f"run edgekws embed --check {self.spec.name}",
            )
        return np.asarray(found.cpu().numpy())


def open_model(spec: ModelSpec) -> Model:
    """Import the module and load the model. Raises ConfigError that says which part of the HEAR API is broken."""
    import torch

    module = import_module(spec.name)
    for function in ("load_model", "get_scene_embeddings"):
        if not callable(getattr(module, function, None)):
            raise ConfigError(f"{spec.name} should follow the HEAR API", got=f"no function {function}")
    with _blamed(spec.name, "load_model"):
        network = module.load_model(spec.weights, **spec.options)
    if not isinstance(network, torch.nn.Module):
        got = type(network).__name__
        raise ConfigError(f"load_model of {spec.name} should give a torch.nn.Module", got=got)
    rate, size = (getattr(network, name, None) for name in ("sample_rate", "scene_embedding_size"))
    if not (isinstance(rate, int) and isinstance(size, int) and min(rate, size) > 0):
        got = f"sample_rate {rate!r}, scene_embedding_size {size!r}"
        raise ConfigError(f"the model of {spec.name} should have an integer rate and size", got=got)
    with _blamed(spec.name, "the model"):
        network = network.eval().to(spec.device)
    return Model(spec, module, network, rate, size)


def import_module(name: str) -> ModuleType:
    """Raises ConfigError for a name that is nothing, and for a module that fails when it is imported."""
    if name.endswith(".py"):
        return _import_file(Path(name))
    if name.replace("-", "_") in plugs.names("embed"):
        return plugs.load("embed", name)
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        found = None
    if found is None:
        built_in = ", ".join(plugs.names("embed"))
        hint = "give the path of a .py file, or install the package"
        raise ConfigError(f"a model should be one of {built_in}, or an importable module", got=name, hint=hint)
    with _blamed(name, "import"):
        return importlib.import_module(name)


def _import_file(path: Path) -> ModuleType:
    """A file imports its neighbours, as a script does."""
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
    with _blamed(str(path), "import"):
        spec.loader.exec_module(module)
    return module


@contextmanager
def _blamed(name: str, what: str) -> Iterator[None]:
    """Errors of a user's code are told as such."""
    try:
        yield
    except EdgeKwsError:
        raise
    except Exception as error:  # anything can go wrong in there
        got = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        hint = f"run edgekws embed --check {name}; --debug shows where it comes from"
        raise ConfigError(f"{what} of {name} should work", got=got, hint=hint) from error


def described(value: object) -> str:
    """What a function gave, in a few words."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
    return type(value).__name__


def identity(model: Model) -> dict[str, Any]:
    """What embeddings depend on, as JSON: the module's code, the weights, the options."""
    source = getattr(model.module, "__file__", None)
    return {
        "name": _shown(model.spec.name),
        "version": str(getattr(model.module, "__version__", "")),
        "module_sha256": sha256_file(Path(source)) if source else "",
        "weights_sha256": weights_hash(_weights_path(model)),
        "options": model.spec.options,
        "sample_rate": model.rate_hz,
        "dimensions": model.dimensions,
    }


def _shown(name: str) -> str:
    """A file's name without its folder: the same model gives the same index wherever it lies."""
    return Path(name).name if name.endswith(".py") else name


def _weights_path(model: Model) -> str:
    """A model with weights of its own may say where they are."""
    return str(getattr(model.network, "model_file_path", "") or model.spec.weights)


def weights_hash(path: str) -> str:
    """Of a file, or of all files of a folder; "" for no path, or one that only the module understands."""
    place = Path(path)
    if not path or not place.exists():
        return ""
    if place.is_file():
        return sha256_file(place)
    inside = sorted(each for each in place.rglob("*") if each.is_file())
    return sha256(json.dumps([(each.relative_to(place).as_posix(), sha256_file(each)) for each in inside]).encode())
