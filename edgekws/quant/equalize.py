"""Cross-layer equalization (Nagel et al., arXiv 1906.04721): move scale between layers so that channels match.

relu(g x) = g relu(x) for g > 0, so a channel may leave its layer g times smaller when the next layer's weights of
that channel are g times larger. The channels of both layers then have similar ranges, and one scale per
tensor suits them all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import torch

from edgekws.graph.ir import INPUT
from edgekws.quant.float_layers import Layer

_ROUNDS = 3
_MAX_GAIN = 8.0


def equalized(layers: Sequence[Layer]) -> list[Layer]:
    """The same function with rescaled channels. A pair of convolutions with a branch between them is left as it is."""
    result = {layer.name: layer for layer in layers}
    for _ in range(_ROUNDS):
        for first, second in _pairs(layers):
            result[first], result[second] = _balanced(result[first], result[second])
    return [result[layer.name] for layer in layers]


def _pairs(layers: Sequence[Layer]) -> list[tuple[str, str]]:
    readers = Counter(name for layer in layers for name in layer.inputs)
    limited = {INPUT: True, **{layer.name: layer.is_limited for layer in layers}}
    convolutions = {layer.name for layer in layers if layer.operation.is_convolution}
    return [
        (layer.inputs[0], layer.name)
        for layer in layers
        if layer.name in convolutions
        and not limited[layer.inputs[0]]
        and layer.inputs[0] in convolutions
        and readers[layer.inputs[0]] == 1
    ]


def _balanced(first: Layer, second: Layer) -> tuple[Layer, Layer]:
    out_range = first.weight.abs().flatten(1).amax(1)
    by_input = second.weight if second.operation.is_depthwise else second.weight.transpose(0, 1)
    in_range = by_input.abs().flatten(1).amax(1)
    gain = torch.sqrt(in_range / out_range.clamp(min=1e-12)).clamp(1 / _MAX_GAIN, _MAX_GAIN)
    gain = torch.where(in_range > 0, gain, torch.ones_like(gain))
    rows, columns = gain.view(-1, 1, 1, 1), gain.view(1, -1, 1, 1)
    rescaled = second.weight / (rows if second.operation.is_depthwise else columns)
    return replace(first, weight=first.weight * rows, bias=first.bias * gain), replace(second, weight=rescaled)
