"""Parameters of a user's network -> those of layers."""

from __future__ import annotations

import torch

from edgekws.graph.ops import Op


def convolution(depthwise: bool) -> Op:
    return "depthwise_conv2d" if depthwise else "conv2d"


def float32(values: torch.Tensor) -> torch.Tensor:
    """A copy that training the original does not change."""
    return values.detach().to("cpu", torch.float32, copy=True)


def batch_norm(
    gain: torch.Tensor | None, shift: torch.Tensor | None, mean: torch.Tensor, variance: torch.Tensor, eps: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The (gain, shift) of a normalization by running statistics; all [c]."""
    factor = torch.ones_like(variance) if gain is None else gain
    factor = factor / torch.sqrt(variance + eps)
    return factor, (torch.zeros_like(mean) if shift is None else shift) - mean * factor
