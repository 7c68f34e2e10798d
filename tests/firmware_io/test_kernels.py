"""The C kernels against the interpreter: any shape, padding, stride and range that Graph.check allows."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekws.emit.c import emit
from edgekws.errors import ArtifactError, BoardError
from edgekws.graph import interp
from edgekws.graph.ir import Graph, Node, Requant, accumulator_bounds
from firmware_io import hostlib
from firmware_io.build import CFLAGS, FIRMWARE, write_model

Kernels = Callable[[Node, np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    return hostlib.compile_kernels(tmp_path_factory.mktemp("kernels"))


def draw_stage(draw: st.DrawFn, rng: np.random.Generator, bare: Node, lo: int, hi: int) -> Requant:
    """Offsets anywhere between the two ends at which the accumulator would leave 32 bits."""
    channels = bare.out_shape[2]
    low, high = accumulator_bounds(bare, lo, hi)
    largest = np.maximum(-low, high)
    mult = np.minimum(rng.integers(1, draw(st.sampled_from([2, 17, 256])), channels), (2**31 - 1) // (largest + 1))
    room = (2**31 - 1) // mult - largest
    offset = {
        "low": -room,
        "high": room,
        "small": rng.integers(-300, 300, channels),
        "any": rng.integers(-room, room + 1),
    }[draw(st.sampled_from(["low", "high", "small", "any"]))]
    shift = rng.integers(0, draw(st.sampled_from([1, 12, 32])), channels)
    out = draw(st.sampled_from([(0, 255), (-128, 127)]))
    return Requant(offset.astype(np.int32), mult.astype(np.uint8), shift.astype(np.uint8), *out)


def draw_weight(draw: st.DrawFn, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    extreme = draw(st.sampled_from([None, None, -127, 127]))
    return np.full(shape, extreme, np.int8) if extreme else rng.integers(-127, 128, shape).astype(np.int8)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Node, np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    op = draw(st.sampled_from(["conv2d", "depthwise_conv2d", "global_sum_pool", "linear"]))
    k_h, k_w = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    pad = draw(st.tuples(*[st.integers(0, 7)] * 4))
    height = draw(st.integers(max(1, k_h - pad[0] - pad[1]), 9))
    width = draw(st.integers(max(1, k_w - pad[2] - pad[3]), 9))
    c_in, c_out = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    rows = (height + pad[0] + pad[1] - k_h) // stride[0] + 1
    columns = (width + pad[2] + pad[3] - k_w) // stride[1] + 1
    out_shape, weight_shape = {
        "conv2d": ((rows, columns, c_out), (c_out, k_h, k_w, c_in)),
        "depthwise_conv2d": ((rows, columns, c_in), (c_in, k_h, k_w)),
        "global_sum_pool": ((1, 1, c_in), None),
        "linear": ((1, 1, c_out), (c_out, height * width * c_in)),
    }[op]
    lo, hi, dtype = draw(st.sampled_from([(-128, 127, np.int8), (0, 255, np.uint8)]))
    weight = None if weight_shape is None else draw_weight(draw, rng, weight_shape)
    nothing = np.zeros(out_shape[2], np.int32)
    bare = Node(
        "n", op, ("input",), Requant(nothing, nothing, nothing, 0, 255), (height, width, c_in), out_shape, weight
    )
    node = replace(bare, requant=draw_stage(draw, rng, bare, lo, hi), stride=stride, pad=pad)
    x = rng.integers(lo, hi + 1, node.in_shape)
    constant = draw(st.sampled_from([None, None, lo, hi]))
    return node, (x if constant is None else np.full_like(x, constant)).astype(dtype)


@given(case=cases())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_kernel_equals_interpreter(kernels: Kernels, case: tuple[Node, np.ndarray]) -> None:
    node, x = case
    expected = interp.run_node(node, x.astype(np.int32)[None])[0]
    np.testing.assert_array_equal(kernels(node, x), expected)


@pytest.mark.parametrize("offset", [-7, -8, -9, -1, -(2**31), 2**31 - 1])
def test_shift_of_a_negative_accumulator_is_floor(kernels: Kernels, offset: int) -> None:
    """-1 >> 3 is -1, not 0: a compiler that rounds toward zero would be found here."""
    stage = Requant(np.array([offset], np.int32), np.ones(1, np.uint8), np.array([3], np.uint8), -128, 127)
    node = Node("n", "global_sum_pool", ("input",), stage, (1, 1, 1), (1, 1, 1))
    assert kernels(node, np.zeros((1, 1, 1), np.int8)).item() == max(-128, min(127, offset // 8))


@pytest.mark.parametrize("seed", range(4))
def test_model_equals_interpreter(
    seed: int, graph_factory: Callable[..., Graph], random_features: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    graph = graph_factory(seed=seed, channels=5 + seed)
    run = hostlib.compile_model(emit(graph), tmp_path)
    extremes = np.stack([np.full((49, 10), v, np.int8) for v in (-128, 127, 0)])
    features = np.concatenate([random_features(24, seed), extremes])
    np.testing.assert_array_equal(run(features), interp.run(graph, features))


def test_two_models_live_side_by_side(
    graph_factory: Callable[..., Graph], random_features: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    graphs = [graph_factory(seed=seed) for seed in (1, 2)]
    runs = [hostlib.compile_model(emit(graph), tmp_path) for graph in graphs]
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


def test_no_undefined_behaviour(graph: Graph, random_features: Callable[..., np.ndarray], tmp_path: Path) -> None:
    """Address and undefined-behaviour sanitizers, buffers of the exact size on the heap."""
    write_model(emit(graph), tmp_path)
    (tmp_path / "harness.c").write_text(HARNESS)
    sources = [tmp_path / "model.c", tmp_path / "harness.c", *sorted((FIRMWARE / "kernels").glob("*.c"))]
    checks = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    program = tmp_path / "harness"
    line = ["cc", *CFLAGS, *checks, f"-I{FIRMWARE}", f"-I{tmp_path}", *map(str, sources), "-o", str(program)]
    subprocess.run(line, check=True)
    features = random_features(8)
    done = subprocess.run([program], input=features.tobytes(), capture_output=True, check=True)
    scores = np.frombuffer(done.stdout, np.int8).reshape(8, -1)
    np.testing.assert_array_equal(scores, interp.run(graph, features))


def test_wrong_inputs_are_refused(kernels: Kernels, graph: Graph, tmp_path: Path) -> None:
    run = hostlib.compile_model(emit(graph), tmp_path)
    with pytest.raises(ArtifactError, match="int8"):
        run(np.zeros((1, 49, 10), np.int32))
    with pytest.raises(ArtifactError, match="49, 10"):
        run(np.zeros((1, 10, 49), np.int8))
    with pytest.raises(ArtifactError, match="int8 or uint8"):
        kernels(graph.nodes[0], np.zeros((49, 10, 1), np.int16))


def test_damaged_c_is_one_paragraph(graph: Graph, tmp_path: Path) -> None:
    model = emit(graph)
    with pytest.raises(BoardError, match="should compile"):
        hostlib.compile_model({**model, "model.c": model["model.c"][:-40]}, tmp_path)
    with pytest.raises(ArtifactError, match=r"no model\.h"):
        hostlib.compile_model({"model.c": b""}, tmp_path)
