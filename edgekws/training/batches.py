"""Batches of one epoch: which clips, how they are augmented, and their features."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from edgekws.data.augment import augment_samples, mask_features
from edgekws.data.dataset import Split
from edgekws.features.mfcc import mfcc
from edgekws.recipe import TrainSection
from edgekws.training.prior import frequencies
from edgekws.training.scoring import network_input
from edgekws.training.task import Task


def batches(task: Task, epoch: int, count: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of one epoch, prepared one ahead on another thread."""
    split = task.dataset.splits["train"]
    order = draw(split, task.plan, len(task.dataset.labels), np.random.default_rng([task.seed, epoch]))

    def make(number: int) -> tuple[torch.Tensor, torch.Tensor]:
        chosen = order[number * task.plan.batch : (number + 1) * task.plan.batch]
        rng = np.random.default_rng([task.seed, epoch, number])
        clips = np.stack([split.samples[index] for index in chosen])
        augmented = augment_samples(clips, task.dataset.noise, task.augment, task.features.rate_hz, rng)
        features = mask_features(mfcc(task.features, augmented), task.augment, rng)
        return network_input(features, task.features), torch.from_numpy(split.labels[chosen])

    with ThreadPoolExecutor(1) as pool:
        upcoming = pool.submit(make, 0)
        for number in range(count):
            batch = upcoming.result()
            if number + 1 < count:
                upcoming = pool.submit(make, number + 1)
            yield batch


def draw(split: Split, plan: TrainSection, labels: int, rng: np.random.Generator) -> np.ndarray:
    """As many clips as the split has, classes drawn ~ count ** sampling_power, each class in shuffled rounds."""
    counts = np.bincount(split.labels, minlength=labels).astype(np.float64)
    clips_per_draw = rng.multinomial(len(split), frequencies(counts, plan.sampling_power))
    parts = []
    for label, number in enumerate(clips_per_draw):
        members = np.flatnonzero(split.labels == label)
        rounds = -(-number // max(len(members), 1))
        parts.append(np.concatenate([rng.permutation(members) for _ in range(rounds)] or [members[:0]])[:number])
    return np.asarray(rng.permutation(np.concatenate(parts)))
