"""RAM of a stream in C: what lives from step to step, and tensors and scratch memory of one step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from edgekws.emit.c.arena import ALIGNMENT, Tensor, smallest
from edgekws.emit.c.scratch import cores, node_bytes, row_bytes
from edgekws.emit.c.stream.rows import RowNode
from edgekws.graph.ir import INPUT
from edgekws.graph.stream.plan import StepNode, StreamPlan


@dataclass(frozen=True)
class StreamMemory:
    """Bytes. state: rows, pools; tensors: of one step; scratch: of its kernels, by name of the core.

    places: of each tensor, the array of C and the offset in it; pools: offset and size of the state of each pool;
    gathered: offset in the tensors, by node.
    """

    state: int
    tensors: int
    scratch: Mapping[str, int]
    places: Mapping[str, tuple[str, int]]
    pools: Mapping[str, tuple[int, int]]
    gathered: Mapping[str, int]

    def total(self, core: str) -> int:
        return self.state + self.tensors + self.scratch[core]


def gathered_name(name: str) -> str:
    """The name, among those of tensors, of the rows that a node's kernel gets as a copy; no node has it."""
    return f"{name}\0rows"


def plan_memory(plan: StreamPlan, rows: Sequence[RowNode], min_ram: bool) -> StreamMemory:
    """rows: of the nodes of `plan`, in order. The scores are the caller's."""
    kept = [name for name, buffer in plan.buffers.items() if buffer.is_state or name == INPUT]
    places, end = dict[str, tuple[str, int]](), 0
    for name in kept:
        places[name], end = ("state", end), end + _up(plan.buffers[name].bytes)
    pools = dict[str, tuple[int, int]]()
    for each in plan.nodes:
        if each.pool_rows:
            size = _up(_pool_bytes(each))
            pools[each.node.name], end = (end, size), end + size
    arena = smallest(list(_tensors(plan, rows, kept)))
    places |= {name: ("arena", start) for name, start in arena.starts.items()}
    scratch = {core: _up(max(_scratch(row, core, min_ram) for row in rows)) for core in cores()}
    gathered = {row.node.name: arena.starts[gathered_name(row.node.name)] for row in rows if row.gathered_bytes}
    return StreamMemory(end, arena.size, scratch, places, pools, gathered)


def _pool_bytes(step: StepNode) -> int:
    return step.state_bytes + 4


def _tensors(plan: StreamPlan, rows: Sequence[RowNode], kept: Sequence[str]) -> Iterator[Tensor]:
    """Those that a step needs no longer than itself."""
    last = {read.tensor: number for number, each in enumerate(plan.nodes) for read in each.reads}
    for number, (each, row) in enumerate(zip(plan.nodes, rows, strict=True)):
        name = each.node.name
        if name not in kept and number < len(plan.nodes) - 1:
            yield Tensor((name,), _up(plan.buffers[name].bytes), number, last[name])
        if row.gathered_bytes:
            yield Tensor((gathered_name(name),), _up(row.gathered_bytes), number, number)


def _scratch(row: RowNode, core: str, min_ram: bool) -> int:
    return (row_bytes if row.form else node_bytes)(row.node, core, min_ram)


def _up(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
