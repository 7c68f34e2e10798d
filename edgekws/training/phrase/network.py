"""A network that is valid in time, on a window and on longer scenes at once.

    scene [n, 1, frames, coefficients] -> [n, channels, rows, width]
    -> mean of each `pool_rows` rows -> [n, labels, steps]

Step s of a scene is the window that begins at row s of the input's strided rows: one pass over a scene costs little
more than one window, and gives all positions of the phrase.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from edgekws import plugins
from edgekws.training.layers import GlobalAveragePool, Pad

NAME = "dscnn"
STRIDE, FIRST_FRAMES, CONTEXT_ROWS = 2, 10, 8
"""Of the DS-CNN: frames of a step, frames of the first layer's window, rows that four 3x3 windows take."""


def build(labels: int) -> nn.Sequential:
    """The DS-CNN without padding in time, with weights drawn at random by torch's generator."""
    network: nn.Sequential = plugins.load("networks", NAME).build(labels)
    return valid_in_time(network)


def valid_in_time(network: nn.Sequential) -> nn.Sequential:
    """The same network, in place, without padding above and below."""
    for module in network:
        if isinstance(module, Pad):
            module.sides = (0, 0, *module.sides[2:])
        elif isinstance(module, nn.Conv2d):
            module.padding = (0, int(module.padding[1]))
    return network


def frames_of(pool_rows: int) -> int:
    """Frames of a window whose last layer has so many rows."""
    return FIRST_FRAMES + STRIDE * (pool_rows + CONTEXT_ROWS - 1)


def logits(network: nn.Sequential, scenes: torch.Tensor, pool_rows: int) -> torch.Tensor:
    """float32 [n, 1, frames, coefficients] -> [n, labels, steps], steps = 1 + (frames - frames_of(pool_rows)) // 2."""
    x = scenes
    for module in network:
        if isinstance(module, GlobalAveragePool):
            x = functional.avg_pool2d(x, (pool_rows, x.shape[3]), stride=1)
        elif isinstance(module, nn.Flatten):
            continue
        elif isinstance(module, nn.Linear):
            x = functional.conv2d(x, module.weight[:, :, None, None], module.bias)
        else:
            x = module(x)
    return x.squeeze(3)
