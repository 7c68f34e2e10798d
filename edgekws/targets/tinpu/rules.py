"""The layers that TI's NPU runs. Each refusal names the rule and the number that broke it.

Sources: the layer patterns of TI's neural network compiler guide 2.1 (widths, pooling, residuals) and its two
lists of layer configurations, the "NPU guidelines" of the device pages and the "NPU configuration guidelines"
of the model zoo. Where the two lists disagree, a node must satisfy both:

generic kernels      one list ends at 7 rows, the other allows any height of kernels 1 wide: at most 7 rows,
                     and at most 7 columns unless the kernel is one row
max pooling          4 x 4 at most, or one side up to 4 and the other any; an example of the second refuses
                     128 x 2, so that the free side needs a side of 1
linear inputs        a multiple of 4, which only one asks for; weights of 2 bits, which neither names, as 8 bits
"""

from __future__ import annotations

import numpy as np

from edgekws.graph.ir import INPUT, SIGNED, UNSIGNED, Graph, Node

WEIGHT_BITS: tuple[int, ...] = (8, 4, 2)
OFFSET_BITS = {8: 24, 4: 16, 2: 16}
"""Signed offsets, by the width of the weights."""
MAX_SHIFT, MAX_MULT = 31, 255
LINEAR_INPUTS = {8: 16, 4: 8, 2: 16}
GENERIC_STRIDES = ((1, 1), (2, 1), (2, 2))
_CHANNELS = 4


def broken(node: Node) -> str | None:
    """None, or "rule: what is allowed, not what the node has"."""
    for rule in (_plain, _width, _requant, _channels, _layer):
        reason = rule(node)
        if reason:
            return reason
    return None


def illegal_input(node: Node, graph: Graph) -> str | None:
    """The compiler knows residual additions as the end of a pointwise convolution (PWCONVRES), with ReLU or without."""
    if node.operation.input_count == 1:
        return None
    sources = [graph.node(name) for name in node.inputs if name != INPUT]
    if any(_mixes_channels(source) and source.kernel == (1, 1) for source in sources):
        return None
    return f"residual: one input from a pointwise convolution, not from {' and '.join(node.inputs)}"


def _width(node: Node) -> str | None:
    if node.weight_bits not in WEIGHT_BITS:
        return f"weight-bits: weights of 8, 4 or 2 bits, not {node.weight_bits}"
    return None


def _plain(node: Node) -> str | None:
    """What neither list of TI names: ops of other networks, and attributes that models of other tools have."""
    if node.op not in _LAYERS:
        return _no_such_layer(node)
    if node.dilation != (1, 1):
        return f"dilation: none, not {node.dilation}"
    if node.pad_value:
        return f"padding: zeros, not {node.pad_value}"
    if node.operation.is_window_pool and any(node.pad):
        return f"pool-padding: none, not {node.pad}"
    if (node.requant.lo, node.requant.hi) not in (SIGNED, UNSIGNED):
        return f"range: 0..255 or -128..127, not {node.requant.lo}..{node.requant.hi}"
    return None


def _requant(node: Node) -> str | None:
    requant, bits = node.requant, OFFSET_BITS[node.weight_bits]
    if requant.rule != "offset-scale-shift" and node.operation.is_scaled:
        return f"rounding: requantization is offset-scale-shift, not {requant.rule}"
    offset = requant.offset.astype(np.int64)
    worst = int(offset[np.argmax(np.abs(offset))])
    if not -(1 << (bits - 1)) <= worst < 1 << (bits - 1):
        return f"offset-width: offsets of {node.weight_bits}-bit layers are signed {bits} bit, {worst} is not"
    if int(requant.shift.max()) > MAX_SHIFT:
        return f"shift-width: shifts are 5 bit, {int(requant.shift.max())} is not"
    if node.weight is not None and node.weight_bits == 8 and np.any(requant.mult != 1):
        return f"unit-multiplier: layers of 8-bit weights have multiplier 1, not {int(requant.mult.max())}"
    low, high = int(requant.mult.min()), int(requant.mult.max())
    if low < 1 or high > MAX_MULT:
        return f"multiplier-width: multipliers are 1..{MAX_MULT}, not {low if low < 1 else high}"
    return None


def _channels(node: Node) -> str | None:
    c_in, c_out = node.in_shape[2], node.out_shape[2]
    if node.operation.is_dense or node.op == "scale":
        return None
    if c_out % _CHANNELS:
        return f"channels: multiples of {_CHANNELS}, not {c_out}"
    if _mixes_channels(node) and c_in != 1 and c_in % _CHANNELS:
        return f"channels: 1 or a multiple of {_CHANNELS} inputs, not {c_in}"
    return None


def _mixes_channels(node: Node) -> bool:
    return node.operation.is_convolution and not node.operation.is_depthwise


def _layer(node: Node) -> str | None:
    return _LAYERS[node.op](node)


def _no_such_layer(node: Node) -> str:
    return f"op: one of {', '.join(_LAYERS)}, not {node.op}"


def _conv(node: Node) -> str | None:
    k_h, k_w = node.kernel
    if node.in_shape[2] == 1:
        return None if k_w <= 8 else f"first-width: kernels at most 8 wide, not {k_w}"
    if (k_h, k_w) == (1, 1):
        return None if node.stride == (1, 1) else f"pointwise-stride: stride 1, not {node.stride}"
    if k_h > 7:
        return f"kernel-height: at most 7 rows, not {k_h}"
    if k_w > 7 and k_h > 1:
        return f"kernel-width: at most 7 columns, or a single row, not {k_h} x {k_w}"
    if node.stride not in GENERIC_STRIDES:
        return f"stride: (1, 1), (2, 1) or (2, 2), not {node.stride}"
    return None


def _depthwise(node: Node) -> str | None:
    k_w = node.kernel[1]
    return None if k_w <= 7 else f"depthwise-width: kernels at most 7 wide, not {k_w}"


def _linear(node: Node) -> str | None:
    inputs, fewest = int(np.prod(node.in_shape)), LINEAR_INPUTS[node.weight_bits]
    if inputs < fewest:
        return f"linear-inputs: at least {fewest} inputs for {node.weight_bits}-bit weights, not {inputs}"
    return None if inputs % _CHANNELS == 0 else f"linear-inputs: a multiple of {_CHANNELS}, not {inputs}"


def _sum_pool(node: Node) -> str | None:
    area = node.in_shape[0] * node.in_shape[1]
    return None if area > 2 else f"pool-area: more than 2 positions, not {area}"


def _max_pool(node: Node) -> str | None:
    small, large = sorted(node.window)
    if small == 1 or large <= 4:
        return None
    return f"pool-window: at most 4 x 4, or one side of 1, not {node.window[0]} x {node.window[1]}"


def _add(_: Node) -> str | None:
    """No rule of its own: `illegal_input` checks its inputs, and `Graph.check` the scales."""
    return None


def _scale(node: Node) -> str | None:
    if node.inputs != (INPUT,):
        return f"input-stage: scaling by element is for the graph's input, not for {node.inputs[0]}"
    return None


_LAYERS = {
    "conv2d": _conv,
    "depthwise_conv2d": _depthwise,
    "linear": _linear,
    "global_sum_pool": _sum_pool,
    "max_pool": _max_pool,
    "add": _add,
    "scale": _scale,
}
