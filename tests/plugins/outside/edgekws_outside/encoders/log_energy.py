"""The logarithm of the energy of each 10 ms. Nothing is learned and nothing is downloaded."""

from __future__ import annotations

import torch
from torch import nn

from edgekws.errors import ConfigError


class _LogEnergy(nn.Module):
    sample_rate_hz, hop_ms, dimensions = 16_000, 10.0, 1

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        """float32 [n, samples] -> float32 [n, frames, 1]."""
        frames = audio.unfold(1, 160, 160)
        return torch.log(frames.square().mean(dim=2, keepdim=True) + 1e-6)


def load(weights: str = "") -> nn.Module:
    """Raises ConfigError for weights: there are none."""
    if weights:
        raise ConfigError("log_energy has no weights", got=weights)
    return _LogEnergy()
