"""The memory plan of the activations: an offset in one arena for each tensor, computed before anything runs.

A tensor is alive from the node that writes it to the last one that reads it, both included, so a node's
inputs and its output never overlap, unless the node may write where it reads and no later node reads there:
then both share one tensor. The caller owns the memory of the scores and of the graph's input.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edgekws.emit.c.extended import begins_with_input
from edgekws.graph.attributes import Shape
from edgekws.graph.ir import INPUT, Graph, Node
from edgekws.graph.sums import STATE, step

ALIGNMENT = 8


@dataclass(frozen=True)
class Tensor:
    """names: the outputs that share its memory. size: bytes; first, last: numbers of the nodes between which it is
    alive, both included.
    """

    names: tuple[str, ...]
    size: int
    first: int
    last: int

    def overlaps(self, other: Tensor) -> bool:
        return self.first <= other.last and other.first <= self.last

    def followed_by(self, other: Tensor) -> Tensor:
        size, last = max(self.size, other.size), max(self.last, other.last)
        return Tensor(self.names + other.names, size, self.first, last)


@dataclass(frozen=True)
class Arena:
    """size: bytes; starts: offset in bytes of every tensor but the graph's input and the scores."""

    size: int
    starts: Mapping[str, int]


def plan(graph: Graph) -> Arena:
    """The smallest of six plans; for a chain the least possible, its largest pair of neighbours or less."""
    return smallest(_shared(graph), _tensors(graph))


def smallest(*choices: Sequence[Tensor]) -> Arena:
    """The smallest plan of any of these lists of tensors."""
    candidates: list[Arena | None] = []
    for tensors in choices:
        candidates += [_from_both_ends(tensors), _in_order(_largest_first(tensors)), _in_order(tensors)]
    return min((arena for arena in candidates if arena is not None), key=lambda arena: arena.size)


def body_name(node: Node) -> str:
    """The name, among those of tensors, of what the body of a scan needs while it runs; no node has it."""
    return f"{node.name}\0body"


def body_plan(node: Node) -> Arena:
    """The memory of a scan's body: a row of each input, the state, and the output of each of its nodes."""
    end, (_, width, channels) = len(node.body), node.in_shape
    uses = {name: number for number, each in enumerate(node.body) for name in each.inputs}
    rows = [step(number) for number in range(len(node.inputs))]
    tensors = [Tensor((name,), _aligned((1, width, channels)), 0, uses[name]) for name in rows]
    tensors.append(Tensor((STATE,), _aligned(node.body[-1].out_shape), 0, end))
    for number, each in enumerate(node.body):
        tensors.append(Tensor((each.name,), _aligned(each.out_shape), number, uses.get(each.name, end)))
    return _in_order(_largest_first(tensors))


def lower_bound(graph: Graph) -> int:
    """The most bytes alive at once, for the better of both ways to share: no plan of ours can be smaller."""
    return min(_peak(_shared(graph)), _peak(_tensors(graph)))


def may_overwrite(node: Node, number: int = 0) -> bool:
    """Whether the kernel of `node` reads what it overwrites first, when its output begins where that input does."""
    op = node.operation
    if number > 0 and node.in_shapes[number] != node.out_shape:
        return False
    if not op.is_basic:
        return begins_with_input(node) if number == 0 else op.reach == "position"
    if op.reach == "all":
        return False
    if op.is_convolution and not op.is_depthwise:
        return node.kernel == node.stride == (1, 1) and not any(node.pad)
    if op.is_window_pool and any(node.pad):
        return False  # windows go back to inputs above and to the left of the output
    return math.prod(node.out_shape[:2]) <= math.prod(node.in_shape[:2])


def _tensors(graph: Graph) -> list[Tensor]:
    """One for each tensor in the arena."""
    return _own_input(graph) + _outputs(graph) + _bodies(graph)


def _bodies(graph: Graph) -> list[Tensor]:
    """What the body of each scan needs while it runs."""
    return [
        Tensor((body_name(node),), body_plan(node).size, number, number)
        for number, node in enumerate(graph.nodes)
        if node.body
    ]


def _outputs(graph: Graph) -> list[Tensor]:
    last_uses = graph.last_uses()
    return [
        Tensor((node.name,), _aligned(node.out_shape), number, last_uses[node.name])
        for number, node in enumerate(graph.nodes[:-1])
    ]


def _own_input(graph: Graph) -> list[Tensor]:
    """The input with its channels first, if it has several."""
    if graph.in_shape[2] == 1:
        return []
    return [Tensor((INPUT,), _aligned(graph.in_shape), 0, graph.last_uses()[INPUT])]


def _aligned(shape: Shape) -> int:
    return -(-math.prod(shape) // ALIGNMENT) * ALIGNMENT


def _shared(graph: Graph) -> list[Tensor]:
    """One for each run of outputs that may overwrite each other."""
    last_uses, tensors = graph.last_uses(), {name: each for each in _own_input(graph) for name in each.names}
    for number, (node, own) in enumerate(zip(graph.nodes, _outputs(graph), strict=False)):
        last_read = [
            name
            for at, name in enumerate(node.inputs)
            if name in tensors and last_uses[name] == number and may_overwrite(node, at)
        ]
        tensor = tensors[last_read[0]].followed_by(own) if last_read else own
        tensors.update(dict.fromkeys(tensor.names, tensor))
    return list({tensor.names: tensor for tensor in tensors.values()}.values()) + _bodies(graph)


def _peak(tensors: Iterable[Tensor]) -> int:
    alive = [sum(t.size for t in tensors if t.first <= at.first <= t.last) for at in tensors]
    return max(alive, default=0)


def _largest_first(tensors: Sequence[Tensor]) -> list[Tensor]:
    return sorted(tensors, key=lambda tensor: -tensor.size)


def _in_order(tensors: Sequence[Tensor]) -> Arena:
    """Each tensor in the first gap that holds it."""
    starts: dict[str, int] = {}
    for tensor in tensors:
        _put(tensor, _gaps(tensor, tensors, starts, math.inf)[0][0], starts)
    return Arena(max((starts[tensor.names[0]] + tensor.size for tensor in tensors), default=0), starts)


def _from_both_ends(tensors: Sequence[Tensor]) -> Arena | None:
    """Within the lower bound, even tensors as low and odd ones as high as possible; None where one fits no gap.

    Along a chain only two neighbours are alive, at opposite ends, so every tensor fits.
    """
    size, starts = _peak(tensors), dict[str, int]()
    for number, tensor in enumerate(tensors):
        gaps = _gaps(tensor, tensors, starts, size)
        if not gaps:
            return None
        _put(tensor, gaps[0][0] if number % 2 == 0 else int(gaps[-1][1]) - tensor.size, starts)
    return Arena(size, starts)


def _put(tensor: Tensor, start: int, starts: dict[str, int]) -> None:
    starts.update(dict.fromkeys(tensor.names, start))


def _gaps(tensor: Tensor, tensors: Sequence[Tensor], starts: Mapping[str, int], size: float) -> list[tuple[int, float]]:
    """Begin and end of the free places below `size` that hold `tensor`, in order."""
    taken = sorted(
        (starts[other.names[0]], starts[other.names[0]] + other.size)
        for other in tensors
        if other.names[0] in starts and other.overlaps(tensor)
    )
    gaps, free = [], 0
    for begin, end in [*taken, (size, size)]:
        if begin - free >= tensor.size:
            gaps.append((free, begin))
        free = max(free, int(end) if end != math.inf else free)
    return gaps
