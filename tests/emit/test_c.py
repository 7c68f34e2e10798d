"""The C emitter: same graph, same bytes; what the kernels cannot express is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekws.emit import c
from edgekws.errors import ArtifactError, TargetError
from edgekws.graph import interp
from edgekws.graph.io import digest, from_bytes, to_bytes
from edgekws.graph.ir import Graph
from edgekws.graph.softmax import exp_table
from firmware_io import hostlib


def with_node(graph: Graph, number: int, **changes: object) -> Graph:
    nodes = list(graph.nodes)
    nodes[number] = replace(nodes[number], **changes)
    return replace(graph, nodes=tuple(nodes))


def test_bytes_are_repeatable_and_survive_a_file(graph_factory: Callable[..., Graph]) -> None:
    graph = graph_factory(seed=3)
    assert c.emit(graph) == c.emit(graph_factory(seed=3)) == c.emit(from_bytes(to_bytes(graph)))
    assert c.emit(graph) != c.emit(graph_factory(seed=4))


def test_constants_are_the_graph(graph: Graph) -> None:
    files = c.emit(graph)
    source = files["model.c"].decode()
    for number, node in enumerate(graph.nodes):
        arrays = {key: getattr(node.requant, key) for key in ("offset", "mult", "shift")}
        for name, values in arrays.items() if node.weight is None else {**arrays, "weight": node.weight}.items():
            found = re.search(rf"node{number}_{name}\[\d+\] /\* ([^*]*) \*/ = \{{([^}}]*)\}}", source)
            assert found and found[1] == "".join(f"[{size}]" for size in values.shape)
            assert [int(v) for v in found[2].split(",") if v.strip()] == values.reshape(-1).tolist()
    table = re.search(r"ekw_model_exp\[256\] = \{([^}]*)\}", source)
    assert table and [int(v) for v in table[1].split(",") if v.strip()] == exp_table(graph.score_scale).tolist()
    assert digest(graph) in source and digest(graph) in files["model.h"].decode()


def test_inputs_and_outputs_never_share_memory(graph: Graph) -> None:
    size = c.arena_bytes(graph)
    source = c.emit(graph)["model.c"].decode()
    calls = re.findall(r"ekw_\w+\(&node(\d+), .*?(?:arena \+ (\d+)\)?|input), (?:arena \+ (\d+)|\(uint8)", source)
    assert len(calls) == len(graph.nodes)
    for number, start_in, start_out in calls:
        node = graph.nodes[int(number)]
        spans = []
        if start_in:
            spans.append((int(start_in), int(start_in) + int(np.prod(node.in_shape))))
        if start_out:
            spans.append((int(start_out), int(start_out) + int(np.prod(node.out_shape))))
        assert all(0 <= start < end <= size for start, end in spans)
        assert len(spans) < 2 or spans[0][1] <= spans[1][0] or spans[1][1] <= spans[0][0]


def test_hostile_names_stay_text(graph: Graph, tmp_path: Path) -> None:
    named = with_node(replace(graph, name='x*/ "\\ ??/'), 0, name="a */ int evil; /* \n")
    named = replace(named, labels=('down"', "\\", "à", *named.labels[3:]))
    features = np.zeros((1, 49, 10), np.int8)
    run = hostlib.compile_model(c.emit(named), tmp_path)
    np.testing.assert_array_equal(run(features), interp.run(named, features))
    assert c.emit(named)["model.c"].isascii()


def test_single_node_needs_no_arena(graph: Graph, tmp_path: Path) -> None:
    last = graph.nodes[-1]
    weight = np.random.default_rng(0).integers(-3, 4, (12, 490)).astype(np.int8)
    only = replace(graph, nodes=(replace(last, in_shape=(49, 10, 1), weight=weight),))
    features = np.random.default_rng(1).integers(-128, 128, (5, 49, 10)).astype(np.int8)
    np.testing.assert_array_equal(hostlib.compile_model(c.emit(only), tmp_path)(features), interp.run(only, features))
    assert c.arena_bytes(only) == 0


def test_refusals(graph: Graph) -> None:
    unsigned = replace(graph.nodes[-1].requant, lo=0, hi=255)
    wide = replace(graph.nodes[1].requant, offset=np.full(8, 2**31 - 1, np.int32))
    cases = [
        (with_node(graph, 4, requant=unsigned), TargetError, "scores"),
        (with_node(graph, 1, requant=wide), TargetError, "accumulator"),
        (with_node(graph, 2, op="max_pool"), TargetError, "layers"),
        (with_node(graph, 0, stride=(0, 1)), TargetError, "stride"),
        (with_node(graph, 0, pad=(-1, 0, 0, 0)), TargetError, "padding"),
        (with_node(graph, 0, weight=graph.nodes[0].weight.astype(np.int16) * 3), TargetError, "int8"),
        (with_node(graph, 1, out_shape=(25, 5, 9)), ArtifactError, "shape"),
    ]
    for broken, error, text in cases:
        with pytest.raises(error, match=text):
            c.emit(broken)
