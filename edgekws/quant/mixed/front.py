"""Mixed precision: bits per layer with the least error that a budget allows, exactly.

Each layer has a few options, a width with its cost and its share of the error (`sensitivity`). Costs and errors
add up, so the set of all networks that no other network beats in both, the Pareto front, is found layer by
layer: what is beaten after some layers stays beaten whatever follows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Cost = Literal["flash_bytes", "cycles"]


@dataclass(frozen=True)
class Option:
    """One layer at one width. error: what it adds to the error of the network's output, not below 0."""

    bits: int
    flash_bytes: int
    cycles: int
    error: float


@dataclass(frozen=True)
class Point:
    """A network. bits: of each layer with weights, in order; the other figures are of the whole network."""

    bits: tuple[int, ...]
    flash_bytes: int
    cycles: int
    error: float

    def extended(self, option: Option) -> Point:
        """The network with one more layer."""
        flash_bytes, cycles = self.flash_bytes + option.flash_bytes, self.cycles + option.cycles
        return Point((*self.bits, option.bits), flash_bytes, cycles, self.error + option.error)

    def costs(self, cost: Cost) -> int:
        return self.flash_bytes if cost == "flash_bytes" else self.cycles


def pareto_front(start: Point, layers: Iterable[Sequence[Option]], cost: Cost) -> list[Point]:
    """All networks that none beats in `cost` and in error, cheapest first. start: what all of them have in common.

    Where cost and error are the same, the one with less flash stays.
    """
    front = [start]
    for options in layers:
        front = _unbeaten([point.extended(option) for point in front for option in options], cost)
    return front


def _unbeaten(points: list[Point], cost: Cost) -> list[Point]:
    kept: list[Point] = []
    lowest = math.inf
    for point in sorted(points, key=lambda p: (p.costs(cost), p.error, p.flash_bytes, p.bits)):
        if point.error < lowest:
            kept.append(point)
            lowest = point.error
    return kept


def best_within(front: Sequence[Point], cost: Cost, limit: int) -> Point | None:
    """The point with the least error of those that cost no more than `limit`; None when all cost more."""
    affordable = [point for point in front if point.costs(cost) <= limit]
    return affordable[-1] if affordable else None


def thinned(front: Sequence[Point], most: int) -> list[Point]:
    """At most `most` points of a front, evenly by number of points; the first and the last stay."""
    if len(front) <= most:
        return list(front)
    return [front[round(number * (len(front) - 1) / (most - 1))] for number in range(most)]


def cheapest_that(front: Sequence[Point], good: Callable[[Point], bool]) -> Point | None:
    """By bisection the cheapest point that is good, as far as dearer points are no worse; None when none was.

    Asks for about log2 of the points. What is returned was asked for and was good.
    """
    low, high, found = 0, len(front) - 1, None
    while low <= high:
        middle = (low + high) // 2
        if good(front[middle]):
            found, high = front[middle], middle - 1
        else:
            low = middle + 1
    return found
