"""Every kernel of an emulated core against the interpreter: all nodes of many random graphs."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from edgekws.emit._c_arena import may_overwrite
from edgekws.graph import interp
from edgekws.graph.ir import INPUT, Graph
from firmware_io import board as boards
from firmware_io import tools
from tests.firmware_io.emulated import Call, build_runner, execute
from tests.graphs import TARGETS, random_dag

CORES = {"qemu-an386": "dsp", "qemu-an547": "portable"}
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


@pytest.mark.parametrize("name", CORES)
def test_random_graphs(name: str, tmp_path: Path) -> None:
    board = boards.load(name)
    for tool in (board.compiler, "qemu-system-arm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is missing: {tools.install_hint(tool)}")
    calls, expected = [], []
    for seed in range(GRAPHS):
        some, wanted = calls_of(random_dag(seed, list(TARGETS)[seed % 2]), seed)
        calls += some
        expected += wanted
    done = execute(board, build_runner(board, tmp_path), calls, CORES[name], tmp_path)
    for call, found, wanted in zip(calls, done, expected, strict=True):
        np.testing.assert_array_equal(found.output, wanted, err_msg=str((call.node.op, call.node.weight_bits)))
        assert found.kept_guards
