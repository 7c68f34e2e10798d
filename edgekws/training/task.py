"""What a training is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import nn

from edgekws.data.augment import AugmentSpec
from edgekws.data.dataset import Dataset
from edgekws.features.spec import FeatureSpec
from edgekws.recipe import TrainSection

if TYPE_CHECKING:
    from edgekws.training.batches import Part


class Source(Protocol):
    """Batches of something else than single clips, and their loss."""

    @property
    def steps_per_epoch(self) -> int: ...

    def batches(self, epoch: int) -> Iterator[list[Part]]:
        """The batches of one epoch, one part each."""

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Of what the network gives for the inputs of a part, and the part's labels."""


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
    source: Source | None = None
    """If given, what is trained on instead of the clips of `dataset`."""
    quantized: bool = False
    """Whether the network computes integers, which need float32 whatever plan.precision says."""
