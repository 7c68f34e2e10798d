"""The data track: which few of many recordings to learn from. A selector is one file here, found by its name.

A module has one function

    select(pool: Pool, size: int, seed: int) -> Selection

which is deterministic: the same pool, size and seed give the same selection in every process, whatever its hash seed
and number of threads. Another machine's linear algebra rounds otherwise, and may break a close tie otherwise. The order
of the clips belongs to the pool: the same clips in another order may give another selection. It sees vectors and ids,
never recordings, and returns at most `size` clips of the pool. A user's is such a file anywhere (_user.py), or one in a
package that EDGEKWS_PLUGS names. _run.py runs one and checks its choice, behind a wall if wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np

from edgekws import plugins


@dataclass(frozen=True)
class Pool:
    """Clips that may be chosen. targets: words to be detected, in their order.

    ids [n]; classes: int [n], index into targets, -1 for clips of other words; vectors: float [n, dimensions].
    words [n]: what each clip says (a target's own name, or that of another word). DataPerf's pools always have other
    words; a pool of the loop has none when the data set has none.
    """

    targets: tuple[str, ...]
    ids: tuple[str, ...]
    classes: np.ndarray
    vectors: np.ndarray
    words: tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """Ids chosen: of each target, in the order of choice, and of other words."""

    targets: dict[str, tuple[str, ...]]
    nontargets: tuple[str, ...]

    @property
    def size(self) -> int:
        """Clips, of all classes together."""
        return len(self.nontargets) + sum(map(len, self.targets.values()))


Selector = Callable[[Pool, int, int], Selection]


def names() -> list[str]:
    """The selectors there are, sorted."""
    return plugins.names("select")


def described() -> dict[str, str]:
    """Name -> what it does, in one line."""
    return plugins.described("select")


def load(name: str) -> Selector:
    """The function of a selector. Raises ConfigError that lists those that there are."""
    return cast(Selector, plugins.load("select", name).select)
