"""Shared by selectors: the classes of a pool, quotas per class, and selections from row numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.errors import ConfigError

TARGET_SHARE = 0.6
"""Default share of a selection that goes to the targets."""


def rows_by_class(pool: Pool) -> list[np.ndarray]:
    """Row numbers, int, of each target's clips in the order of the targets, then of other words' clips, if any.

    Raises ConfigError for a target without clips.
    """
    groups = [np.flatnonzero(pool.classes == label) for label in range(len(pool.targets))]
    empty = [name for name, rows in zip(pool.targets, groups, strict=True) if not len(rows)]
    if empty:
        raise ConfigError("a pool should have clips of every target", got=f"none of {', '.join(empty)}")
    others = np.flatnonzero(pool.classes < 0)
    return [*groups, others] if len(others) else groups


def split(pool: Pool) -> tuple[list[np.ndarray], np.ndarray]:
    """rows_by_class(): (those of each target, those of other words, which may be empty)."""
    groups, count = rows_by_class(pool), len(pool.targets)
    return groups[:count], groups[count] if len(groups) > count else np.empty(0, int)


def labels(pool: Pool) -> np.ndarray:
    """int [n]: 0 .. targets-1, and `targets` for other words."""
    return np.where(pool.classes < 0, len(pool.targets), pool.classes)


def quotas(pool: Pool, size: int, target_share: float = TARGET_SHARE) -> list[int]:
    """Number of clips to take of each class of rows_by_class(), at least one of each; together at most `size`.

    What a small target lacks goes to the other targets while they have clips. Raises ConfigError when `size` is
    smaller than the number of classes.
    """
    room = [len(rows) for rows in rows_by_class(pool)]
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
    ideal = [each] * targets + [size - each * targets] * others
    taken = [min(count, limit) for count, limit in zip(ideal, room, strict=True)]
    while sum(taken) < min(size, sum(room)):  # a class is exhausted, or the size is not divisible by the targets
        with_room = [label for label in range(targets) if taken[label] < room[label]] or [targets]
        taken[min(with_room, key=lambda label: (taken[label], label))] += 1
    return taken


def selection(pool: Pool, chosen: Sequence[np.ndarray]) -> Selection:
    """chosen: row numbers of each class of rows_by_class(), in the order of selection."""
    ids = [tuple(pool.ids[row] for row in rows) for rows in chosen]
    count = len(pool.targets)
    return Selection(dict(zip(pool.targets, ids[:count], strict=True)), ids[count] if len(ids) > count else ())


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Independent random numbers for each purpose, the same on every machine."""
    return np.random.default_rng([seed & 0xFFFFFFFF, *purpose.encode()])
