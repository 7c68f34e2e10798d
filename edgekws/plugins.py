"""Plugs: a module in the folder of its kind, found by its file's name. Nothing is registered.

Both packages of this tree are searched: an engine that compiles C belongs to firmware_io, which edgekws must not
import. Packages outside of this tree join by naming themselves in the environment variable
EDGEKWS_PLUGS (comma separated): `mypackage` then may hold `mypackage/nets/x.py`, `mypackage/scale/engines/x.py` and
so on; it holds only the kinds that it adds to.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from types import ModuleType

from edgekws.errors import ConfigError

_HOME = ("edgekws", "firmware_io")
_HOMES = {
    "data": "data.sources",
    "embed": "curate.embed.models",
    "scale.engines": "curate.workers",
    "scale.methods": "curate.shards.methods",
    "select": "curate.select.selectors",
}
"""Kinds whose folder in this tree has another name than outside of it."""
_SAID = {
    "nets": "the network",
    "select": "the selector",
    "embed": "the embedding",
    "scale.methods": "--method of select shards",
    "scale.engines": "--engine",
}
"""Kinds whose folder is not what a person calls them."""


def packages() -> list[str]:
    """Where plugs may come from: the packages of this tree, then those that EDGEKWS_PLUGS names."""
    return [*_HOME, *(name.strip() for name in os.environ.get("EDGEKWS_PLUGS", "").split(",") if name.strip())]


def _folders(kind: str) -> list[ModuleType]:
    folders = []
    for package in packages():
        folder = f"{package}.{_HOMES.get(kind, kind) if package in _HOME else kind}"
        try:
            folders.append(importlib.import_module(folder))
        except ModuleNotFoundError as error:
            if error.name == package:
                raise ConfigError("EDGEKWS_PLUGS should name packages that can be imported", got=package) from error
            if package == _HOME[0] or not f"{folder}.".startswith(f"{error.name}."):
                raise  # something that the folder itself imports
    return folders


def _locate(kind: str) -> dict[str, str]:
    return {
        module.name: f"{folder.__name__}.{module.name}"
        for folder in _folders(kind)
        for module in pkgutil.iter_modules(folder.__path__)
        if not module.name.startswith("_")
    }


def names(kind: str) -> list[str]:
    """The plugs of a kind ("nets", "targets", "emit", ...), sorted."""
    return sorted(_locate(kind))


def described(kind: str) -> dict[str, str]:
    """Name -> the first line of the plug's docstring. Imports all plugs of the kind."""
    return {name: (load(kind, name).__doc__ or "").partition("\n")[0] for name in names(kind)}


def load(kind: str, name: str) -> ModuleType:
    """Import one plug. Raises ConfigError that lists the plugs there are."""
    found = _locate(kind)
    module = found.get(name.replace("-", "_"))
    if module is None:
        raise ConfigError(f"{_SAID.get(kind, kind)} should be one of {', '.join(sorted(found))}", got=name)
    return importlib.import_module(module)
