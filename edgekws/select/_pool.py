"""What selectors share: the classes of a pool, how many to take of each, and the selection of row numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekws.errors import ConfigError
from edgekws.select import Pool, Selection

TARGET_SHARE = 0.6
"""Share of a selection that goes to the targets unless a selector finds a better one."""


def groups(pool: Pool) -> list[np.ndarray]:
    """Row numbers of each target's clips, in the order of the targets, and of other words' clips last."""
    order = [*range(len(pool.targets)), -1]
    found = [np.flatnonzero(pool.classes == label) for label in order]
    empty = [name for name, rows in zip([*pool.targets, "other words"], found, strict=True) if not len(rows)]
    if empty:
        raise ConfigError("a pool should have clips of every target and of other words", got=f"none of {empty}")
    return found


def labels(pool: Pool) -> np.ndarray:
    """int [n]: 0 .. targets-1, and `targets` for other words."""
    return np.where(pool.classes < 0, len(pool.targets), pool.classes)


def quotas(pool: Pool, size: int, target_share: float = TARGET_SHARE) -> list[int]:
    """Clips to take of each target and of other words, at least one of each; together at most `size`.

    What a small class cannot give goes to the others. Raises ConfigError when `size` has no room for every class.
    """
    room = [len(rows) for rows in groups(pool)]
    targets = len(pool.targets)
    if size < targets + 1:
        raise ConfigError(
            f"a selection of {targets} targets should have room for one clip of each and one of another word",
            got=f"a size of {size}",
            hint=f"ask for {targets + 1} or more",
        )
    each = min(max(1, round(size * target_share / targets)), (size - 1) // targets)
    taken = [min(each, have) for have in room[:-1]]
    taken.append(min(size - sum(taken), room[-1]))
    while sum(taken) < min(size, sum(room)):  # another word's clips ran out
        _, label = min((taken[label], label) for label in range(targets) if taken[label] < room[label])
        taken[label] += 1
    return taken


def selection(pool: Pool, chosen: Sequence[np.ndarray]) -> Selection:
    """chosen: row numbers of each target, in the order of choice, and of other words last."""
    named = [tuple(pool.ids[row] for row in rows) for rows in chosen]
    return Selection(dict(zip(pool.targets, named[:-1], strict=True)), named[-1])


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Independent random numbers for each purpose, the same on every machine."""
    return np.random.default_rng([seed & 0xFFFFFFFF, *purpose.encode()])
