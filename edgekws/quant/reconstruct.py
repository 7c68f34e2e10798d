"""Layer-wise reconstruction: choose the integers of a layer that keep its sums, not its weights, near the float ones.

Rounding each weight to the nearest integer does not minimize the output error (AdaRound, Nagel et al., arXiv
2004.10568). For a sum of products the second-order solution has a closed form: round the weights of one input at a
time and let those not yet rounded compensate for the error, by the inverse of H = X'X of the calibration inputs
(optimal brain quantization, Frantar et al., arXiv 2208.11580 and 2210.17323). It needs no learning rate and no seed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from edgekws.quant.float_layers import Layer

_ROWS = 20_000
"""Positions used; enough for the second moments of a few hundred inputs."""
_DAMPING = 0.01


def second_moments(layer: Layer, x: torch.Tensor) -> torch.Tensor:
    """Damped H = X'X of the inputs of each filter, float64 [filters or 1, k, k]. x: the layer's input, [n, ...]."""
    rows = (x.flatten(1)[None] if layer.operation.is_dense else _windows(layer, x)).double()
    moments = rows.transpose(1, 2) @ rows
    mean = moments.diagonal(dim1=1, dim2=2).mean(1).clamp(min=1e-9)
    return moments + torch.eye(moments.shape[1]).double() * (_DAMPING * mean)[:, None, None]


def reconstructed(
    weight: torch.Tensor, moments: torch.Tensor, steps: Sequence[np.ndarray], limit: int
) -> tuple[torch.Tensor, np.ndarray]:
    """(integers float64 [c, k], step float64 [c]): for each channel the step with the smallest error of the sums.

    weight: real, [c, k]; steps: candidates, float64 [c] each.
    """
    real, upper = weight.double(), _compensation(moments)
    best = torch.full((len(real),), torch.inf).double()
    chosen, integers = torch.zeros_like(best), torch.zeros_like(real)
    for candidate in map(torch.from_numpy, steps):
        rounded = _round_in_turn(real / candidate[:, None], upper, limit)
        gap = real - rounded * candidate[:, None]
        error = torch.einsum("ck,ckl,cl->c", gap, moments.expand(len(gap), -1, -1), gap)
        better = error < best
        best, chosen = torch.where(better, error, best), torch.where(better, candidate, chosen)
        integers = torch.where(better[:, None], rounded, integers)
    return integers, np.asarray(chosen.numpy())


def _compensation(moments: torch.Tensor) -> torch.Tensor:
    """The upper Cholesky factor of H^-1: its rows say how later weights compensate for an earlier one."""
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(moments))
    factor: torch.Tensor = torch.linalg.cholesky(inverse, upper=True)
    return factor


def _round_in_turn(weight: torch.Tensor, upper: torch.Tensor, limit: int) -> torch.Tensor:
    """Round column by column, with compensation. weight: [c, k] in steps; upper: [c or 1, k, k]."""
    remaining, integers = weight.clone(), torch.zeros_like(weight)
    for column in range(weight.shape[1]):
        integers[:, column] = remaining[:, column].round().clamp(-limit, limit)
        error = (remaining[:, column] - integers[:, column]) / upper[:, column, column]
        remaining[:, column + 1 :] -= error[:, None] * upper[:, column, column + 1 :]
    return integers


def _windows(layer: Layer, x: torch.Tensor) -> torch.Tensor:
    """The inputs of each output position.

    [1, n * positions, c_in * k_h * k_w], or [c, n * positions, k_h * k_w] of a depthwise convolution.
    """
    top, bottom, left, right = layer.pad
    positions = x.shape[2] * x.shape[3] // (layer.stride[0] * layer.stride[1])
    step = max(1, len(x) * positions // _ROWS)
    padded = functional.pad(x[::step], (left, right, top, bottom))
    columns = functional.unfold(
        padded, layer.kernel, layer.dilation, stride=layer.stride
    )  # [n, c_in * k_h * k_w, positions]
    if not layer.operation.is_depthwise:
        return columns.transpose(1, 2).flatten(0, 1)[None]
    by_channel = columns.view(len(columns), x.shape[1], -1, columns.shape[2])  # [n, c, k_h * k_w, positions]
    return by_channel.permute(1, 0, 3, 2).flatten(1, 2)
