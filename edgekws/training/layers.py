"""Modules for operations that PyTorch has only as functions, so that a network can be an nn.Sequential."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class Pad(nn.Module):
    """Zero padding (top, bottom, left, right), which need not be symmetric."""

    def __init__(self, top: int, bottom: int, left: int, right: int) -> None:
        super().__init__()
        self.sides = (top, bottom, left, right)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        top, bottom, left, right = self.sides
        return functional.pad(x, (left, right, top, bottom))


class GlobalAveragePool(nn.Module):
    """[n, c, h, w] -> [n, c, 1, 1]."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=(2, 3), keepdim=True)


class Standardize(nn.Module):
    """[n, 1, frames, coefficients] with a mean of 0 and a deviation of 1 of each coefficient, by `fit`.

    In the graph it is a depthwise 1x1 convolution whose channels are the coefficients: a CPU's work on TI's NPU, for
    the graph's input has one channel.
    """

    def __init__(self, coefficients: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(coefficients)

    def fit(self, mean: torch.Tensor, deviation: torch.Tensor) -> None:
        """mean, deviation: of the float network's inputs, [coefficients]. They stay as they are in training."""
        self.norm.running_mean = mean.float()
        self.norm.running_var = deviation.float().square()

    def train(self, mode: bool = True) -> Standardize:
        super().train(mode)
        self.norm.eval()  # the statistics of batches would be those of augmented clips
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normalized: torch.Tensor = self.norm(x.transpose(1, 3)).transpose(1, 3)
        return normalized


class Residual(nn.Module):
    """x + body(x), without an activation after it."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        added: torch.Tensor = x + self.body(x)
        return added
