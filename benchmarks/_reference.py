"""The released DS-CNN with the arithmetic of MLPerf's reference model, whose layers are the same.

kws_ref_model.tflite, imported, has TFLite's fixed-point rule, a zero point of its input, a mean that is rounded, a last
layer that rounds once, and a softmax. This graph takes as many instructions, and needs no such file.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgekws.graph.attributes import Operand
from edgekws.graph.ir import Graph, Node, Requant, Rule

INPUT_ZERO, SCORE_ZERO = 83, 14
BARS = {
    "qemu-an386": 2_800_000,
    "qemu-an547": 850_000,
    "qemu-an385": 7_000_000,
    "qemu-an385-v6m": 13_200_000,
    "qemu-riscv32": 9_000_000,
}
"""Most instructions per inference, by board. CMSIS-NN takes 7.697, 1.784, 10.54 and 29.0 million on the first four."""


def like_reference(graph: Graph) -> Graph:
    """graph: the released DS-CNN at 8 bits."""
    nodes = [_like_reference(graph, number) for number in range(len(graph.nodes))]
    last = nodes[-1]
    clip = Requant.identity(len(graph.labels), -128, 127)
    softmax = Node(
        "softmax", "softmax", (last.name,), clip, last.out_shape, last.out_shape, out_scale=1 / 256, out_zero=-128,
        operands=(Operand(0, 1 << 30, -20),),
    )  # fmt: skip
    imported = replace(graph, nodes=(*nodes, softmax), target="int8", name="like_reference", input_zero=INPUT_ZERO)
    imported.check()
    return imported


def _like_reference(graph: Graph, number: int) -> Node:
    node = graph.nodes[number]
    if node.operation.is_convolution:
        pad_value = INPUT_ZERO if number == 0 else 0
        return replace(node, requant=_fixed_point(node.requant, "fixed-point"), pad_value=pad_value)
    if node.operation.is_global_pool:
        requant = Requant.identity(node.out_shape[2], node.requant.lo, node.requant.hi)
        scale = graph.nodes[number - 1].out_scale
        return replace(node, op="average_pool", window=node.in_shape[:2], requant=requant, out_scale=scale)
    return replace(node, requant=replace(_fixed_point(node.requant, "fixed-point-once"), zero=SCORE_ZERO))


def _fixed_point(requant: Requant, rule: Rule) -> Requant:
    """The nearest multiplier within 2^30..2^31 - 1 and its shift."""
    fraction, exponent = np.frexp(requant.factor)
    mult = np.minimum(np.round(fraction * 2.0**31), 2**31 - 1).astype(np.int32)
    return Requant(requant.offset, mult, (-exponent).astype(np.uint8), requant.lo, requant.hi, rule)
