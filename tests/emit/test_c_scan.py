"""Recurrent layers in C: a loop over the same kernels, weights once, and little memory."""

import numpy as np
import pytest

from edgekws.emit import c
from edgekws.emit.c import arena
from edgekws.graph.unroll import unrolled
from firmware_io.build import host_cc, host_library
from tests.recurrent import gru_graph

FAST = (*host_cc.PORTABLE, "-O0")


def features(seed, count=20):
    return np.random.default_rng(seed).integers(-128, 128, (count, 49, 10)).astype(np.int8)


def equals_the_interpreter(graph, folder, options):
    run = host_library.compile_model(c.emit(graph), folder, options)
    return np.array_equal(run(features(1)), graph.run(features(1)))


def test_a_loop_in_c_equals_the_interpreter(tmp_path):
    assert equals_the_interpreter(gru_graph(0, hidden=6, rows=5), tmp_path, FAST)


@pytest.mark.slow
@pytest.mark.parametrize("options", [host_cc.PORTABLE, None], ids=["portable", "native"])
def test_loops_and_their_unrolled_forms_equal_the_interpreter(tmp_path, options):
    for seed, hidden, rows in [(1, 7, 2), (2, 16, 1), (3, 32, 9), (4, 3, 10)]:
        graph = gru_graph(seed, hidden, rows)
        assert equals_the_interpreter(graph, tmp_path, options), seed
        assert equals_the_interpreter(unrolled(graph), tmp_path, options), seed


def test_weights_and_calls_are_there_once():
    few, many = (c.emit(gru_graph(rows=rows))["model.c"].decode() for rows in (3, 9))
    assert few.count("ekw_linear_s8_w8_fixed(&") == many.count("ekw_linear_s8_w8_fixed(&") == 4
    assert "row < 9" in many and "ekw_clear(" in many
    assert "ekw_clear(" not in c.emit(unrolled(gru_graph(rows=3)))["model.c"].decode()


def test_the_body_needs_a_few_states():
    """Three rows, the state, and no more than three others at once; and not as many as it has nodes."""
    node = gru_graph(hidden=16).node("gru")
    assert arena.body_plan(node).size <= 8 * 16 < len(node.body) * 16


def test_states_are_written_over_the_first_input():
    graph = gru_graph(hidden=16, rows=8)
    starts = arena.plan(graph).starts
    assert starts["gru"] == starts[graph.node("gru").inputs[0]]
