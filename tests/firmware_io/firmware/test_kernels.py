"""The C kernels against the interpreter: any shape, width, requantization, padding, stride that Graph.check allows."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekws.emit.c import emit
from edgekws.errors import ArtifactError, BoardError
from edgekws.graph import interp
from edgekws.graph.ir import INPUT, SIGNED, UNSIGNED, Graph, Node, Requant, Rule, accumulator_bounds
from edgekws.graph.ops import OPS, Operation
from firmware_io.build import host_cc, host_library, write_model
from tests.conftest import random_graph
from tests.firmware_io.firmware.test_firmware import started
from tests.graphs import LIMITS, TARGETS, random_dag

Kernels = Callable[..., np.ndarray]
CORES = {"portable": host_cc.PORTABLE, "native": None, "avx2": ("-mavx2",), "avx512": ("-march=skylake-avx512",)}
"""C11 as a Cortex-M0 runs it, what is best for this computer, and what is left of it on older ones."""


def options_of(core: str) -> host_cc.Options:
    needs = {"avx2": b"__AVX2__ 1", "avx512": b"__AVX512BW__ 1"}.get(core, b"")
    if needs not in host_cc.defines(("-march=native",)):
        pytest.skip(f"this computer has no {core}")
    return CORES[core]


@pytest.fixture(
    scope="module", params=[*list(CORES)[:2], *(pytest.param(name, marks=pytest.mark.slow) for name in list(CORES)[2:])]
)
def kernels(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    return host_library.compile_kernels(tmp_path_factory.mktemp("kernels"), options_of(request.param))


def draw_requant(draw: st.DrawFn, rng: np.random.Generator, bare: Node, lo: int, hi: int) -> Requant:
    """Offsets anywhere between the two ends at which the accumulator would leave 32 bits."""
    channels, out = bare.out_shape[2], draw(st.sampled_from([SIGNED, UNSIGNED]))
    if draw(st.sampled_from([False] * 3 + [True])):
        out = draw_part(draw, out)
    if not bare.operation.is_scaled or draw(st.sampled_from([False] * 9 + [True])):
        return Requant.identity(channels, *out)
    low, high = accumulator_bounds(bare, lo, hi)
    largest, rule = np.maximum(-low, high), draw(st.sampled_from(get_args(Rule)))
    mult = np.minimum(rng.integers(1, draw(st.sampled_from([2, 17, 256])), channels), (2**31 - 1) // (largest + 1))
    shift = rng.integers(0, draw(st.sampled_from([1, 12, 32])), channels).astype(np.int8)
    if rule != "offset-scale-shift" and draw(st.sampled_from([False] * 3 + [True])):
        shift = -np.minimum(shift, 30 - np.log2(largest + 1)).astype(np.int8)
    factor = mult.astype(np.int64) if rule == "offset-scale-shift" else 1 << np.maximum(-shift.astype(np.int64), 0)
    room = (2**31 - 1) // factor - largest
    offset = {
        "low": -room,
        "high": room,
        "small": rng.integers(-300, 300, channels).clip(-room, room),
        "any": rng.integers(-room, room + 1),
    }[draw(st.sampled_from(["low", "high", "small", "any"]))].astype(np.int32)
    if rule == "offset-scale-shift":
        full = SIGNED if out[0] < 0 else UNSIGNED
        return Requant(offset, mult.astype(np.uint8), shift.astype(np.uint8), *full)
    wide = rng.integers(1 << 30, 1 << 31, channels) if draw(st.booleans()) else np.full(channels, 1 << 30)
    stored = shift if (shift < 0).any() else shift.astype(np.uint8)
    zero = draw(st.sampled_from([0, 0, -128, 255, 83, -1]))
    return Requant(offset, wide.astype(np.int32), stored, *out, rule, zero)


def draw_part(draw: st.DrawFn, span: tuple[int, int]) -> tuple[int, int]:
    lo = draw(st.integers(span[0], span[1] - 1))
    return lo, draw(st.integers(lo + 1, span[1]))


def draw_weight(draw: st.DrawFn, rng: np.random.Generator, shape: tuple[int, ...], bits: int) -> np.ndarray:
    """The lowest value of the type too, which the fixed-point rules allow."""
    limit, least = LIMITS[bits], draw(st.sampled_from([0, 0, 1]))
    extreme = draw(st.sampled_from([None, None, -limit - least, limit]))
    return (
        np.full(shape, extreme, np.int8) if extreme else rng.integers(-limit - least, limit + 1, shape).astype(np.int8)
    )


def draw_pad(
    draw: st.DrawFn, op: Operation, kernel: tuple[int, int], extent: tuple[int, int]
) -> tuple[int, int, int, int]:
    """The windows of pools have to meet the input."""
    if not op.is_windowed:
        return 0, 0, 0, 0
    most = [7, 7, 7, 7] if op.is_convolution else [extent[0] - 1] * 2 + [extent[1] - 1] * 2
    pad = draw(st.tuples(*[st.integers(0, side) for side in most]))
    return pad if op.is_convolution or draw(st.booleans()) else (0, 0, 0, 0)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Node, list[np.ndarray]]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    op = draw(st.sampled_from([row for row in OPS.values() if row.is_basic]))
    k_h, k_w = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    steps = [(1, 1), (1, 1), (2, 1), (1, 3), (3, 2)] if op.is_convolution else [(1, 1)]
    dilation = draw(st.sampled_from(steps))
    rows, columns = (k_h - 1) * dilation[0] + 1, (k_w - 1) * dilation[1] + 1
    pad = draw_pad(draw, op, (k_h, k_w), (rows, columns))
    most = draw(st.sampled_from([9, 9, 9, 40]))  # more than vectors hold
    height = draw(st.integers(max(1, rows - pad[0] - pad[1]), max(9, rows)))
    width = draw(st.integers(max(1, columns - pad[2] - pad[3]), max(most, columns)))
    c_in, c_out = draw(st.tuples(st.integers(1, most), st.integers(1, 9)))
    out_shape = op.out_shape((height, width, c_in), c_out, (k_h, k_w), stride, pad, dilation)
    weight_shape = op.weight_shape((height, width, c_in), c_out, (k_h, k_w))
    ranges = draw(st.lists(st.sampled_from([SIGNED, UNSIGNED]), min_size=op.input_count, max_size=op.input_count))
    bits = draw(st.sampled_from(list(LIMITS)))
    weight = None if weight_shape is None else draw_weight(draw, rng, weight_shape, bits)
    node = Node(
        "n", op.name, tuple(f"i{number}" for number in range(len(ranges))), Requant.identity(out_shape[2], 0, 255),
        (height, width, c_in), out_shape, weight, bits, (k_h, k_w) if op.is_window_pool else (0, 0), stride, pad,
        pad_value=draw(st.integers(*ranges[0])) if any(pad) and draw(st.booleans()) else 0, dilation=dilation,
    )  # fmt: skip
    node = replace(
        node, requant=draw_requant(draw, rng, node, min(lo for lo, _ in ranges), max(hi for _, hi in ranges))
    )
    if weight is not None and not node.requant.is_fixed_point:
        node = replace(node, weight=np.maximum(weight, -LIMITS[bits]))
    return node, [draw_input(draw, rng, node, lo, hi) for lo, hi in ranges]


def draw_input(draw: st.DrawFn, rng: np.random.Generator, node: Node, lo: int, hi: int) -> np.ndarray:
    constant = draw(st.sampled_from([None, None, lo, hi]))
    x = rng.integers(lo, hi + 1, node.in_shape) if constant is None else np.full(node.in_shape, constant)
    return x.astype(np.int8 if lo < 0 else np.uint8)


@given(case=cases())
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_kernel_equals_interpreter(kernels: Kernels, case: tuple[Node, list[np.ndarray]]) -> None:
    node, inputs = case
    expected = interp.run_node(node, *(x.astype(np.int32)[None] for x in inputs))[0]
    np.testing.assert_array_equal(kernels(node, *inputs), expected)


@pytest.mark.parametrize("target", TARGETS)
def test_every_node_of_random_graphs_equals_the_interpreter(kernels: Kernels, target: str) -> None:
    for seed in range(120):
        graph = random_dag(seed, target)
        signed = {INPUT: True, **{node.name: node.requant.lo < 0 for node in graph.nodes}}
        values = {INPUT: np.random.default_rng(seed).integers(-128, 128, (2, 49, 10, 1)).astype(np.int32)}
        for node, expected in interp.trace(graph, values[INPUT]):
            for clip in range(2):
                read = [values[name][clip].astype(np.int8 if signed[name] else np.uint8) for name in node.inputs]
                np.testing.assert_array_equal(kernels(node, *read), expected[clip], err_msg=f"{seed} {node.name}")
            values[node.name] = expected


def test_random_graphs_draw_every_op_of_the_table_at_every_width() -> None:
    nodes = [node for seed in range(120) for target in TARGETS for node in random_dag(seed, target).nodes]
    seen = {(node.op, node.weight_bits) for node in nodes}
    rows = {name: op for name, op in OPS.items() if op.is_basic}
    assert seen == {(name, bits) for name, op in rows.items() for bits in (LIMITS if op.is_weighted else (8,))}


def gemmlowp(total: int, mult: int, shift: int) -> int:
    """The reference's own steps in unlimited integers: nudge, division toward zero, rounding shift."""
    product = total * mult
    nudged = product + ((1 << 30) if product >= 0 else 1 - (1 << 30))
    high = abs(nudged) // (1 << 31) * (1 if nudged >= 0 else -1)
    sign = -1 if high < 0 else 1
    return sign * ((abs(high) + ((1 << shift) >> 1)) >> shift)


@given(data=st.data(), mult=st.integers(1 << 30, (1 << 31) - 1), shift=st.integers(0, 31))
def test_fixed_point_is_the_rounding_of_the_reference(
    kernels: Kernels, data: st.DataObject, mult: int, shift: int
) -> None:
    """Totals whose result is near a tie and does not clip; both ends of 32 bits."""
    near = data.draw(st.integers(-128, 127)) * 2 + 1 << 30 + shift
    total = data.draw(st.integers(-3, 3)) + near // mult
    total = data.draw(st.sampled_from([total, -(2**31), 2**31 - 1, 0, -1, 1]))
    total = max(-(2**31), min(2**31 - 1, total))
    one = np.ones(1, np.int32)
    requant = Requant(one * total, one * mult, (one * shift).astype(np.uint8), -128, 127, "fixed-point")
    node = Node("n", "scale", (INPUT,), requant, (1, 1, 1), (1, 1, 1))
    result = kernels(node, np.zeros((1, 1, 1), np.int8)).item()
    assert result == max(-128, min(127, gemmlowp(total, mult, shift)))


@pytest.mark.parametrize("offset", [-7, -8, -9, -1, -(2**31), 2**31 - 1])
def test_shift_of_a_negative_accumulator_is_floor(kernels: Kernels, offset: int) -> None:
    """-1 >> 3 is -1, not 0: a compiler that rounds toward zero would be found here."""
    requant = Requant(np.array([offset], np.int32), np.ones(1, np.uint8), np.array([3], np.uint8), -128, 127)
    node = Node("n", "global_sum_pool", ("input",), requant, (1, 1, 1), (1, 1, 1))
    assert kernels(node, np.zeros((1, 1, 1), np.int8)).item() == max(-128, min(127, offset // 8))


@pytest.mark.parametrize("core", ["portable", "native", "avx2"])
@pytest.mark.parametrize("seed", range(4))
def test_model_equals_interpreter(
    seed: int,
    core: str,
    graph_factory: Callable[..., Graph],
    random_features: Callable[..., np.ndarray],
    tmp_path: Path,
) -> None:
    graph = graph_factory(seed=seed, channels=5 + seed)
    run = host_library.compile_model(emit(graph, min_ram=seed % 2 > 0), tmp_path, options_of(core))
    extremes = np.stack([np.full((49, 10), v, np.int8) for v in (-128, 127, 0)])
    features = np.concatenate([random_features(24, seed), extremes])
    np.testing.assert_array_equal(run(features), interp.run(graph, features))


@pytest.mark.parametrize("core", ["portable", "native", pytest.param("avx2", marks=pytest.mark.slow)])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 6))])
def test_random_model_equals_interpreter(
    seed: int, target: str, core: str, random_features: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    """The whole of it: calls, connections, memory."""
    graph = random_dag(seed, target)
    run = host_library.compile_model(emit(graph), tmp_path, options_of(core))
    features = np.concatenate([random_features(12, seed), np.full((1, 49, 10), -128, np.int8)])
    np.testing.assert_array_equal(run(features), interp.run(graph, features))


def test_two_models_live_side_by_side(
    graph_factory: Callable[..., Graph], random_features: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    graphs = [graph_factory(seed=seed) for seed in (1, 2)]
    runs = [host_library.compile_model(emit(graph), tmp_path) for graph in graphs]
    features = random_features(4)
    for graph, run in zip(graphs, runs, strict=True):
        np.testing.assert_array_equal(run(features), interp.run(graph, features))


HARNESS = r"""
#include <stdio.h>
#include <stdlib.h>
#include "model.h"
int main(void) {
    int8_t *input = malloc(EKW_MODEL_INPUT_BYTES), *scores = malloc(EKW_MODEL_LABELS);
    while (fread(input, 1, EKW_MODEL_INPUT_BYTES, stdin) == EKW_MODEL_INPUT_BYTES) {
        ekw_model_run(input, scores);
        fwrite(scores, 1, EKW_MODEL_LABELS, stdout);
    }
    free(input), free(scores);
    return 0;
}
"""


SANITIZED = [
    (random_graph, "portable"),
    pytest.param(random_graph, "native", marks=pytest.mark.slow),
    pytest.param(partial(random_dag, 95), "native", marks=pytest.mark.slow),
    (partial(random_dag, 28, "int8"), "portable"),
    pytest.param(partial(random_dag, 4, "int8"), "avx2", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("make", "core"), SANITIZED)
def test_no_undefined_behaviour(
    core: list[str], make: Callable[[], Graph], random_features: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    """Address and undefined-behaviour sanitizers, buffers of the exact size on the heap."""
    graph = make()
    write_model(emit(graph), tmp_path)
    (tmp_path / "harness.c").write_text(HARNESS)
    sources = [tmp_path / "model.c", tmp_path / "harness.c"]
    checks = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    program = tmp_path / "harness"
    line = ["cc", *host_cc.flags(options_of(core)), *checks, f"-I{tmp_path}", *map(str, sources), "-o", str(program)]
    subprocess.run(line, check=True)
    features = random_features(8)
    done = subprocess.run([program], input=features.tobytes(), capture_output=True, check=True)
    scores = np.frombuffer(done.stdout, np.int8).reshape(8, -1)
    np.testing.assert_array_equal(scores, interp.run(graph, features))


@pytest.mark.parametrize(("seed", "target"), [(95, "tinpu"), (97, "int8")])
def test_a_mixed_residual_graph_on_an_emulated_board(seed: int, target: str, tmp_path: Path) -> None:
    """Weights of three widths, an addition and a pooling of maxima on a Cortex-M4."""
    graph = random_dag(seed, target)
    assert {node.weight_bits for node in graph.nodes if node.weight is not None} == set(LIMITS)
    assert {"add", "max_pool", "depthwise_conv2d"} <= {node.op for node in graph.nodes}
    features = np.random.default_rng(seed).integers(-128, 128, (3, 49, 10)).astype(np.int8)
    with started("qemu-an386", emit(graph), tmp_path) as (line, _):
        for tensor, scores in zip(features, interp.run(graph, features), strict=True):
            line.load(tensor)
            line.ask("infer 1 0")
            assert line.ask("raw")[0] == f"m-raw-[{','.join(map(str, scores))}]"


def test_wrong_inputs_are_refused(kernels: Kernels, graph: Graph, tmp_path: Path) -> None:
    run = host_library.compile_model(emit(graph), tmp_path)
    with pytest.raises(ArtifactError, match="int8"):
        run(np.full((1, 49, 10), 128))
    with pytest.raises(ArtifactError, match="49, 10"):
        run(np.zeros((1, 10, 49), np.int8))
    with pytest.raises(ArtifactError, match="int8 or uint8"):
        kernels(graph.nodes[0], np.zeros((49, 10, 1), np.int16))
    with pytest.raises(ArtifactError, match="1 inputs"):
        kernels(graph.nodes[0])


def test_a_compiler_error_is_one_paragraph(graph: Graph, tmp_path: Path) -> None:
    model = emit(graph)
    with pytest.raises(BoardError, match="should compile"):
        host_library.compile_model({**model, "model.c": model["model.c"][:-40]}, tmp_path)
    with pytest.raises(ArtifactError, match=r"no model\.h"):
        host_library.compile_model({"model.c": b""}, tmp_path)
