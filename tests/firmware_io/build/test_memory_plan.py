"""The memory plan is checked before anything is compiled."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekws.emit import c
from edgekws.errors import BoardError
from edgekws.graph.ir import Graph
from firmware_io import board, build
from firmware_io.build import host_cc, memory_plan

HOST = board.load("host")


def test_the_core_of_a_board_is_what_its_compiler_takes() -> None:
    assert build.core_of(HOST) in ("portable", "avx2")
    assert build.core_of(replace(HOST, cflags=("-DEKW_CORE=EKW_PORTABLE",))) == "portable"
    if host_cc.defines(("-mavx2",)):
        assert build.core_of(replace(HOST, cflags=("-mavx2",))) == "avx2"


def test_a_plan_that_fits_is_described_in_numbers(graph: Graph) -> None:
    small, memory = replace(HOST, cflags=("-DEKW_CORE=EKW_PORTABLE",)), c.memory(graph)
    text = f"arena {memory.arena('portable'):,} B: tensors {memory.tensors:,} + scratch {memory.scratch['portable']:,}"
    assert memory_plan.checked(small, graph, min_ram=False) == f"{text} for portable"
    arena = memory_plan.arena(small, graph, min_ram=False)
    assert (arena.core, arena.tensors_bytes) == ("portable", memory.tensors)
    assert arena.tensors_bytes + arena.scratch_bytes == memory.arena("portable")


def test_a_plan_that_is_too_large_is_refused_with_numbers_and_a_hint(graph: Graph) -> None:
    symbols, flags = {"EKW_STACK_BYTES": 100}, ("-DEKW_CORE=EKW_AVX2",)  # the macro alone decides here
    needs = {least: c.memory(graph, least).arena("avx2") + 490 + 100 for least in (False, True)}
    assert needs[True] < needs[False]
    tight = replace(HOST, cflags=flags, symbols=symbols, ram_bytes=needs[False] - 1)
    with pytest.raises(BoardError, match=rf"{needs[False]:,} B where there are {needs[False] - 1:,}") as refused:
        memory_plan.checked(tight, graph, min_ram=False)
    assert "stack 100" in refused.value.got and refused.value.hint.startswith(
        f"with --min-ram it needs {needs[True]:,}"
    )
    assert "for avx2" in memory_plan.checked(tight, graph, min_ram=True)
    memory_plan.checked(replace(tight, ram_bytes=needs[False]), graph, min_ram=False)
    with pytest.raises(BoardError, match="smaller network"):
        memory_plan.checked(replace(tight, ram_bytes=needs[True] - 1), graph, min_ram=True)
    with pytest.raises(BoardError, match=rf"smaller network.*--min-ram: {needs[True]:,} B"):
        memory_plan.checked(replace(tight, ram_bytes=needs[True] - 1), graph, min_ram=False)
