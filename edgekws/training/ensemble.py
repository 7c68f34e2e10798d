"""Several networks as one: the teacher of a knowledge distillation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from edgekws.features.spec import INPUT_MAX, INPUT_MIN, FeatureSpec


class Ensemble(nn.Module):
    """The mean of the logits of several networks, in eval mode."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([network(x) for network in self.networks]).mean(0)


def for_inputs_of(given: FeatureSpec, network: nn.Module, own: FeatureSpec, source: str) -> nn.Module:
    """`network`, trained on features `own`, for inputs of features `given`.

    source: what the network is, for the ArtifactError when they differ in more than scales and rounding.
    """
    if given == own:
        return network
    scales = {"input_scale": own.input_scale, "input_zero_point": own.input_zero_point, "rounding": own.rounding}
    replace(given, **scales).require(own, source)  # type: ignore[arg-type]
    return _Rescaled(network, given, own)


class _Rescaled(nn.Module):
    """A network that gets inputs of another scale and converts them."""

    given_scale: torch.Tensor
    given_zero: torch.Tensor
    own_scale: torch.Tensor
    own_zero: torch.Tensor

    def __init__(self, network: nn.Module, given: FeatureSpec, own: FeatureSpec) -> None:
        super().__init__()
        self.network, self.given, self.own = network, given, own
        for name, spec in (("given", given), ("own", own)):
            self.register_buffer(f"{name}_scale", torch.tensor(spec.input_scale))
            self.register_buffer(f"{name}_zero", torch.tensor(spec.input_zero_point, dtype=torch.float32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps = x / self.given.network_scale + self.given.network_zero
        if self.given.rounding == "toward-zero":
            steps = steps + 0.5 * torch.sign(steps)  # the middle of the values that are rounded to a step
        features = (steps - self.given_zero) * self.given_scale
        own = (features / self.own_scale + self.own_zero).clamp(INPUT_MIN, INPUT_MAX)
        scores: torch.Tensor = self.network((own - self.own.network_zero) * self.own.network_scale)
        return scores
