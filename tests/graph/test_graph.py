"""The integer graph: its definition in plain Python, its checks, its file."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws.errors import ArtifactError, TargetError
from edgekws.graph import interp, io, softmax
from edgekws.graph.ir import Requant, accumulator_bounds
from tests.conftest import random_graph
from tests.graphs import random_general


def changed(graph, number, requant=None, **changes):
    node = graph.nodes[number]
    if requant:
        changes["requant"] = dataclasses.replace(node.requant, **requant)
    nodes = list(graph.nodes)
    nodes[number] = dataclasses.replace(node, **changes)
    return dataclasses.replace(graph, nodes=tuple(nodes))


def by_hand(node, x):
    """One clip through one node with Python integers and loops, straight from the definition."""
    height, width, _ = node.in_shape
    rows, columns, channels = node.out_shape
    out = np.zeros(node.out_shape, int)
    for r, c, o in np.ndindex(rows, columns, channels):
        acc = 0
        if node.op == "global_sum_pool":
            acc = sum(int(v) for v in x[:, :, o].ravel())
        elif node.op == "linear":
            acc = sum(int(v) * int(w) for v, w in zip(x.ravel(), node.weight[o], strict=True))
        else:
            k_h, k_w = node.weight.shape[1:3]
            for i, j in np.ndindex(k_h, k_w):
                y, z = r * node.stride[0] + i - node.pad[0], c * node.stride[1] + j - node.pad[2]
                if 0 <= y < height and 0 <= z < width:
                    if node.op == "depthwise_conv2d":
                        acc += int(x[y, z, o]) * int(node.weight[o, i, j])
                    else:
                        acc += sum(int(a) * int(b) for a, b in zip(x[y, z], node.weight[o, i, j], strict=True))
        requant = node.requant
        value = ((acc + int(requant.offset[o])) * int(requant.mult[o])) // 2 ** int(requant.shift[o])
        out[r, c, o] = min(max(value, requant.lo), requant.hi)
    return out


def test_the_interpreter_is_the_definition(graph_factory, random_features):
    graph = graph_factory(seed=3, channels=4)
    x = random_features(1)[0].astype(int)[..., None]
    for node, result in interp.trace(graph, x[None].astype(np.int32)):
        x = by_hand(node, x)
        assert np.array_equal(result[0], x), node.name


@given(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**23), 2**23), st.integers(1, 255), st.integers(0, 31))
def test_requantization_is_floor_division(acc, offset, mult, shift):
    arrays = [np.array([value], dtype) for value, dtype in ((offset, np.int32), (mult, np.uint8), (shift, np.uint8))]
    result = interp.requantize(np.array([acc]), Requant(*arrays, -128, 127))
    assert result[0] == min(max((acc + offset) * mult // 2**shift, -128), 127)


def test_bounds_hold_for_every_input(graph, random_features):
    x = random_features(64).astype(np.int32)[..., None]
    for node, lo, hi in graph.ranges():
        low, high = accumulator_bounds(node, lo, hi)
        acc = interp.accumulate(node, x) + node.requant.offset
        assert np.all(acc >= low) and np.all(acc <= high)
        x = interp.run_node(node, x)


def test_a_possible_overflow_is_refused_with_the_number(graph):
    offset = np.full(12, 2**31 - 100, np.int32)
    with pytest.raises(TargetError, match=r"fc: the accumulator must fit 32 bits.*2147"):
        changed(graph, 4, {"offset": offset}).check()


@pytest.mark.parametrize(
    ("number", "requant", "more", "message"),
    [
        (0, {"shift": np.full(8, 32, np.uint8)}, {}, "shifts"),
        (0, {"mult": np.zeros(8, np.uint8)}, {}, "multipliers"),
        (0, {"hi": 511}, {}, "outputs"),
        (0, {"rule": "ceil"}, {}, "rule should be one of offset-scale-shift, fixed-point"),
        (4, {"lo": 0, "hi": 255}, {}, r"fc: scores should be -128..127. Got: 0..255"),
        (3, {}, {"op": "sort"}, "op should be one of conv2d, .*Got: sort"),
        (1, {}, {"weight": np.zeros((8, 30, 3), np.int8), "out_shape": (-2, 5, 8)}, "windows should fit"),
        (0, {"shift": np.zeros(3, np.uint8)}, {}, "shape"),
        (1, {}, {"in_shape": (24, 5, 8)}, "input shape"),
        (1, {}, {"out_shape": (24, 5, 8)}, "output shape"),
        (2, {}, {"weight": np.zeros((8, 1, 1, 7), np.int8)}, "weights"),
        (2, {}, {"weight_bits": 4}, "4 bits"),
        (3, {}, {"stride": (0, 1)}, "stride should be at least 1"),
        (0, {}, {"name": ""}, "a name of its own. Got: ''"),
        (4, {}, {"out_scale": float("nan")}, "scale should be a finite number"),
        (4, {}, {"stride": (2**20, 1)}, "strides to 32768"),
    ],
)
def test_malformed_graphs_are_refused(graph, number, requant, more, message):
    with pytest.raises((ArtifactError, TargetError), match=message):
        changed(graph, number, requant, **more).check()


def test_scores_of_a_softmax_are_the_probabilities():
    graph = next(graph for graph in map(random_general, range(99)) if graph.gives_probabilities)
    scores = np.array([[-128, 127, 0], [-128, -128, -128]], np.int8)
    assert graph.permille(scores).tolist() == [[0, 996, 500], [0, 0, 0]]
    shares = softmax.normalized(scores)
    assert shares[0].tolist() == [0, 255 / 383, 128 / 383] and shares[1].tolist() == [1 / 3] * 3


def test_features_of_another_shape_are_refused(graph):
    with pytest.raises(ArtifactError, match="49, 10"):
        interp.run(graph, np.zeros((2, 49, 11), np.int8))


@pytest.mark.parametrize("value", [0.5, np.nan, True])
def test_features_of_another_type_are_refused(graph, value):
    with pytest.raises(ArtifactError, match="features should be int8"):
        graph.run(np.full((2, 49, 10), value))


def test_no_clip_gives_no_score(graph):
    assert interp.run(graph, np.zeros((0, 49, 10), np.int8)).shape == (0, 12)


def test_a_file_gives_back_the_graph_and_the_same_bytes(graph, random_features, tmp_path):
    io.save(graph, tmp_path / "g.npz")
    again = io.load(tmp_path / "g.npz")
    x = random_features()
    assert np.array_equal(interp.run(graph, x), interp.run(again, x))
    assert io.digest(graph) == io.digest(again) and io.to_bytes(graph) == io.to_bytes(again)


@given(st.data())
def test_a_damaged_file_never_loads(data):
    content = bytearray(io.to_bytes(random_graph(seed=1)))
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    try:
        loaded = io.from_bytes(bytes(content))
    except (ArtifactError, TargetError):
        return
    assert io.digest(loaded) == io.digest(random_graph(seed=1))  # zip fields without content


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"graph", b"\x93NUMPY"])
def test_foreign_files_are_refused(content):
    with pytest.raises(ArtifactError, match="edgekws graph"):
        io.from_bytes(content)


def test_another_version_is_refused(graph, monkeypatch):
    monkeypatch.setattr(io, "VERSION", 99)
    content = io.to_bytes(graph)
    monkeypatch.undo()
    with pytest.raises(ArtifactError, match="version 99"):
        io.from_bytes(content)


@given(st.lists(st.integers(-128, 127), min_size=12, max_size=12), st.floats(0.01, 1))
def test_probabilities_are_near_the_softmax_and_keep_the_order(scores, scale):
    result = softmax.permille(np.array([scores], np.int8), scale)[0]
    real = np.exp(scale * (np.array(scores) - max(scores)))
    assert np.all(np.abs(result / 1000 - real / real.sum()) < 2e-3)
    order = np.argsort(scores, kind="stable")
    assert np.all(np.diff(result[order]) >= 0)
