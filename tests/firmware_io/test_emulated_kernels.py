"""Every kernel of an emulated core against the interpreter: all nodes of many random graphs, nodes at the limits."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from edgekws.emit._c_arena import may_overwrite
from edgekws.graph import interp
from edgekws.graph.ir import INPUT, SIGNED, UNSIGNED, Graph, Node, Op, Requant, Shape, accumulator_bounds
from firmware_io import board as boards
from firmware_io import tools
from firmware_io.board import Board
from tests.firmware_io.emulated import Call, build_runner, execute
from tests.firmware_io.test_kernels import cases
from tests.graphs import LIMITS, TARGETS, random_dag

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


@pytest.fixture(scope="module", params=CORES)
def runner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Board, Path]:
    board = boards.load(request.param)
    for tool in (board.compiler, "qemu-system-arm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is missing: {tools.install_hint(tool)}")
    return board, build_runner(board, tmp_path_factory.mktemp(board.name))


def check(runner: tuple[Board, Path], calls: Sequence[Call], expected: Sequence[np.ndarray], folder: Path) -> None:
    board, elf = runner
    for call, found, wanted in zip(calls, execute(board, elf, calls, CORES[board.name], folder), expected, strict=True):
        np.testing.assert_array_equal(found.output, wanted, err_msg=str(call))
        assert found.kept_guards, call


def test_random_graphs(runner: tuple[Board, Path], tmp_path: Path) -> None:
    calls, expected = [], []
    for seed in range(GRAPHS):
        some, wanted = calls_of(random_dag(seed, list(TARGETS)[seed % 2]), seed)
        calls += some
        expected += wanted
    check(runner, calls, expected, tmp_path)


def check_nodes(runner: tuple[Board, Path], nodes: Sequence[tuple[Node, Sequence[np.ndarray]]], folder: Path) -> None:
    """Each node with much memory and with little, in place where that is possible."""
    expected = [interp.run_node(node, *(x.astype(np.int32)[None] for x in inputs))[0] for node, inputs in nodes]
    for min_ram in (False, True):
        calls = [Call(node, tuple(inputs), may_overwrite(node) and min_ram, min_ram) for node, inputs in nodes]
        check(runner, calls, expected, folder)


def test_any_node(runner: tuple[Board, Path], tmp_path: Path) -> None:
    found: list[tuple[Node, Sequence[np.ndarray]]] = []

    @given(case=cases())
    @settings(max_examples=400, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
              suppress_health_check=[HealthCheck.too_slow])  # fmt: skip
    def collect(case: tuple[Node, list[np.ndarray]]) -> None:
        found.append(case)

    collect()
    check_nodes(runner, found, tmp_path)


def made(
    rng: np.random.Generator, op: Op, shape: Shape, filters: int, kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1), pad: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> tuple[Node, list[np.ndarray]]:  # fmt: skip
    """A convolution with a random width, stage and sign; its offsets keep outputs in range where shifts are large."""
    bits, rule = int(rng.choice(list(LIMITS))), list(TARGETS.values())[int(rng.random() < 0.25)]
    signed, out = rng.random() < 0.4, SIGNED if rng.random() < 0.4 else UNSIGNED
    rows, columns = ((shape[i] + pad[2 * i] + pad[2 * i + 1] - kernel[i]) // stride[i] + 1 for i in range(2))
    weight_shape = (filters, *kernel, shape[2]) if op == "conv2d" else (filters, *kernel)
    weight = rng.integers(-LIMITS[bits], LIMITS[bits] + 1, weight_shape).astype(np.int8)
    bare = Node(
        "n", op, (INPUT,), Requant.identity(filters, *out), shape, (rows, columns, filters), weight, bits,
        stride=stride, pad=pad,
    )  # fmt: skip
    lo, hi = SIGNED if signed else UNSIGNED
    offset = rng.integers(-300, 300, filters).astype(np.int32)
    bare = replace(bare, requant=replace(bare.requant, offset=offset))
    low, high = accumulator_bounds(bare, lo, hi)
    most = np.minimum(255, (2**31 - 1) // np.maximum(-low, high))
    mult = np.maximum(1, np.minimum(most, rng.choice([1, 2, 64, 127, 128, 255], filters))).astype(np.uint8)
    shift = rng.integers(*[(0, 4), (2, 5), (5, 12), (9, 18), (28, 32)][int(rng.integers(5))], filters).astype(np.uint8)
    if rule == "fixed-point":
        wide = rng.integers(1 << 30, 1 << 31, filters).astype(np.int32)
        stage = Requant(offset, wide, shift, *out, rule)
    else:
        stage = Requant(offset, mult, shift, *out)
    x = rng.integers(lo, hi + 1, shape).astype(np.int8 if signed else np.uint8)
    return replace(bare, requant=stage), [x]


def at_limits(rng: np.random.Generator) -> Iterator[tuple[Node, list[np.ndarray]]]:
    """Odd numbers of pixels and filters; taps around multiples of 4, 64 and 256; windows that see little."""
    for taps in (1, 3, 4, 5, 31, 32, 33, 63, 64, 65, 66, 128, 130, 255, 256, 257, 300):
        for shape in ((1, 1), (1, 2), (3, 3), (5, 4), (7, 9)):
            yield made(rng, "conv2d", (*shape, taps), int(rng.integers(1, 20)), (1, 1))
    for width, kernel in product(range(1, 14), ((10, 4), (1, 4), (3, 8), (4, 3), (3, 3), (2, 1))):
        image = (int(rng.integers(1, 14)), width, int(rng.integers(1, 4)))
        stride = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
        yield made(rng, "conv2d", image, int(rng.integers(1, 9)), kernel, stride, padding(rng, kernel, 10))
    for width, window in product(range(1, 24), ((3, 3), (3, 3), (9, 1), (1, 5), (5, 5), (1, 1), (2, 4))):
        plane = (int(rng.integers(1, 28)), width, int(rng.integers(1, 6)))
        stride = (1, 1) if rng.random() < 0.6 else (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
        yield made(rng, "depthwise_conv2d", plane, plane[2], window, stride, padding(rng, window, 2))


def padding(rng: np.random.Generator, kernel: tuple[int, int], most: int) -> tuple[int, int, int, int]:
    """Enough for the kernel to fit, whatever the input."""
    top, bottom, left, right = (int(side) for side in rng.integers(0, most + 1, 4))
    return (max(top, kernel[0] - 1), bottom, left, max(right, kernel[1] - 1))


@pytest.mark.parametrize("seed", range(3))
def test_nodes_at_the_limits_of_a_core(runner: tuple[Board, Path], seed: int, tmp_path: Path) -> None:
    check_nodes(runner, list(at_limits(np.random.default_rng(seed))), tmp_path)
