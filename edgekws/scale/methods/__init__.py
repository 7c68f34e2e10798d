"""Ways to choose from a data set larger than memory. A method is one file here, found by its name.

A module has one function

    choose(run: Run, size: int, seed: int) -> Picks

The same clips, size and seed give the same picks, whatever the shards, the engine, the workers and the memory.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np

from edgekws.errors import ConfigError
from edgekws.scale.run import Run


@dataclass(frozen=True)
class Picks:
    """rows: int64 [size], rows of the store in the order of choice. value: what the method made as large as it
    could, in `measure`; NaN when it has no such thing. weights: clips that each pick stands for, when it knows."""

    rows: np.ndarray
    measure: str = ""
    value: float = float("nan")
    weights: np.ndarray | None = None


Method = Callable[[Run, int, int], Picks]


def names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def load(name: str) -> Method:
    """Raises ConfigError that lists the methods there are."""
    if name not in names():
        raise ConfigError(f"a method for data larger than memory should be one of {', '.join(names())}", got=name)
    return cast(Method, importlib.import_module(f"{__name__}.{name}").choose)
