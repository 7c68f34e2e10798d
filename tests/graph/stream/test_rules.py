"""Layers that forbid a stream are named, each with what to do."""

from dataclasses import replace

import pytest

from edgekws.errors import TargetError
from edgekws.graph.stream.rules import study
from tests.graphs import random_general
from tests.streamable import valid_dscnn


def test_padding_after_the_last_row(graph):
    found = study(graph).obstacles
    assert [each.layer for each in found] == [node.name for node in graph.nodes if node.pad[1]]
    assert "of padding after the last row" in found[0].reason
    with pytest.raises(TargetError, match=r"look back only.*What to do: train it without padding in time"):
        graph.stream("interp")


def test_padding_that_no_window_reads_forbids_nothing():
    graph = valid_dscnn()
    first = graph.nodes[0]
    unread = replace(graph, nodes=(replace(first, pad=(0, 1, *first.pad[2:])), *graph.nodes[1:]))
    unread.check()
    assert not study(unread).obstacles


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"op": "transpose", "axes": (1, 0, 2)}, "of time with another axis"),
        ({"op": "concat", "axes": (0,), "inputs": ("n8", "n8")}, "along time"),
        ({"op": "reshape", "out_shape": (5, 25, 64)}, "reshape of 25 rows to 5"),
        ({"op": "mul", "inputs": ("n8", "n8"), "other_shapes": ((1, 1, 64),)}, "one value for 25 rows of the past"),
        ({"op": "average_pool", "window": (3, 1), "pad": (1, 0, 0, 0)}, "a mean over 3 rows that has fewer"),
        ({"op": "max_pool", "window": (2, 1), "pad": (2, 0, 0, 0)}, "2 rows of padding before a window of 2"),
    ],
)
def test_what_moves_or_mixes_rows(change, reason):
    graph = valid_dscnn()
    pool = graph.nodes[-2]
    changed = replace(graph, nodes=(*graph.nodes[:-2], replace(pool, **change), graph.nodes[-1]))
    found = [each for each in study(changed).obstacles if each.layer == pool.name]
    assert any(reason in each.reason for each in found), found
    assert all(each.hint for each in found)


def test_two_rates_and_two_paddings_of_one_tensor():
    graph = valid_dscnn()
    second, third = graph.nodes[1:3]
    padded = [
        replace(node, inputs=("n0",), pad=(1, 0, 1, 1), pad_value=value) for node, value in ((second, 0), (third, 3))
    ]
    padded[1] = replace(second, name="n2", inputs=("n0",), pad=(1, 0, 1, 1), pad_value=3)
    slow = replace(second, name="slow", stride=(2, 1))
    joined = replace(graph.nodes[-2], name="joined", op="add", inputs=("n1", "slow"))
    found = study(replace(graph, nodes=(graph.nodes[0], *padded, slow, joined))).obstacles
    assert "padding of 3 where another reader of n0 has 0" in [each.reason for each in found]
    assert "inputs every 2 and every 4 rows" in [each.reason for each in found]


def test_every_graph_is_studied():
    for seed in range(12):
        for each in study(random_general(seed)).obstacles:
            assert each.reason and each.hint
