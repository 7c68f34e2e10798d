"""The network that stands for MLPerf's reference model in the instruction counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks import _reference
from edgekws.emit.c.kernels import is_general, is_near
from edgekws.graph import io
from edgekws.graph.ir import UNSIGNED

ROOT = Path(__file__).resolve().parents[2]


def test_it_has_the_arithmetic_of_the_reference() -> None:
    graph = _reference.like_reference(io.load(ROOT / "models" / "dscnn" / "graph.npz"))
    first, *middle, pool, linear, softmax = graph.nodes
    assert (first.pad_value, first.pad, first.kernel) == (83, (4, 5, 1, 1), (10, 4))
    assert [node.op for node in middle] == ["depthwise_conv2d", "conv2d"] * 4
    assert {node.requant.rule for node in (first, *middle)} == {"fixed-point"}
    assert pool.op == "average_pool" and pool.window == (25, 5)
    assert linear.requant.rule == "fixed-point-once" and linear.requant.zero == 14 and softmax.op == "softmax"
    assert graph.macs == 2_656_768


def test_fast_code_computes_its_convolutions() -> None:
    """Only the first one and the last layer are general nodes, and the first one is scaled as the others are."""
    graph = _reference.like_reference(io.load(ROOT / "models" / "dscnn" / "graph.npz"))
    signs = [(number in (0, len(graph.nodes) - 1),) for number in range(len(graph.nodes))]
    general = [node.name for node, signed in zip(graph.nodes, signs, strict=True) if is_general(node, signed)]
    assert general == [graph.nodes[0].name, graph.nodes[-2].name]
    assert is_near(graph.nodes[0], (True,)) and graph.nodes[0].requant.zero == 0
    assert all((node.requant.lo, node.requant.hi) == UNSIGNED for node in graph.nodes[:-2])
    assert np.all(graph.nodes[0].requant.shift >= 0)
