"""Each rule of TI's NPU, by its name: a node on the right side of it is legal, one step further is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws import cost, targets
from edgekws.graph.ir import INPUT, Graph, Node, Requant
from edgekws.graph.ops import OPS
from edgekws.targets import tinpu
from tests.graphs import random_dag, random_general


def requant(channels, offset=0, mult=1, shift=7, signed=False, rule="offset-scale-shift"):
    filled = (np.full(channels, value, np.int32) for value in (offset, mult, shift))
    return Requant(*filled, -128 if signed else 0, 127 if signed else 255, rule)


def conv(kernel=(3, 3), c_in=8, c_out=8, stride=(1, 1), bits=8, **fields):
    weight = np.ones((c_out, *kernel, c_in), np.int8)
    return Node(
        "conv", "conv2d", ("x",), requant(c_out, **fields), (200, 200, c_in), (9, 9, c_out), weight, bits, stride=stride
    )


def depthwise(kernel=(3, 3), channels=8):
    weight = np.ones((channels, *kernel), np.int8)
    shape = (200, 200, channels)
    return Node("dw", "depthwise_conv2d", ("x",), requant(channels), shape, (9, 9, channels), weight)


def linear(inputs=64, bits=8, **fields):
    weight = np.ones((12, inputs), np.int8)
    return Node("fc", "linear", ("x",), requant(12, **fields), (1, 1, inputs), (1, 1, 12), weight, bits)


def max_pool(window, channels=8):
    shape = (200, 200, channels)
    return Node("max", "max_pool", ("x",), Requant.identity(channels, 0, 255), shape, (9, 9, channels), window=window)


def sum_pool(area, channels=8, **fields):
    return Node("pool", "global_sum_pool", ("x",), requant(channels, **fields), (*area, channels), (1, 1, channels))


def scale(source=INPUT, **fields):
    return Node("in", "scale", (source,), requant(1, signed=True, **fields), (49, 10, 1), (49, 10, 1))


def add(channels=8, signed=False):
    identity = Requant.identity(channels, -128 if signed else 0, 127 if signed else 255)
    return Node("add", "add", ("x", "y"), identity, (9, 9, channels), (9, 9, channels))


LEGAL = {
    "the first layer of MLPerf's DS-CNN": conv((10, 4), c_in=1, c_out=64, stride=(2, 2)),
    "8 wide on one channel": conv((3, 8), c_in=1),
    "depthwise 9 x 1": depthwise((9, 1)),
    "depthwise 3 x 3": depthwise((3, 3)),
    "depthwise 7 wide": depthwise((3, 7)),
    "pointwise": conv((1, 1)),
    "generic 7 x 7": conv((7, 7)),
    "one row of 100": conv((1, 100)),
    "stride (2, 1)": conv(stride=(2, 1)),
    "stride (2, 2)": conv(stride=(2, 2)),
    "the widest offset of 8 bits": conv(offset=(1 << 23) - 1),
    "the lowest offset of 8 bits": conv(offset=-(1 << 23)),
    "the widest offset of 4 bits": conv(offset=(1 << 15) - 1, bits=4, mult=255),
    "the lowest offset of 2 bits": conv(offset=-(1 << 15), bits=2, mult=255),
    "shift 31": conv(shift=31),
    "64 to 12": linear(64),
    "16 inputs of 8 bits": linear(16),
    "8 inputs of 4 bits": linear(8, bits=4, mult=99),
    "global pool of 3": sum_pool((3, 1)),
    "a pool with a multiplier": sum_pool((25, 5), mult=131, shift=14),
    "max 4 x 4": max_pool((4, 4)),
    "max 128 x 1": max_pool((128, 1)),
    "max 1 x 128": max_pool((1, 128)),
    "residual with ReLU": add(),
    "residual without": add(signed=True),
    "input normalization": scale(mult=255, shift=8),
}

BROKEN = {
    "a fourth of a byte": (conv(bits=3), "weight-bits: weights of 8, 4 or 2 bits, not 3"),
    "an offset of 25 bits": (conv(offset=1 << 23), "offset-width: offsets of 8-bit layers are signed 24 bit, 8388608"),
    "below 24 bits": (conv(offset=-(1 << 23) - 1), "offset-width: offsets of 8-bit layers are signed 24 bit, -8388609"),
    "17 bits at 4": (conv(offset=1 << 15, bits=4, mult=9), "offset-width: offsets of 4-bit layers are signed 16 bit"),
    "17 bits at 2": (conv(offset=1 << 15, bits=2, mult=9), "offset-width: offsets of 2-bit layers are signed 16 bit"),
    "shift 32": (conv(shift=32), "shift-width: shifts are 5 bit, 32 is not"),
    "multiplier at 8 bits": (conv(mult=3), "unit-multiplier: layers of 8-bit weights have multiplier 1, not 3"),
    "multiplier of a linear": (linear(mult=2), "unit-multiplier"),
    "multiplier 256": (conv(mult=256, bits=4), "multiplier-width: multipliers are 1..255, not 256"),
    "multiplier 0": (conv(mult=0, bits=4), "multiplier-width: multipliers are 1..255, not 0"),
    "the other rounding": (conv(mult=1 << 30, rule="fixed-point"), "rounding: requantization is offset-scale-shift"),
    "66 channels": (conv(c_out=66), "channels: multiples of 4, not 66"),
    "3 inputs": (conv(c_in=3), "channels: 1 or a multiple of 4 inputs, not 3"),
    "depthwise of 6": (depthwise(channels=6), "channels: multiples of 4, not 6"),
    "max of 6": (max_pool((2, 2), channels=6), "channels: multiples of 4, not 6"),
    "pool of 6": (sum_pool((5, 5), channels=6), "channels: multiples of 4, not 6"),
    "sum of 6": (add(channels=6), "channels: multiples of 4, not 6"),
    "9 wide on one channel": (conv((3, 9), c_in=1), "first-width: kernels at most 8 wide, not 9"),
    "8 rows": (conv((8, 1)), "kernel-height: at most 7 rows, not 8"),
    "8 columns": (conv((2, 8)), "kernel-width: at most 7 columns, or a single row, not 2 x 8"),
    "depthwise 8 wide": (depthwise((3, 8)), "depthwise-width: kernels at most 7 wide, not 8"),
    "pointwise with a stride": (conv((1, 1), stride=(2, 2)), "pointwise-stride: stride 1, not (2, 2)"),
    "stride (1, 2)": (conv(stride=(1, 2)), "stride: (1, 1), (2, 1) or (2, 2), not (1, 2)"),
    "12 inputs": (linear(12), "linear-inputs: at least 16 inputs for 8-bit weights, not 12"),
    "4 inputs of 4 bits": (linear(4, bits=4), "linear-inputs: at least 8 inputs for 4-bit weights, not 4"),
    "12 inputs of 2 bits": (linear(12, bits=2), "linear-inputs: at least 16 inputs for 2-bit weights, not 12"),
    "18 inputs": (linear(18), "linear-inputs: a multiple of 4, not 18"),
    "pool of 2": (sum_pool((2, 1)), "pool-area: more than 2 positions, not 2"),
    "max 5 x 5": (max_pool((5, 5)), "pool-window: at most 4 x 4, or one side of 1, not 5 x 5"),
    "max 128 x 2": (max_pool((128, 2)), "pool-window: at most 4 x 4, or one side of 1, not 128 x 2"),
    "scale within": (scale("conv1"), "input-stage: scaling by element is for the graph's input, not for conv1"),
}


@pytest.mark.parametrize("node", LEGAL.values(), ids=LEGAL.keys())
def test_legal(node):
    assert tinpu.legal(node) is None


@pytest.mark.parametrize(("node", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_broken(node, reason):
    result = tinpu.legal(node)
    assert result is not None
    assert result.startswith(reason)


def test_one_channel_out_of_many_is_enough():
    offset = np.zeros(8, np.int32)
    offset[5] = -(1 << 24)
    node = conv()
    assert "-16777216" in tinpu.legal(replace(node, requant=replace(node.requant, offset=offset)))


@given(st.integers(0, 200))
def test_random_graphs_break_only_the_rules_that_their_sizes_break(seed):
    """Sizes are drawn without regard to these three, and offsets of narrow weights may be wide."""
    graph = random_dag(seed)
    result = {reason.split(":")[0] for reason in targets.refused_layers(graph, tinpu).values()}
    assert result <= {"linear-inputs", "pool-area", "offset-width"}
    for node in graph.nodes:
        reason = tinpu.legal(node)
        if reason and reason.startswith("linear-inputs"):
            inputs = int(np.prod(node.in_shape))
            assert inputs < 16 or inputs % 4


@pytest.fixture
def overflowing(graph: Graph) -> Graph:
    """An offset whose sum with the products leaves 32 bits."""
    conv1 = graph.nodes[0]
    offset = np.full(8, (1 << 31) - 1, np.int32)
    return replace(graph, nodes=(replace(conv1, requant=replace(conv1.requant, offset=offset)), *graph.nodes[1:]))


def test_accumulator_overflow_is_a_problem_of_the_graph(overflowing):
    result = targets.problems(overflowing, tinpu)
    assert any(text.startswith("conv1: offset-width") for text in result)
    assert any(text.startswith("graph: conv1: the accumulator must fit 32 bits") for text in result)


def test_unequal_scales_of_a_sum_are_a_problem_of_the_graph():
    graph = next(g for g in map(random_dag, range(50)) if any(node.op == "add" for node in g.nodes))
    place, node = next((i, node) for i, node in enumerate(graph.nodes) if node.op == "add")
    before = graph.node(node.inputs[1])
    changed = tuple(replace(n, out_scale=0.5) if n is before else n for n in graph.nodes)
    result = targets.problems(replace(graph, nodes=changed), tinpu)
    assert place > 0
    assert any("both inputs should have one scale" in text for text in result)


def test_a_legal_graph_has_no_problems(graph_factory):
    assert targets.problems(graph_factory(channels=64), tinpu) == ()


def test_a_residual_ends_a_pointwise_convolution():
    graph = random_dag(1)  # conv2d0 is 9 x 2, conv2d1 is 1 x 1, add2 adds them
    node = graph.node("add2")
    twice = replace(node, inputs=("conv2d0", "conv2d0"))
    assert tinpu.legal(node, graph) is None
    assert tinpu.legal(twice) is None
    assert tinpu.legal(twice, graph) == (
        "residual: one input from a pointwise convolution, not from conv2d0 and conv2d0"
    )
    changed = replace(graph, nodes=tuple(twice if n is node else n for n in graph.nodes))
    assert targets.refused_layers(changed, tinpu)["add2"].startswith("residual")
    layer = next(row for row in cost.estimate(changed, *targets.load("tinpu")).layers if row.cost.name == "add2")
    assert layer.unit == "CPU"
    assert layer.lowest < layer.cycles < layer.highest


def test_what_only_other_networks_have_runs_on_the_cpu() -> None:
    """Every row of the table is named, with the op or with what TI's lists lack."""
    target = targets.load("tinpu")[0]
    reasons = {node.op: target.legal(node) or "" for seed in range(30) for node in random_general(seed).nodes}
    assert reasons.keys() == {op for op, row in OPS.items() if not row.is_recurrent}
    assert all(f"not {op}" in reasons[op] for op in reasons if not OPS[op].is_basic)
    node = random_dag(1).nodes[0]
    assert target.legal(replace(node, dilation=(2, 1))) == "dilation: none, not (2, 1)"
    assert target.legal(replace(node, pad_value=3)) == "padding: zeros, not 3"
    narrow = replace(node.requant, lo=0, hi=99)
    assert target.legal(replace(node, requant=narrow)) == "range: 0..255 or -128..127, not 0..99"
