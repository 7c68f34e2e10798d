"""Boards with all memory of the emulated machine, for models beyond the budget of a small microcontroller."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekws.emit import c
from edgekws.errors import BoardError, ConfigError
from edgekws.graph.ir import Graph
from firmware_io import board
from firmware_io.build import memory_plan
from tests.firmware_io.firmware.lines import EMULATED, started
from tests.graphs import random_general


def test_it_is_the_board_with_other_memories() -> None:
    for name in EMULATED:
        small, full = board.load(name), board.load(name + board.FULL)
        assert full.name == name + "-full" and full.transport == f"qemu:{full.name}"
        assert full.flash_bytes > small.flash_bytes and full.ram_bytes > small.ram_bytes
        assert (full.cpu, full.cflags, full.qemu_machine) == (small.cpu, small.cflags, small.qemu_machine)
        assert board.path_of(full.name) == board.path_of(name) and full.name not in board.names()


def test_boards_that_are_no_emulator_have_none() -> None:
    with pytest.raises(ConfigError, match="qemu-an386-full"):
        board.load("host-full")
    with pytest.raises(ConfigError, match="qemu-an386"):
        board.load("qemu-an999-full")


def test_a_plan_that_is_too_large_names_it() -> None:
    graph = next(g for g in map(random_general, range(300)) if g.in_shape[2] == 3)
    entry = replace(board.load("qemu-an386"), ram_bytes=64)
    with pytest.raises(BoardError, match="qemu-an386-full, which has all of the emulated memory"):
        memory_plan.checked(entry, graph, min_ram=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", EMULATED)
def test_it_runs(name: str, graph: Graph, tmp_path: Path) -> None:
    tensor = np.random.default_rng(0).integers(-128, 128, (1, 49, 10)).astype(np.int8)
    with started(name + board.FULL, c.emit(graph), tmp_path) as (line, _):
        line.load(tensor)
        line.ask("infer 1 0")
        assert line.ask("raw")[0] == f"m-raw-[{','.join(map(str, graph.run(tensor)[0]))}]"
