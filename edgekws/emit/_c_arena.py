"""Places in one piece of memory for tensors that live for a while: a plan made before anything runs.

A tensor lives from the node that writes it to the last one that reads it, both included, so a node's
inputs and its output never overlap. The scores and the graph's input are the caller's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edgekws.graph.ir import Graph

ALIGNMENT = 8


@dataclass(frozen=True)
class Tensor:
    """size: bytes; first, last: numbers of the nodes between which it lives, both included."""

    name: str
    size: int
    first: int
    last: int

    def meets(self, other: Tensor) -> bool:
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Arena:
    """size: bytes; starts: offset in bytes of every tensor but the graph's input and the scores."""

    size: int
    starts: Mapping[str, int]


def plan(graph: Graph) -> Arena:
    """The smallest of three plans; a chain gets the least possible, its largest pair of neighbours."""
    tensors = _tensors(graph)
    candidates = [_from_both_ends(tensors), _in_order(_largest_first(tensors)), _in_order(tensors)]
    return min((found for found in candidates if found is not None), key=lambda found: found.size)


def lower_bound(graph: Graph) -> int:
    """The most bytes alive at once: no plan can do with less."""
    return _peak(_tensors(graph))


def _tensors(graph: Graph) -> list[Tensor]:
    last_uses = graph.last_uses()
    return [
        Tensor(node.name, -(-math.prod(node.out_shape) // ALIGNMENT) * ALIGNMENT, number, last_uses[node.name])
        for number, node in enumerate(graph.nodes[:-1])
    ]


def _peak(tensors: Iterable[Tensor]) -> int:
    alive = [sum(t.size for t in tensors if t.first <= at.first <= t.last) for at in tensors]
    return max(alive, default=0)


def _largest_first(tensors: Sequence[Tensor]) -> list[Tensor]:
    return sorted(tensors, key=lambda tensor: -tensor.size)


def _in_order(tensors: Sequence[Tensor]) -> Arena:
    """Each tensor in the first gap that holds it."""
    starts: dict[str, int] = {}
    for tensor in tensors:
        starts[tensor.name] = _gaps(tensor, tensors, starts, math.inf)[0][0]
    return Arena(max((starts[tensor.name] + tensor.size for tensor in tensors), default=0), starts)


def _from_both_ends(tensors: Sequence[Tensor]) -> Arena | None:
    """Within the lower bound, even tensors as low and odd ones as high as possible; None where one finds no gap.

    Along a chain two neighbours are all that lives, at opposite ends, so every one fits.
    """
    size, starts = _peak(tensors), dict[str, int]()
    for number, tensor in enumerate(tensors):
        gaps = _gaps(tensor, tensors, starts, size)
        if not gaps:
            return None
        starts[tensor.name] = gaps[0][0] if number % 2 == 0 else int(gaps[-1][1]) - tensor.size
    return Arena(size, starts)


def _gaps(tensor: Tensor, tensors: Sequence[Tensor], starts: Mapping[str, int], size: float) -> list[tuple[int, float]]:
    """Begin and end of the free places below `size` that hold `tensor`, in order."""
    taken = sorted(
        (starts[other.name], starts[other.name] + other.size)
        for other in tensors
        if other.name in starts and other.meets(tensor)
    )
    gaps, free = [], 0
    for begin, end in [*taken, (size, size)]:
        if begin - free >= tensor.size:
            gaps.append((free, begin))
        free = max(free, int(end) if end != math.inf else free)
    return gaps
