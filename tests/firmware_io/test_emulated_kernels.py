"""Every kernel of an emulated core against the interpreter: all nodes of many random graphs, drawn nodes, edges."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from edgekws.emit._c_arena import may_overwrite
from edgekws.graph import interp
from edgekws.graph.ir import INPUT, Graph, Node, Requant, Rule, accumulator_bounds
from firmware_io import board as boards
from firmware_io import tools
from tests.firmware_io.emulated import Call, build_runner, execute
from tests.firmware_io.test_kernels import cases
from tests.graphs import LIMITS, TARGETS, random_dag

CORES = {"qemu-an385": "portable", "qemu-an385-v6m": "portable", "qemu-an386": "portable", "qemu-an547": "mve"}
GRAPHS = 200
DRAWN = 400


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
    calls, expected = [], []
    for seed in range(GRAPHS):
        some, wanted = calls_of(random_dag(seed, list(TARGETS)[seed % 2]), seed)
        calls += some
        expected += wanted
    check(name, calls, expected, tmp_path)


@pytest.mark.parametrize("name", CORES)
def test_drawn_nodes(name: str, tmp_path: Path) -> None:
    """What the kernels are tested with on this computer; as they are, in place, with little memory."""
    calls: list[Call] = []

    @given(case=cases())
    @settings(
        max_examples=DRAWN, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def collect(case: tuple[Node, list[np.ndarray]]) -> None:
        node, inputs = case
        number = len(calls)
        calls.append(Call(node, tuple(inputs), may_overwrite(node) and number % 2 == 1, min_ram=number % 3 == 0))

    collect()
    check(name, calls, [interpreted(call) for call in calls], tmp_path)


@pytest.mark.parametrize("name", CORES)
def test_edges(name: str, tmp_path: Path) -> None:
    calls = list(edges())
    check(name, calls, [interpreted(call) for call in calls], tmp_path)


def edges() -> Iterator[Call]:
    """Sizes around the lanes and blocks of the cores, at every width, sign, rule and memory plan."""
    rng = np.random.default_rng(0)
    shapes: list[tuple[Literal["conv2d", "depthwise_conv2d"], tuple[int, ...], int, tuple[int, int], int, int]] = [
        ("conv2d", (*plane, channels), filters, (1, 1), 1, 0)
        for channels in (1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 300)
        for plane, filters in [(((5, 5), 3), ((1, 1), 1), ((2, 3), 5), ((17, 1), 2))[channels % 4]]
    ]
    shapes += [
        ("conv2d", (49, 10, 1), 7, (10, 4), 2, 4),
        ("conv2d", (6, 40, 2), 3, (2, 37), 1, 1),
        ("conv2d", (2, 3, 3), 2, (5, 9), 3, 6),
        ("conv2d", (9, 9, 2), 5, (1, 1), 2, 0),
        ("conv2d", (1, 9000, 2), 1, (1, 1), 1, 0),
        ("depthwise_conv2d", (25, 5, 5), 5, (3, 3), 1, 1),
        ("depthwise_conv2d", (1, 1, 3), 3, (1, 1), 1, 0),
        ("depthwise_conv2d", (2, 2, 2), 2, (3, 5), 1, 2),
        ("depthwise_conv2d", (25, 5, 3), 3, (9, 1), 1, 4),
        ("depthwise_conv2d", (25, 5, 3), 3, (1, 5), 2, 2),
        ("depthwise_conv2d", (12, 40, 2), 2, (3, 3), 3, 1),
        ("depthwise_conv2d", (12, 40, 2), 2, (4, 4), 1, 3),
        ("depthwise_conv2d", (9, 60, 2), 2, (6, 2), 1, 1),
        ("depthwise_conv2d", (20, 11, 2), 2, (5, 5), 2, 2),
        ("depthwise_conv2d", (49, 10, 1), 1, (10, 4), 2, 5),
    ]
    every = product(shapes, LIMITS, ((-128, 127), (0, 255)), TARGETS.values(), (False, True))
    for number, ((op, in_shape, filters, kernel, stride, pad), bits, span, rule, min_ram) in enumerate(every):
        height, width = ((in_shape[i] + 2 * pad - kernel[i]) // stride + 1 for i in range(2))
        shape = (filters, *kernel) if op == "depthwise_conv2d" else (filters, *kernel, in_shape[2])
        weight = rng.integers(-LIMITS[bits], LIMITS[bits] + 1, shape).astype(np.int8)
        bare = Node(
            "n", op, (INPUT,), Requant.identity(filters, 0, 255), (in_shape[0], in_shape[1], in_shape[2]),
            (height, width, filters), weight, bits, stride=(stride, stride), pad=(pad, pad, pad, pad),
        )  # fmt: skip
        out = ((-128, 127), (0, 255))[number // 3 % 2]
        node = replace(bare, requant=edge_stage(rng, bare, span, out, rule, number))
        x = rng.integers(span[0], span[1] + 1, in_shape).astype(np.int8 if span[0] < 0 else np.uint8)
        yield Call(node, (x,), may_overwrite(node) and number % 5 < 3, min_ram)


def edge_stage(
    rng: np.random.Generator, node: Node, span: tuple[int, int], out: tuple[int, int], rule: Rule, number: int
) -> Requant:
    """Shifts of 0 to 3, of 31, or those at which sums fill the output; the largest multipliers that are allowed."""
    channels = node.out_shape[2]
    low, high = accumulator_bounds(node, *span)
    largest = np.maximum(-low, high)
    offset = rng.integers(-300, 301, channels).astype(np.int32)
    fitting = np.ceil(np.log2(largest + 301)).astype(int) - 9
    shift = [rng.integers(0, 4, channels), np.full(channels, 31), np.maximum(fitting, 0)][number % 7 % 3]
    if rule == "fixed-point":
        mult = rng.integers(1 << 30, 1 << 31, channels).astype(np.int32)
        return Requant(offset, mult, shift.astype(np.uint8), *out, rule)
    mult = np.minimum((255, 1)[number % 11 % 2], (2**31 - 1) // (largest + 301)).astype(np.uint8)
    wide = np.where(shift == fitting, shift + np.log2(mult).astype(int), shift)
    return Requant(offset, mult, np.clip(wide, 0, 31).astype(np.uint8), *out)


def interpreted(call: Call) -> np.ndarray:
    return np.asarray(interp.run_node(call.node, *(x.astype(np.int32)[None] for x in call.inputs))[0])


def check(name: str, calls: Sequence[Call], expected: Sequence[np.ndarray], folder: Path) -> None:
    board = boards.load(name)
    for tool in (board.compiler, "qemu-system-arm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is missing: {tools.install_hint(tool)}")
    done = execute(board, build_runner(board, folder), calls, CORES[name], folder)
    for call, found, wanted in zip(calls, done, expected, strict=True):
        np.testing.assert_array_equal(found.output, wanted, err_msg=str(call.node))
        assert found.kept_guards, call.node
