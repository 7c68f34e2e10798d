"""Every kernel of an emulated core against the interpreter: all nodes of many random graphs, nodes at the limits."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from edgekws.emit.c.arena import may_overwrite
from edgekws.graph import interp
from edgekws.graph.ir import INPUT, Graph, Node
from firmware_io import board as boards
from firmware_io import tools
from firmware_io.board import Board
from tests.firmware_io.firmware.edges import at_limits, edges
from tests.firmware_io.firmware.emulated import Call, build_runner, execute
from tests.firmware_io.firmware.test_kernels import cases
from tests.graphs import TARGETS, random_dag

CORES = {"qemu-an385": "portable", "qemu-an385-v6m": "portable", "qemu-an386": "dsp", "qemu-an547": "mve"}
GRAPHS = 200


def calls_of(graph: Graph, seed: int) -> tuple[list[Call], list[np.ndarray]]:
    """A call for each node, and what it should give. In place and with little memory at random."""
    rng = np.random.default_rng(seed)
    signed = {INPUT: True, **{node.name: node.requant.lo < 0 for node in graph.nodes}}
    values = {INPUT: rng.integers(-128, 128, (1, 49, 10, 1)).astype(np.int32)}
    calls, expected = [], []
    for node, output in interp.trace(graph, values[INPUT]):
        inputs = tuple(values[name][0].astype(np.int8 if signed[name] else np.uint8) for name in node.inputs)
        in_place = may_overwrite(node) and bool(rng.random() < 0.5)
        calls.append(Call(node, inputs, in_place, min_ram=bool(rng.random() < 0.5)))
        expected.append(output[0])
        values[node.name] = output
    return calls, expected


@pytest.fixture(scope="module", params=CORES)
def runner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Board, Path]:
    board = boards.load(request.param)
    for tool in (board.compiler, "qemu-system-arm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is missing: {tools.install_hint(tool)}")
    return board, build_runner(board, tmp_path_factory.mktemp(board.name))


def check(runner: tuple[Board, Path], calls: Sequence[Call], expected: Sequence[np.ndarray], folder: Path) -> None:
    board, elf = runner
    for call, done, expected_output in zip(
        calls, execute(board, elf, calls, CORES[board.name], folder), expected, strict=True
    ):
        np.testing.assert_array_equal(done.output, expected_output, err_msg=str(call))
        assert done.kept_guards, call


def test_random_graphs(runner: tuple[Board, Path], tmp_path: Path) -> None:
    calls, expected = [], []
    for seed in range(GRAPHS):
        some, more = calls_of(random_dag(seed, list(TARGETS)[seed % 2]), seed)
        calls += some
        expected += more
    check(runner, calls, expected, tmp_path)


def check_nodes(runner: tuple[Board, Path], nodes: Sequence[tuple[Node, Sequence[np.ndarray]]], folder: Path) -> None:
    """Each node with much memory and with little, in place where that is possible."""
    expected = [interp.run_node(node, *(x.astype(np.int32)[None] for x in inputs))[0] for node, inputs in nodes]
    for min_ram in (False, True):
        calls = [Call(node, tuple(inputs), may_overwrite(node) and min_ram, min_ram) for node, inputs in nodes]
        check(runner, calls, expected, folder)


def test_any_node(runner: tuple[Board, Path], tmp_path: Path) -> None:
    drawn: list[tuple[Node, Sequence[np.ndarray]]] = []

    @given(case=cases())
    @settings(max_examples=400, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
              suppress_health_check=[HealthCheck.too_slow])  # fmt: skip
    def collect(case: tuple[Node, list[np.ndarray]]) -> None:
        drawn.append(case)

    collect()
    check_nodes(runner, drawn, tmp_path)


def test_edges(runner: tuple[Board, Path], tmp_path: Path) -> None:
    calls = list(edges())
    read = [[x.astype(np.int32)[None] for x in call.inputs] for call in calls]
    expected = [interp.run_node(call.node, *x)[0] for call, x in zip(calls, read, strict=True)]
    check(runner, calls, expected, tmp_path)


@pytest.mark.parametrize("seed", range(3))
def test_nodes_at_the_limits_of_a_core(runner: tuple[Board, Path], seed: int, tmp_path: Path) -> None:
    check_nodes(runner, list(at_limits(np.random.default_rng(seed))), tmp_path)
