"""Ways to choose from a data set larger than memory. A method is one file here, or in the folder
`shard_methods` of another package (edgekws/plugins.py).

A module has one function

    choose(run: Run, size: int, seed: int) -> Picks

The same clips, size and seed give the same picks, whatever the shards, the engine, the workers and the memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np

from edgekws import plugins
from edgekws.curate.shards.run import Run

_KIND = "shard_methods"


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
    """The methods there are, sorted."""
    return plugins.names(_KIND)


def load(name: str) -> Method:
    """Raises ConfigError that lists the methods there are."""
    return cast(Method, plugins.load(_KIND, name).choose)


def described() -> dict[str, str]:
    """Name -> what it does, in one line."""
    return plugins.described(_KIND)
