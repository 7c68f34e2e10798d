"""Streams on emulated boards: every score is that of the definition, a minute of the DS-CNN and random networks."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from benchmarks import _stream_board
from edgekws.graph.ir import Graph, Rule
from edgekws.graph.stream import definition
from firmware_io import board as boards
from firmware_io import tools
from firmware_io.board import Board
from tests.columns import column_network
from tests.streamable import random_streamable, valid_dscnn

BOARDS = ("qemu-an385", "qemu-an385-v6m", "qemu-an386", "qemu-an500", "qemu-an547", "qemu-riscv32")
ROWS_OF_A_MINUTE = 3000
SEEDS = range(6)
MOST = 62_000
"""Instructions of a step of the network of MLPerf Tiny's streaming wake word on Cortex-M4."""


@pytest.fixture(params=BOARDS)
def board(request: pytest.FixtureRequest) -> Board:
    return available(request.param)


def available(name: str) -> Board:
    loaded = boards.load(name)
    for tool in (loaded.compiler, loaded.qemu_program):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is missing: {tools.install_hint(tool)}")
    return loaded


def differences(board: Board, graph: Graph, count: int) -> int:
    """Scores that differ from the definition, of `count` random rows."""
    rows = np.random.default_rng(7).integers(-128, 128, (count, graph.clip_shape[1])).astype(np.int8)
    expected = definition.scores(graph, rows)
    scores = _stream_board.run(board, graph, rows).scores
    assert scores.shape == expected.shape
    return int((scores != expected).sum())


def test_a_small_network_on_the_m4f() -> None:
    assert differences(available("qemu-an386"), valid_dscnn(channels=8, blocks=1, rows=31), 60) == 0


def test_rows_of_one_column_on_the_m4f() -> None:
    assert differences(available("qemu-an386"), column_network("fixed-point", 0, taps=(3, 10)), 30) == 0


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["fixed-point", "offset-scale-shift"])
def test_rows_of_one_column(board: Board, rule: Rule) -> None:
    for seed in SEEDS:
        assert differences(board, column_network(rule, seed), 70) == 0, seed


@pytest.mark.slow
def test_a_wake_word_network_is_quick_on_the_m4f() -> None:
    graph = column_network("fixed-point", 0, taps=(3, 5, 10, 15), channels=(128, 128, 128, 32), inputs=40)
    rows = np.zeros((40, graph.clip_shape[1]), np.int8)
    assert np.median(_stream_board.run(available("qemu-an386"), graph, rows).instructions) < MOST


@pytest.mark.slow
def test_a_minute_of_the_dscnn(board: Board) -> None:
    assert differences(board, valid_dscnn(), ROWS_OF_A_MINUTE) == 0


@pytest.mark.slow
def test_random_networks(board: Board) -> None:
    for seed in SEEDS:
        graph = random_streamable(seed)
        assert differences(board, graph, graph.clip_shape[0] + 40) == 0, seed
