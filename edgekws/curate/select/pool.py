"""What selectors share: the classes of a pool, how many to take of each, and the selection of row numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.errors import ConfigError

TARGET_SHARE = 0.6
"""Share of a selection that goes to the targets unless a selector finds a better one."""


def groups(pool: Pool) -> list[np.ndarray]:
    """Row numbers of each target's clips, in the order of the targets, and of other words' clips last, if it has any.

    Raises ConfigError for a target without clips.
    """
    found = [np.flatnonzero(pool.classes == label) for label in range(len(pool.targets))]
    empty = [name for name, rows in zip(pool.targets, found, strict=True) if not len(rows)]
    if empty:
        raise ConfigError("a pool should have clips of every target", got=f"none of {', '.join(empty)}")
    others = np.flatnonzero(pool.classes < 0)
    return [*found, others] if len(others) else found


def split(pool: Pool) -> tuple[list[np.ndarray], np.ndarray]:
    """groups(), those of the targets and that of other words, which may be empty."""
    found, count = groups(pool), len(pool.targets)
    return found[:count], found[count] if len(found) > count else np.empty(0, int)


def labels(pool: Pool) -> np.ndarray:
    """int [n]: 0 .. targets-1, and `targets` for other words."""
    return np.where(pool.classes < 0, len(pool.targets), pool.classes)


def quotas(pool: Pool, size: int, target_share: float = TARGET_SHARE) -> list[int]:
    """Clips to take of each of groups(), at least one of each; together at most `size`.

    What a small target cannot give goes to the other targets while they last. Raises ConfigError when `size` has no
    room for every class.
    """
    room = [len(rows) for rows in groups(pool)]
    targets, others = len(pool.targets), len(room) - len(pool.targets)
    if size < len(room):
        raise ConfigError(
            f"a selection of {targets} targets should have room for one clip of each"
            + " and one of another word" * others,
            got=f"a size of {size}",
            hint=f"ask for {len(room)} or more",
        )
    share = target_share if others else 1.0
    each = min(max(1, round(size * share / targets)), (size - others) // targets)
    wanted = [each] * targets + [size - each * targets] * others
    taken = [min(want, have) for want, have in zip(wanted, room, strict=True)]
    while sum(taken) < min(size, sum(room)):  # a class ran out, or the targets do not come out even
        free = [label for label in range(targets) if taken[label] < room[label]] or [targets]
        taken[min(free, key=lambda label: (taken[label], label))] += 1
    return taken


def selection(pool: Pool, chosen: Sequence[np.ndarray]) -> Selection:
    """chosen: row numbers of each of groups(), in the order of choice."""
    named = [tuple(pool.ids[row] for row in rows) for rows in chosen]
    count = len(pool.targets)
    return Selection(dict(zip(pool.targets, named[:count], strict=True)), named[count] if len(named) > count else ())


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Independent random numbers for each purpose, the same on every machine."""
    return np.random.default_rng([seed & 0xFFFFFFFF, *purpose.encode()])
