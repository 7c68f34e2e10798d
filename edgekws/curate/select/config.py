"""The challenge's configuration, dataperf_speech_config.yaml: a strategy's module and class, seeds, other values."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekws.curate import packages
from edgekws.errors import ArtifactError, ConfigError
from edgekws.files import read_content

_MAX_BYTES = 1 << 16
_WHAT, _HINT = "a configuration of the challenge", "write plain names and values, without anchors, aliases or tags"


@dataclass(frozen=True)
class Config:
    """selector: "path/file.py:Class" or "module:Class", "" when none is given; values: the whole file."""

    selector: str = ""
    seed: int = 0
    values: dict[str, Any] = field(default_factory=dict)


def read(path: Path) -> Config:
    """Raises ArtifactError for anything but a plain mapping, ConfigError for a module without a class or a bad seed."""
    values = _read_mapping(path)
    module, strategy = (values.get(f"selection_algorithm_{part}") for part in ("module", "class"))
    if (module is None) != (strategy is None):
        raise ConfigError(f"{path} should name a strategy by its module and its class", got=f"{module}, {strategy}")
    seed = values.get("selection_random_seed", values.get("random_seed", 0))
    if type(seed) is not int or not 0 <= seed < 2**32:
        raise ConfigError(f"{path}: the seed should be an integer from 0 to 4294967295", got=str(seed)[:40])
    return Config(f"{_module_path(str(module))}:{strategy}" if module is not None else "", seed, values)


def _module_path(module: str) -> str:
    """The module's file when it is below the current folder: a sandbox makes a file visible, not a package."""
    path = Path(*module.split(".")).with_suffix(".py")
    return str(path) if path.is_file() else module


def _read_mapping(path: Path) -> dict[str, Any]:
    yaml = packages.load("yaml")
    content = read_content(path, _WHAT, "check the path")
    try:
        if len(content) > _MAX_BYTES:
            raise ValueError(f"{len(content)} bytes, more than {_MAX_BYTES}")
        text = content.decode()
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if getattr(event, "anchor", None) is not None:
                raise ValueError(f"an anchor or alias at line {event.start_mark.line + 1}")
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        message = " ".join(str(error).split())[:200]
        raise ArtifactError(f"{path} should be {_WHAT}", got=message, hint=_HINT) from error
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise ArtifactError(f"{path} should map names to values", got=type(value).__name__, hint=_HINT)
    return value
