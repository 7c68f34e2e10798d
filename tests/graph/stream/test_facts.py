"""The figures of a stream: those of shapes that can be counted by hand."""

import numpy as np
import pytest

from edgekws.features.spec import FeatureSpec
from edgekws.graph.stream.facts import facts
from edgekws.graph.stream.plan import plan
from tests.recurrent import gru_graph
from tests.streamable import Layers, random_streamable, valid_dscnn


def residual(crop):
    """A window of 9 rows beside a shortcut that begins at row `crop`; 33 rows of the input."""
    build = Layers(np.random.default_rng(0), FeatureSpec(clip_samples=480 + 32 * 320))
    build.conv("conv2d", (1, 10), 8)
    source = build.nodes[-1]
    build.conv("depthwise_conv2d", (9, 1), 8)
    branch = build.at
    build.add(build.crop(source, crop, 25), branch)
    return build.scores(3)


def test_a_dscnn():
    found = facts(valid_dscnn())
    assert (found.step_rows, found.first_rows, found.clip_steps, found.heard_rows) == (2, 26, 25, 74)
    assert found.look_ahead_rows == 5 + 4 * 2  # 10 rows: 5 after the centre; 4 windows of 3 rows, 2 apart
    assert found.rows_ms(found.step_rows) == 40 and found.span_ms(found.heard_rows) == 1490
    buffers = 10 * 10 + 4 * 3 * 5 * 64
    assert found.state_bytes == buffers + 25 * 64 * 2 + 64 * 4
    assert sum(layer.kept_bytes for layer in found.layers) == found.state_bytes


@pytest.mark.parametrize(("crop", "ahead"), [(4, 4), (8, 0), (0, 8)])
def test_a_shortcut_says_what_the_branch_looks_ahead(crop, ahead):
    graph = residual(crop)
    found, steps = facts(graph), plan(graph)
    assert found.look_ahead_rows == ahead
    slices = next(each for each in steps.nodes if each.node.op == "slice")
    buffer = steps.buffers[slices.reads[0].tensor]
    assert buffer.rows == 9 and slices.reads[0].first == crop and not steps.buffers[slices.node.name].is_state


def test_a_state_hears_all_of_the_past():
    assert facts(gru_graph()).heard_rows is None


def test_rows_of_an_unknown_front_end_have_no_time():
    found = facts(random_streamable(0))
    assert found.rows_ms(2) is found.span_ms(2) is None
