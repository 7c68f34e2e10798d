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


class Residual(nn.Module):
    """x + body(x), without an activation after it."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        added: torch.Tensor = x + self.body(x)
        return added
