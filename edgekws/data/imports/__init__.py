"""Labelled recordings of other tools -> word folders. One file per format; a file's name, with dashes, is its format.

Each has `is_here(source)`, which looks at names and first lines alone, and `items(source)`, which yields what to write
and what is left out.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, cast

from edgekws.data.imports.writing import Item, Written, write
from edgekws.data.listing import LeftOut
from edgekws.errors import ConfigError, DataError, unknown

__all__ = ["Format", "Item", "Written", "detect", "formats", "load", "write"]


class Format(Protocol):
    """A module of this folder."""

    def is_here(self, source: Path) -> bool:
        """Whether `source` looks like this format."""
        ...

    def items(self, source: Path) -> Iterator[Item | LeftOut]:
        """Each labelled recording, and what is left out. Raises DataError for a source of another format."""
        ...


def formats() -> list[str]:
    """The names of the formats."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name.replace("_", "-") for name in names if name != "writing")


def load(name: str) -> Format:
    """The format called `name`. Raises ConfigError for an unknown one."""
    if name not in formats():
        raise ConfigError(unknown("--format", name, formats()))
    return cast(Format, importlib.import_module(f"{__name__}.{name.replace('-', '_')}"))


def detect(source: Path) -> str:
    """The format of `source`. Raises DataError when it is not there, or of none or several formats."""
    if not source.exists():
        raise DataError(f"{source} should be labelled recordings", got="no such file or folder", hint="check the path")
    found = [name for name in formats() if load(name).is_here(source)]
    if len(found) == 1:
        return found[0]
    got = f"what may be {' or '.join(found)}" if found else "none of them"
    raise DataError(f"{source} should be of one of {', '.join(formats())}", got=got, hint="say which with --format")
