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


class Pooling:
    """A module that sums or averages a whole map.

    rows: only while a network is trained on streams, the rows of the map in a clip. Then each window of so many rows is
    pooled, and every window is an example: [n * (h - rows + 1), c, 1, 1].
    """

    rows: int | None = None
    is_pool: bool = True


class GlobalAveragePool(nn.Module, Pooling):
    """[n, c, h, w] -> [n, c, 1, 1]."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.rows is None:
            return x.mean(dim=(2, 3), keepdim=True)
        return as_examples(functional.avg_pool2d(x, (self.rows, x.shape[3]), 1))


def as_examples(x: torch.Tensor) -> torch.Tensor:
    """[n, c, rows, 1] -> [n * rows, c, 1, 1], the rows of the first example first."""
    return x.permute(0, 2, 1, 3).reshape(-1, x.shape[1], 1, 1)


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
    """x + body(x), without an activation after it; or shortcut(x) + body(x)."""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.body = body
        if shortcut is not None:
            self.shortcut = shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        added: torch.Tensor = (self.shortcut(x) if hasattr(self, "shortcut") else x) + self.body(x)
        return added


def middle_rows(channels: int, kernel_rows: int) -> nn.Conv2d:
    """The rows of x that a body with a kernel of so many rows and no padding leaves, for the shortcut beside it.

    It is a depthwise filter that passes the middle row on until training changes it: TI's NPU cannot cut rows off.
    """
    filters = nn.Conv2d(channels, channels, (kernel_rows, 1), groups=channels, bias=False)
    with torch.no_grad():
        filters.weight.zero_()
        filters.weight[:, :, kernel_rows // 2] = 1
    return filters
