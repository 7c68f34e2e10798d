"""A stream gives the integers of its definition, however it is cut, and ends a clip with the clip's scores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekws import importers
from edgekws.errors import ArtifactError
from edgekws.graph import interp
from edgekws.graph.stream import definition
from edgekws.graph.stream.plan import plan
from tests.recordings import SHARED
from tests.recurrent import gru_graph
from tests.streamable import random_streamable, valid_dscnn

DSCNN_MACS = {"conv1": 12_800, "depthwise": 2_880, "pointwise": 20_480, "fc": 768}
"""Of one new row: streaming.md, section 3."""


def random_rows(graph, count, seed=0):
    return np.random.default_rng(seed).integers(-128, 128, (count, graph.clip_shape[1])).astype(np.int8)


def pushed(graph, rows, cuts):
    stream = graph.stream("interp")
    return np.concatenate([stream.push(part) for part in np.split(rows, sorted(cuts))])


SEEDS, CUTS = st.integers(0, 2**32 - 1), st.lists(st.integers(0, 90), max_size=6)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, cuts=CUTS)
def test_pushes_equal_the_definition_and_a_clip_its_scores(seed, cuts):
    check(seed, cuts)


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(seed=SEEDS, cuts=CUTS)
def test_many_graphs(seed, cuts):
    check(seed, cuts)


def check(seed, cuts):
    graph = random_streamable(seed)
    clip = graph.clip_shape[0]
    rows, steps = random_rows(graph, clip + 50, seed), plan(graph)
    scores = pushed(graph, rows, cuts)
    assert np.array_equal(scores, definition.scores(graph, rows))
    assert steps.rows_read(steps.clip_steps - 1) <= clip
    assert np.array_equal(scores[steps.clip_steps - 1], graph.run(rows[None, :clip])[0])


def test_row_by_row_and_again_after_a_reset():
    graph = random_streamable(7)
    rows, stream = random_rows(graph, 60), graph.stream("interp")
    for _ in range(2):
        scores = np.concatenate([stream.push(row[None]) for row in rows])
        assert np.array_equal(scores, definition.scores(graph, rows))
        stream.reset()


def test_a_gru_carries_its_state_on():
    graph = gru_graph()
    rows = random_rows(graph, 120)
    scores = pushed(graph, rows, [3, 50, 51])
    assert np.array_equal(scores, definition.scores(graph, rows))
    assert np.array_equal(scores[0], graph.run(rows[None, : graph.clip_shape[0]])[0])


def test_macs_of_a_dscnn_without_padding_in_time():
    steps = plan(valid_dscnn())
    assert (steps.step_rows, steps.first_rows, steps.clip_steps, steps.lead_rows) == (2, 26, 25, 0)
    expected = [DSCNN_MACS["conv1"], *[DSCNN_MACS["depthwise"], DSCNN_MACS["pointwise"]] * 4, 0, DSCNN_MACS["fc"]]
    assert [each.node.macs for each in steps.nodes] == expected
    assert steps.macs == 107_008


def test_the_dscnn_streams():
    graph = valid_dscnn()
    rows = random_rows(graph, 100)
    scores = pushed(graph, rows, [74])
    assert np.array_equal(scores, definition.scores(graph, rows))
    assert np.array_equal(scores[24], graph.run(rows[None, :74])[0])


def test_a_wake_word_network_of_mlperf_tiny():
    path = SHARED / "mlperf_tiny" / "str_ww_ref_model.tflite"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    graph = importers.load(path)
    steps, rows = plan(graph), random_rows(graph, 70)
    assert (steps.step_rows, steps.macs) == (1, 46_040)
    scores = pushed(graph, rows, [30, 31])
    assert np.array_equal(scores, definition.scores(graph, rows))
    assert np.array_equal(scores[0], graph.run(rows[None, :30])[0])


@pytest.mark.parametrize("step", [0, 3])
def test_rows_before_the_stream_count_as_nothing_in_the_pool(step):
    graph = valid_dscnn(channels=8)
    rows = random_rows(graph, 26 + 2 * step)
    x = rows.astype(np.int32)[None, :, :, None]
    for node in graph.nodes[:-2]:
        x = interp.run_node(node, x)
    assert x.shape[1] == step + 1
    pool, scores = graph.nodes[-2:]
    expected = interp.run_node(scores, interp.requantize(x.sum(axis=(1, 2), keepdims=True, dtype=int), pool.requant))
    assert np.array_equal(definition.scores(graph, rows)[step], expected.reshape(-1))


def test_rows_of_another_width_are_refused():
    with pytest.raises(ArtifactError, match="features should be int8"):
        valid_dscnn().stream("interp").push(np.zeros((3, 9), np.int8))
