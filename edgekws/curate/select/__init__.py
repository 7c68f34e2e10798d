"""Selection: which few of many recordings to train on. A selector is one file in selectors/, found by its name.

A module has one function

    select(pool: Pool, size: int, seed: int) -> Selection

which is deterministic: the same pool, size and seed give the same selection in every process, whatever the hash seed
and the number of threads. Linear algebra rounds differently on another machine, which may decide a close tie
differently. The order of clips is part of the pool: the same clips in another order may give another selection. A
selector sees vectors and ids, never recordings, and returns at most `size` clips of the pool. A user's selector is such
a file anywhere (user_selectors.py), or one in the folder `selectors` of another package. run.py runs one, in a
sandbox on request, and checks its selection.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np

from edgekws import plugins


@dataclass(frozen=True)
class Pool:
    """Clips that may be selected. targets: keywords to detect, in their order.

    ids [n]; classes: int [n], index into targets, -1 for clips of other words; vectors: float [n, dimensions].
    words [n]: the word spoken in each clip. DataPerf's pools always have other words; in a downstream evaluation a
    pool has none when the data set has none.
    """

    targets: tuple[str, ...]
    ids: tuple[str, ...]
    classes: np.ndarray
    vectors: np.ndarray
    words: tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """Selected ids: of each target, in the order of selection, and of other words."""

    targets: dict[str, tuple[str, ...]]
    nontargets: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of clips in all classes together."""
        return len(self.nontargets) + sum(map(len, self.targets.values()))


Selector = Callable[[Pool, int, int], Selection]
_RENAMED = {"honed": "proxy_exchange"}


def names() -> list[str]:
    """The available selectors, sorted."""
    return plugins.names("selectors")


def described() -> dict[str, str]:
    """Name -> one-line description."""
    return plugins.described("selectors")


def current_name(name: str, notify: Callable[[str], None] = lambda text: warnings.warn(text, FutureWarning, 3)) -> str:
    """The present name of a selector that was renamed; any other name is returned unchanged.

    notify: receives one line of text for an old name; the default issues a FutureWarning.
    """
    new = _RENAMED.get(name)
    if new is None or name in names():
        return name
    notify(f"the selector {name} is now called {new}; the old name still works")
    return new


def former_names(name: str) -> tuple[str, ...]:
    """Old names of a selector, under which its results may be filed."""
    return tuple(old for old, new in _RENAMED.items() if new == name)


def load(name: str) -> Selector:
    """The function of a selector, also by its old name. Raises ConfigError that lists the available ones."""
    return cast(Selector, plugins.load("selectors", current_name(name)).select)
