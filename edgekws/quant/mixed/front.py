"""Mixed precision: the bits per layer with the least error within a budget, exactly.

Each layer has a few options, a width with its cost and its share of the error (`sensitivity`). Costs and errors
add up, so the Pareto front (the networks that no other network dominates) can be built layer by layer: a network that
is dominated after some layers stays dominated whatever layers follow.
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
    """The Pareto front in `cost` and error, cheapest first. start: the part common to all networks.

    Where cost and error are equal, the network with less flash is kept.
    """
    front = [start]
    for options in layers:
        front = _non_dominated([point.extended(option) for point in front for option in options], cost)
    return front


def _non_dominated(points: list[Point], cost: Cost) -> list[Point]:
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
    """At most `most` points of a front, evenly spaced; the first and the last are kept."""
    if len(front) <= most:
        return list(front)
    return [front[round(number * (len(front) - 1) / (most - 1))] for number in range(most)]


def cheapest_satisfying(front: Sequence[Point], good: Callable[[Point], bool]) -> Point | None:
    """By bisection, the cheapest good point, assuming that more expensive points are no worse; None when none is.

    Evaluates about log2 of the points. The returned point was evaluated and is good.
    """
    low, high, cheapest = 0, len(front) - 1, None
    while low <= high:
        middle = (low + high) // 2
        if good(front[middle]):
            cheapest, high = front[middle], middle - 1
        else:
            low = middle + 1
    return cheapest
