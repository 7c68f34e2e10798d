"""TC-ResNet with separable convolutions: after the second layer only the time axis is left, which makes it fast.

    [1, 49, 10] -> conv 10x4 / 2 -> depthwise 1x5 (25 x 5 becomes 25 x 1)
                -> blocks x (x + depthwise 9x1 -> pointwise) -> global average -> linear

Temporal convolution (Choi et al., arXiv 1904.03814) takes the coefficients as channels at once; here the
first two layers do that, because TI's NPU has kernels of at most 8 columns on one channel and no transposition.
A sixth of the DS-CNN's multiplications: for latency and energy rather than for accuracy.
"""

from __future__ import annotations

from torch import nn

from edgekws.training.layers import GlobalAveragePool, Pad, Residual, middle_rows


def build(
    labels: int, channels: int = 40, blocks: int = 4, dropout: float = 0.0, stream: bool = False
) -> nn.Sequential:
    """10,532 parameters after folding batch normalization, 401,480 MACs (12 labels, 40 channels, 4 blocks).

    stream: no padding in time, so that each row is computed once. Clips have 74 rows or more, of which the pool gets
    one; 122 give it 25.
    """
    layers: list[nn.Module] = [
        Pad(0, 0, 1, 1) if stream else Pad(4, 5, 1, 1),
        nn.Conv2d(1, channels, (10, 4), stride=2, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, (1, 5), groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    ]
    for _ in range(blocks):
        shortcut = middle_rows(channels, 9) if stream else None
        layers += [Residual(_separable(channels, stream), shortcut), nn.ReLU(inplace=True)]
    layers += [GlobalAveragePool(), nn.Flatten(), nn.Dropout(dropout), nn.Linear(channels, labels)]
    return nn.Sequential(*layers)


def _separable(channels: int, stream: bool) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, (9, 1), padding=(0 if stream else 4, 0), groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
    )
