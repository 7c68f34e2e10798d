"""DS-ResNet: residual depthwise-separable blocks, alternately with 3x3 kernels and with kernels along time.

    [1, 49, 10] -> conv 8x4 / 2 -> blocks x (x + depthwise -> pointwise) -> global average -> linear

Every second depthwise kernel is 9x1: nine frames of context for nine weights a channel, as in temporal
convolution networks (Choi et al., arXiv 1904.03814), where the 3x3 kernel of the DS-CNN has three. The shortcuts (He
et al., arXiv 1512.03385) let twelve narrow layers train as well as the eight wide ones of the DS-CNN. Each layer is
one that TI's NPU runs: channels in multiples of 4, kernels 3x3 and 9x1, additions at one scale.
"""

from __future__ import annotations

from torch import nn

from edgekws.training.layers import GlobalAveragePool, Pad, Residual, middle_rows

_KERNELS = ((3, 3), (9, 1))


def build(
    labels: int, channels: int = 36, blocks: int = 6, dropout: float = 0.0, stream: bool = False
) -> nn.Sequential:
    """11,784 parameters after folding batch normalization, 1,359,432 MACs (12 labels, 36 channels, 6 blocks).

    stream: no padding in time, so that each row is computed once. Clips have 68 rows or more, of which the pool gets
    one; 116 give it 25.
    """
    layers: list[nn.Module] = [
        Pad(0, 0, 1, 1) if stream else Pad(3, 4, 1, 1),
        nn.Conv2d(1, channels, (8, 4), stride=2, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    ]
    for number in range(blocks):
        kernel = _KERNELS[number % 2]
        body = _separable(channels, kernel, stream)
        layers += [Residual(body, middle_rows(channels, kernel[0]) if stream else None), nn.ReLU(inplace=True)]
    layers += [GlobalAveragePool(), nn.Flatten(), nn.Dropout(dropout), nn.Linear(channels, labels)]
    return nn.Sequential(*layers)


def _separable(channels: int, kernel: tuple[int, int], stream: bool) -> nn.Sequential:
    pad = (0 if stream else kernel[0] // 2, kernel[1] // 2)
    return nn.Sequential(
        nn.Conv2d(channels, channels, kernel, padding=pad, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
    )
