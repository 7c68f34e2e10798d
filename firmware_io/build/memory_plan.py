"""Checks the memory plan of a model against the RAM of a board before anything is compiled."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgekws.emit import c
from edgekws.errors import BoardError
from edgekws.graph.ir import Graph
from firmware_io import build
from firmware_io.board import Board, larger

_STACK = "EKW_STACK_BYTES"


@dataclass(frozen=True)
class Arena:
    """RAM of a model between its input and its scores, bytes. core: the kernels that need the scratch memory."""

    core: str
    tensors_bytes: int
    scratch_bytes: int
    min_ram: bool


def arena(board: Board, graph: Graph, min_ram: bool) -> Arena:
    """The plan for the firmware of a board. Raises BoardError without its compiler."""
    core, plan = build.core_of(board), c.memory(graph, min_ram)
    return Arena(core, plan.tensors, plan.scratch[core], min_ram)


def checked(board: Board, graph: Graph, min_ram: bool) -> str:
    """The plan in words. Raises BoardError when arena, input and stack together exceed the board's RAM.

    The firmware needs a few hundred bytes more; the linker makes the final check.
    """
    core = build.core_of(board)
    needed = _needed(board, graph, core, min_ram)
    if board.ram_bytes and needed > board.ram_bytes:
        raise BoardError(
            f"the memory plan should fit the RAM of {board.name}",
            got=f"{_describe_all(board, graph, core, min_ram)}: {needed:,} B where there are {board.ram_bytes:,}",
            hint=_hint(board, graph, core, min_ram),
        )
    return describe(c.memory(graph, min_ram), core)


def describe(memory: c.Memory, core: str) -> str:
    """The arena in words: "arena 16,912 B: tensors 8,064 + scratch 8,848 for dsp"."""
    return f"arena {memory.arena(core):,} B: tensors {memory.tensors:,} + scratch {memory.scratch[core]:,} for {core}"


def _needed(board: Board, graph: Graph, core: str, min_ram: bool) -> int:
    fixed = math.prod(graph.in_shape) + board.symbols.get(_STACK, 0)
    return c.memory(graph, min_ram).arena(core) + fixed


def _describe_all(board: Board, graph: Graph, core: str, min_ram: bool) -> str:
    rest = f"input {math.prod(graph.in_shape):,}, stack {board.symbols.get(_STACK, 0):,}"
    return f"{describe(c.memory(graph, min_ram), core)}; {rest}"


def _hint(board: Board, graph: Graph, core: str, min_ram: bool) -> str:
    least = _needed(board, graph, core, min_ram=True)
    if not min_ram and least <= board.ram_bytes:
        return f"with --min-ram it needs {least:,} B and more instructions"
    return f"use a smaller network, or {larger(board)}" + ("" if min_ram else f" (--min-ram: {least:,} B)")
