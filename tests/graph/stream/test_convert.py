"""Padding in time becomes context: inside of a clip every row keeps its integers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekws.errors import TargetError
from edgekws.graph import interp, io
from edgekws.graph.ir import INPUT
from edgekws.graph.stream import definition
from edgekws.graph.stream.convert import streamable
from edgekws.graph.stream.facts import facts
from tests.recurrent import gru_graph
from tests.streamable import valid_dscnn

MODELS = Path(__file__).resolve().parents[3] / "models"
KNOWN = {"dscnn": (107_008, 12), "dsresnet": (54_792, 33), "tcresnet": (16_520, 36)}
"""MACs of a step of 40 ms, and the rows that the clip gets before its first; both counted by hand."""


@pytest.mark.parametrize("name", KNOWN)
def test_rows_inside_of_a_stream_are_those_of_the_padded_network(name):
    graph, (macs, before) = io.load(MODELS / name / "graph.npz"), KNOWN[name]
    converted = streamable(graph)
    assert facts(converted).macs == macs
    rows = np.random.default_rng(1).integers(-128, 128, (before + 130, 10)).astype(np.int8)
    scores = definition.scores(converted, rows)
    for step in (45, 46):
        assert np.array_equal(scores[step], padded_scores(graph, rows[before:], step))


def padded_scores(graph, rows, step):
    """Of the network with its padding, over all rows; its pool over the 25 rows that end with row `step`."""
    values = {INPUT: rows.astype(np.int32)[None, :, :, None]}
    for node in graph.nodes[:-2]:
        values[node.name] = interp.run_node(node, *(values[name] for name in node.inputs))
    pool, scores = graph.nodes[-2:]
    pooled = interp.run_node(pool, values[pool.inputs[0]][:, step - 24 : step + 1])
    return interp.run_node(scores, pooled).reshape(-1)


def test_a_graph_that_streams_stays_as_it_is():
    graph = valid_dscnn()
    assert streamable(graph) is graph


def test_obstacles_but_padding_are_named(graph):
    turned = [
        replace(node, op="transpose", axes=(1, 0, 2)) if node.op == "global_sum_pool" else node for node in graph.nodes
    ]
    with pytest.raises(TargetError, match="transpose of time with another axis"):
        streamable(replace(graph, nodes=tuple(turned)))


def test_a_graph_that_crops_rows_already_is_refused():
    graph = gru_graph()
    more = {"pad": (0, 4, 0, 0), "out_shape": (6, 1, 6)}
    padded = [replace(node, **more) if node.op == "conv2d" else node for node in graph.nodes]
    with pytest.raises(TargetError, match=r"last crops rows.*train it without padding"):
        streamable(replace(graph, nodes=tuple(padded)))
