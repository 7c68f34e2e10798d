"""Costs against figures worked out by hand, statistics against published and brute-force values."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws import cost, stats, targets
from edgekws.graph.ir import Node, Requant
from edgekws.targets import _estimate
from tests.graphs import random_general


def test_layers_of_the_random_graph(graph):
    rows = cost.layers(graph)
    by_name = {row.name: row for row in rows}
    assert by_name["conv1"].macs == 25 * 5 * 8 * 10 * 4
    assert by_name["dw1"].macs == 25 * 5 * 8 * 9
    assert by_name["pool"].macs == 0
    assert by_name["fc"].parameter_bytes == 12 * 8 + 12 * 6
    assert sum(row.macs_share for row in rows) == pytest.approx(1.0)
    assert sum(row.macs for row in rows) == graph.macs


def test_peak_is_the_largest_pair(graph):
    assert cost.peak_activation_bytes(graph) == 2 * 25 * 5 * 8


def test_peak_of_the_mlperf_size(graph_factory):
    assert cost.peak_activation_bytes(graph_factory(channels=64)) == 16_000


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_against_newcombe_1998_table_1(successes, n, low, high):
    interval = stats.wilson(successes, n)
    assert (interval.low, interval.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_wilson_refuses_more_hits_than_clips():
    with pytest.raises(ValueError, match=r"0\.\.3"):
        stats.wilson(4, 3)


@given(st.integers(0, 400), st.integers(0, 400))
def test_wilson_holds_the_share(hits, misses):
    interval = stats.wilson(hits, hits + misses)
    assert 0 <= interval.low <= interval.high <= 1
    if hits + misses:
        assert interval.low <= hits / (hits + misses) <= interval.high


def test_confusion_and_recall():
    truth, predicted = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0])
    table = stats.confusion(truth, predicted, 3)
    assert table.tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]
    first, second, absent = stats.recalls(table, ("a", "b", "c"))
    assert (first.value, second.value, absent.value) == (0.5, 2 / 3, None)
    assert (absent.interval.low, absent.interval.high) == (0.0, 1.0)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=30))
def test_auc_is_the_share_of_ordered_pairs(pairs):
    positive = np.array([kind for kind, _ in pairs])
    score = np.array([value for _, value in pairs])
    ups, downs = score[positive], score[~positive]
    estimate = stats.auc(positive, score)
    if not len(ups) or not len(downs):
        assert math.isnan(estimate)
        return
    wins = sum((up > down) + (up == down) / 2 for up, down in itertools.product(ups, downs))
    assert estimate == pytest.approx(wins / (len(ups) * len(downs)))


def test_macro_auc_skips_absent_classes():
    truth = np.array([0, 0, 1, 1])
    scores = np.array([[0.9, 0.1, 0], [0.8, 0.2, 0], [0.1, 0.9, 0], [0.85, 0.15, 0]])
    assert stats.macro_auc(truth, scores) == pytest.approx(0.75)
    assert stats.macro_auc(np.zeros(4, int), scores) is None


def network(shape, *layers):
    """Nodes of a plain chain, as TI's networks are. Of each layer: op, kernel, channels, stride."""
    nodes = []
    for number, (op, kernel, c_out, stride) in enumerate(layers):
        height, width, c_in = shape
        out = (height // stride, width, c_out) if op in ("conv2d", "max_pool") else (1, 1, c_out)
        weight = {
            "conv2d": np.ones((c_out, *kernel, c_in), np.int8),
            "linear": np.ones((c_out, math.prod(shape)), np.int8),
        }.get(op)
        window = kernel if op == "max_pool" else (0, 0)
        requant = Requant.identity(c_out, 0, 255)
        nodes.append(Node(f"n{number}", op, ("x",), requant, shape, out, weight, window=window, stride=(stride, 1)))
        shape = out
    return nodes


def published_4k(frame):
    layers = [("conv2d", (7, 1), 8, 2), ("max_pool", (3, 1), 8, 2), ("conv2d", (5, 1), 16, 2)]
    return network((frame, 1, 1), *layers, ("conv2d", (5, 1), 32, 2), ("linear", (0, 0), 2, 1))


def published_6k(frame):
    first = [("conv2d", (5, 1), 16, 1), ("conv2d", (3, 1), 16, 1), ("max_pool", (3, 1), 16, 2)]
    return network(
        (frame, 1, 1), *first, ("conv2d", (5, 1), 16, 2), ("conv2d", (5, 1), 32, 2), ("linear", (0, 0), 2, 1)
    )


def published_13k(frame):
    sizes = [((7, 1), 8, 2), ((3, 1), 16, 2), ((3, 1), 16, 1), ((3, 1), 32, 2), ((3, 1), 32, 1), ((3, 1), 64, 2)]
    return network((frame, 1, 1), *(("conv2d", *size) for size in sizes), ("linear", (0, 0), 2, 1))


# Cycles that TI publishes for F28P55x, by frame size ("foreseeing model performance", tinyml-modelmaker).
PUBLISHED = [
    *((published_4k(n), c) for n, c in ((128, 71_595), (256, 109_534), (512, 184_981), (1024, 326_782))),
    *((published_6k(n), c) for n, c in ((128, 107_982), (256, 164_676), (512, 261_792), (1024, 462_680))),
    *((published_13k(n), c) for n, c in ((128, 199_691), (256, 312_406), (512, 535_437), (1024, 985_529))),
]


@pytest.mark.parametrize(("nodes", "cycles"), PUBLISHED)
def test_npu_cycles_are_within_a_factor_of_what_ti_measured_and_the_spread_holds_it(nodes, cycles):
    _, device = targets.load("tinpu:f28p55x")
    estimate = sum(_estimate.npu_cycles(node, device.npu) for node in nodes)
    lowest, highest = (sum(ends) for ends in zip(*(_estimate.npu_bounds(n, device.npu) for n in nodes), strict=True))
    assert cycles / 2.5 < estimate < cycles * 2.5
    assert lowest < cycles < highest


def test_npu_cycles_of_lenet():
    """TI SDAA429: 6.05 ms at 80 MHz for 0.247 million multiplications in seven layers."""
    npu = targets.load("tinpu:mspm0g5187")[1].npu
    estimate = 7 * npu.layer_cycles.value + 247_000 / (npu.peak.value * npu.utilisation.value)
    assert 484_000 / 2.5 < estimate < 484_000 * 2.5


def test_cpu_cycles_of_the_mlperf_network(graph_factory):
    """CMSIS-NN: 1.17 million cycles of a 64-channel pointwise layer on a Cortex-M4, 1.36 million of its first layer."""
    target, device = targets.load("int8")
    graph = graph_factory(channels=64)
    assert target.cycles(graph.node("pw1"), device) == pytest.approx(1.069e6 * 1.205, rel=0.1)
    assert target.cycles(graph.node("conv1"), device) == pytest.approx(1.118e6 * 1.205, rel=0.45)
    assert target.cycles(graph.node("dw1"), device) == pytest.approx(0.561e6 * 1.205, rel=0.1)


def test_estimate_of_a_legal_graph(graph_factory):
    graph = graph_factory(channels=64)
    estimate = cost.estimate(graph, *targets.load("tinpu:mspm0g5187"))
    assert {layer.unit for layer in estimate.layers} == {"NPU"}
    assert estimate.fits
    assert estimate.on_cpu == ()
    flash, ram = estimate.memories
    assert (flash.used, flash.limit) == (graph.parameter_bytes + 8_704, 131_072)
    assert (ram.used, ram.limit) == (16_000 + 2_048, 32_768)
    cycles, latency, energy = estimate.measurements()
    assert {figure.how for figure in (cycles, latency, energy)} == {"estimated"}
    assert latency.value == pytest.approx(cycles.value / 80e6)
    assert energy.value == pytest.approx(latency.value * 0.0707)
    for figure in (cycles, latency, energy):
        assert figure.interval.low < figure.value <= figure.interval.high


def test_a_refused_layer_costs_what_the_cpu_takes(graph_factory):
    graph = graph_factory(channels=8)  # 8 inputs are too few for a linear layer
    target, device = targets.load("tinpu:mspm0g5187")
    estimate = cost.estimate(graph, target, device)
    assert [(layer.cost.name, layer.unit) for layer in estimate.on_cpu] == [("fc", "CPU")]
    assert estimate.on_cpu[0].cycles == graph.node("fc").macs * device.cpu.mac.value
    assert estimate.cycles == pytest.approx(sum(target.cycles(node, device) for node in graph.nodes))


def test_what_does_not_fit(graph_factory):
    estimate = cost.estimate(graph_factory(channels=128), *targets.load("tinpu:mspm0g5187"))
    flash, ram = estimate.memories
    assert flash.fits
    assert not ram.fits
    assert not estimate.fits


def test_what_is_not_known_is_not_estimated(graph):
    estimate = cost.estimate(graph, *targets.load("tinpu:am13e2"))
    assert [figure.name for figure in estimate.measurements()] == ["cycles", "latency"]
    assert [memory.limit for memory in estimate.memories] == [512 * 1024, None]


@pytest.mark.parametrize("name", ["tinpu", "int8"])
def test_every_op_of_the_table_is_counted_and_named(name):
    for seed in range(12):
        graph = random_general(seed)
        estimate = cost.estimate(graph, *targets.load(name))
        assert [layer.cost.op for layer in estimate.layers] == [node.op for node in graph.nodes]
        assert all(0 < layer.lowest <= layer.cycles <= layer.highest for layer in estimate.layers)
        for node in graph.nodes:
            assert _estimate.instructions(node, _estimate.KERNEL_COSTS["cortex-m4"]) > 0
