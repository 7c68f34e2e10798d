"""Random graphs of all rows: valid, kept by files, and drawing every row of the table."""

from __future__ import annotations

import numpy as np
import pytest

from edgekws import targets
from edgekws.errors import ArtifactError, TargetError
from edgekws.graph import interp, io
from edgekws.graph.ops import OPS
from tests.graph.test_graph import changed
from tests.graphs import random_general

SEEDS = range(30)


def test_they_draw_every_row_and_survive_files() -> None:
    graphs = [random_general(seed) for seed in SEEDS]
    nodes = [node for graph in graphs for node in graph.nodes]
    assert {node.op for node in nodes} == {name for name, row in OPS.items() if not row.is_recurrent}
    assert {node.requant.rule for node in nodes if not node.requant.is_identity} == {"fixed-point", "fixed-point-once"}
    assert any(node.pad_value for node in nodes) and any(node.dilation != (1, 1) for node in nodes)
    assert any((node.requant.shift.astype(int) < 0).any() for node in nodes)
    assert any(node.other_shapes for node in nodes) and any(graph.in_shape[2] > 1 for graph in graphs)
    for graph in graphs:
        again = io.from_bytes(io.to_bytes(graph))
        assert io.to_bytes(again) == io.to_bytes(graph)
        assert not targets.problems(graph, targets.load("int8")[0])
        height, width, channels = graph.in_shape
        features = np.random.default_rng(0).integers(-128, 128, (2, height, width * channels)).astype(np.int8)
        np.testing.assert_array_equal(interp.run(again, features), interp.run(graph, features))


def test_padding_is_a_value_of_the_input() -> None:
    graph = next(g for g in map(random_general, SEEDS) if any(g.nodes[0].pad))
    with pytest.raises(ArtifactError, match=r"pad_value should be within -128..127. Got: 128"):
        changed(graph, 0, pad_value=128).check()


def test_one_rounding_needs_a_fraction() -> None:
    graph = random_general(0)
    number = next(at for at, node in enumerate(graph.nodes) if not node.requant.is_identity)
    shift = np.full(graph.nodes[number].out_shape[2], -31, np.int8)
    with pytest.raises(TargetError, match=r"shifts should be -30..31"):
        changed(graph, number, {"rule": "fixed-point-once", "shift": shift}).check()
