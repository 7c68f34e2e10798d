"""One convolution over time and frequency, its average, and a linear layer."""

from __future__ import annotations

from torch import nn


def build(labels: int, channels: int = 16) -> nn.Sequential:
    """float32 [n, 1, frames, coefficients] -> logits [n, labels]."""
    return nn.Sequential(
        nn.Conv2d(1, channels, (10, 4), stride=(4, 2), bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(channels, labels),
    )
