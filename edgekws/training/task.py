"""What a training is made of."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from edgekws.data.augment import AugmentSpec
from edgekws.data.dataset import Dataset
from edgekws.features.spec import FeatureSpec
from edgekws.recipe import TrainSection


@dataclass(frozen=True)
class Task:
    """What `fit` trains on."""

    dataset: Dataset
    features: FeatureSpec
    augment: AugmentSpec
    plan: TrainSection
    seed: int
    teacher: nn.Module | None = None
    """If given, the divergence from its probabilities is plan.teacher_weight of the loss."""
    quantized: bool = False
    """Whether the network computes integers, which need float32 whatever plan.precision says."""
