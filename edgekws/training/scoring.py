"""Figures of a network on a split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from edgekws.features.extract import to_network
from edgekws.features.spec import FeatureSpec
from edgekws.training.processes import ALONE, Group


@dataclass(frozen=True)
class Score:
    """Figures on the validation split. `loss` is class-balanced, as the test archive is."""

    accuracy: float
    balanced_accuracy: float
    loss: float


def network_input(features: np.ndarray, spec: FeatureSpec) -> torch.Tensor:
    """`extract.features` [n, frames, coefficients] -> float32 [n, 1, frames, coefficients] for the network."""
    steps = to_network(spec, features)
    if spec.network_zero:
        steps -= np.float32(spec.network_zero)
    return torch.from_numpy(steps * np.float32(spec.network_scale))[:, None]


@torch.no_grad()
def logits_of(
    model: nn.Module, features: np.ndarray, spec: FeatureSpec, batch: int = 256, group: Group = ALONE
) -> torch.Tensor:
    """Logits float32 [n, labels] on the CPU, in eval mode. features: of `extract`, [n, frames, coefficients].

    The processes of `group` share the work; the batches, and so the bits, do not depend on their number.
    """
    model.eval()
    device = device_of(model)
    starts = range(0, len(features), batch)
    shares = [group.share(len(starts), rank) for rank in range(group.count)]
    if len(starts) < group.count:  # a process without work would not know how many labels there are
        group, shares = ALONE, [range(len(starts))]
    inputs = (network_input(features[starts[n] : starts[n] + batch], spec) for n in shares[group.rank])
    mine = torch.cat([model(part.to(device)).float() for part in inputs])
    counts = [sum(len(features[starts[n] : starts[n] + batch]) for n in share) for share in shares]
    return group.gather(mine, counts).cpu()


def device_of(model: nn.Module) -> torch.device:
    """Where the weights of `model` are; the CPU for one without weights."""
    first = next(model.parameters(), None)
    return torch.device("cpu") if first is None else first.device


def score(model: nn.Module, features: np.ndarray, labels: np.ndarray, spec: FeatureSpec, group: Group = ALONE) -> Score:
    """features: of `extract`, [n, frames, coefficients]; labels: int [n]. The processes of `group` share the work."""
    logits, truth = logits_of(model, features, spec, group=group), torch.from_numpy(labels)
    hits = (logits.argmax(1) == truth).double()
    losses = functional.cross_entropy(logits, truth, reduction="none").double()
    classes = torch.unique(truth)
    recalls = torch.stack([hits[truth == label].mean() for label in classes])
    loss = torch.stack([losses[truth == label].mean() for label in classes]).mean()
    return Score(float(hits.mean()), float(recalls.mean()), float(loss))
