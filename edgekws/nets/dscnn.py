"""DS-CNN as MLPerf Tiny ships it (Zhang et al., arXiv 1711.07128; mlcommons/tiny kws_ref_model).

    [1, 49, 10] -> conv 10x4 / 2 -> 4 x (depthwise 3x3 -> pointwise) -> global average -> linear

Padding is TensorFlow's "same" (4 above, 5 below for the first layer); the average covers all
25 x 5 positions, as in the shipped weights. Dropout is on the 64 averages rather than on the
feature maps before them, where its random numbers alone cost a seventh of a training step.

For streams (stream=True) nothing is padded in time, so that each row is computed once and kept:

    [1, 74, 10] -> conv 10x4 / 2 (33 rows) -> 4 x (depthwise 3x3 -> pointwise) (25 rows) -> global average -> linear
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from edgekws.features.spec import FeatureSpec
from edgekws.training.layers import GlobalAveragePool, Pad, Standardize


def build(
    labels: int,
    channels: int = 64,
    blocks: int = 4,
    dropout: float = 0.1,
    standardize: bool = False,
    stream: bool = False,
) -> nn.Sequential:
    """22,604 parameters after folding batch normalization, 2,656,768 MACs (12 labels, 64 channels).

    standardize: begin with a normalization of each coefficient, for inputs of one scale for all. The names of the
    other layers stay, so that weights of a network without it fit. stream: no padding in time; 107,008 MACs for the
    two new rows of each step of 40 ms.
    """
    layers: list[nn.Module] = [
        Pad(0, 0, 1, 1) if stream else Pad(4, 5, 1, 1),
        nn.Conv2d(1, channels, (10, 4), stride=2, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    ]
    for _ in range(blocks):
        layers += _separable(channels, (0, 1) if stream else (1, 1))
    layers += [GlobalAveragePool(), nn.Flatten(), nn.Dropout(dropout), nn.Linear(channels, labels)]
    if not standardize:
        return nn.Sequential(*layers)
    named = [
        ("standardize", Standardize(FeatureSpec().coefficients)),
        *((str(at), each) for at, each in enumerate(layers)),
    ]
    return nn.Sequential(OrderedDict(named))


def _separable(channels: int, padding: tuple[int, int]) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, channels, 3, padding=padding, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    ]
