"""Scans: a body that runs once for each row equals its copies, one for each row."""

from dataclasses import replace

import numpy as np
import pytest

from edgekws.errors import ArtifactError
from edgekws.graph import io
from edgekws.graph.unroll import unrolled
from tests.recurrent import gru_graph


def features(count=8):
    return np.random.default_rng(1).integers(-128, 128, (count, 49, 10)).astype(np.int8)


@pytest.mark.parametrize(("seed", "rows"), [(0, 5), (1, 2), (2, 1)])
def test_a_scan_equals_its_unrolled_form(seed, rows):
    graph = gru_graph(seed, rows=rows)
    graph.check()
    flat = unrolled(graph)
    flat.check()
    scores = graph.run(features())
    assert np.array_equal(scores, flat.run(features()))
    assert len(np.unique(scores)) > 20, "the graph should not saturate"


def test_copies_share_their_weights():
    graph = gru_graph(rows=4)
    weights = {id(node.weight) for node in unrolled(graph).nodes if node.name.endswith(".hr")}
    assert weights == {id(next(node for node in graph.node("gru").body if node.name == "hr").weight)}


def test_the_first_state_is_zero():
    """The state before the first row does not depend on another clip."""
    graph = gru_graph()
    x = features(3)
    assert np.array_equal(graph.run(x)[1:], graph.run(x[1:]))


def test_a_graph_without_scans_is_its_own_unrolled_form():
    graph = unrolled(gru_graph())
    assert unrolled(graph) is graph


def test_a_file_keeps_the_body():
    graph = gru_graph()
    again = io.from_bytes(io.to_bytes(graph))
    assert io.digest(again) == io.digest(graph)
    assert np.array_equal(again.run(features()), graph.run(features()))


def test_costs_count_every_row():
    graph = gru_graph(hidden=6, rows=5)
    assert graph.node("gru").macs == 5 * 3 * 6 * 6
    assert graph.node("gru").weight_bytes == 3 * 6 * 6 + 4 * 256


def body_of(graph, **changes):
    """The graph with changes of its scan."""
    scan = replace(graph.node("gru"), **changes)
    return replace(graph, nodes=tuple(scan if node.name == "gru" else node for node in graph.nodes))


def test_malformed_bodies_are_refused():
    graph = gru_graph()
    scan = graph.node("gru")
    unread = (*scan.body[:-1], replace(scan.body[-1], inputs=("new", "new")))
    cases = {
        "gru: body of scan should be given": {"body": ()},
        "gru: range and scale should be those of the state": {"out_scale": 1.0},
        "gru: every node's output should be read": {"body": unread},
        "sr: inputs should be earlier nodes": {"body": scan.body[1:]},
        "gru: a scan should not hold another one": {"body": (scan, *scan.body)},
    }
    for message, changes in cases.items():
        with pytest.raises(ArtifactError, match=message):
            body_of(graph, **changes).check()
