"""Batches of one epoch: which clips, how they are augmented, and their features."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from edgekws.data.augment import augment_samples, mask_features
from edgekws.data.dataset import Split
from edgekws.errors import ConfigError
from edgekws.features import extract
from edgekws.recipe import TrainSection
from edgekws.training.device_batches import DeviceBatches
from edgekws.training.prior import frequencies
from edgekws.training.scoring import network_input
from edgekws.training.task import Task

Prepare = Callable[[np.ndarray, np.random.Generator], tuple[torch.Tensor, torch.Tensor]]
"""(numbers of training clips, random numbers) -> inputs float32 [n, 1, frames, coefficients], labels int64 [n]"""


@dataclass(frozen=True)
class Part:
    """Clips of a batch that are computed together: all, or one slot.

    inputs: float32 [n, 1, frames, coefficients]; labels: int64 [n]; share: of the batch's clips, 0..1.
    """

    inputs: torch.Tensor
    labels: torch.Tensor
    share: float


def preparation(task: Task, device: torch.device) -> Prepare:
    """How clips become inputs: on the CPU by NumPy, elsewhere on the device, with the same random numbers."""
    if device.type != "cpu":
        return DeviceBatches(task, device)
    split = task.dataset.splits["train"]

    def prepare(chosen: np.ndarray, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        clips = np.stack([split.samples[index] for index in chosen])
        augmented = augment_samples(clips, task.dataset.noise, task.augment, task.features.rate_hz, rng)
        heard = extract.recorded(task.features, augmented)
        features = mask_features(extract.features(task.features, heard), task.augment, rng)
        return network_input(features, task.features), torch.from_numpy(split.labels[chosen])

    return prepare


def batches(
    task: Task, prepare: Prepare, epoch: int, count: int, slots: Sequence[int] | None = None
) -> Iterator[list[Part]]:
    """The batches of one epoch, prepared one ahead on another thread: one part each, or these slots of it.

    Random numbers are drawn from (seed, epoch, batch), and with slots from (seed, epoch, batch, slot): they do not
    depend on the process that has the slot. Raises ConfigError when a batch has fewer clips than slots.
    """
    order = draw(
        task.dataset.splits["train"], task.plan, len(task.dataset.labels), np.random.default_rng([task.seed, epoch])
    )

    def make(number: int) -> list[Part]:
        chosen = order[number * task.plan.batch : (number + 1) * task.plan.batch]
        if slots is None:
            return [Part(*prepare(chosen, np.random.default_rng([task.seed, epoch, number])), 1.0)]
        pieces = _pieces(chosen, task.plan.slots or 1)
        return [
            Part(
                *prepare(pieces[slot], np.random.default_rng([task.seed, epoch, number, slot])),
                len(pieces[slot]) / len(chosen),
            )
            for slot in slots
        ]

    with ThreadPoolExecutor(1) as pool:
        upcoming = pool.submit(make, 0)
        for number in range(count):
            batch = upcoming.result()
            if number + 1 < count:
                upcoming = pool.submit(make, number + 1)
            yield batch


def _pieces(chosen: np.ndarray, slots: int) -> list[np.ndarray]:
    """Equal runs of a batch; they differ by one clip where the whole data set is smaller than a batch."""
    if len(chosen) < slots:
        hint = "give --slots with a smaller number, or more recordings"
        raise ConfigError("each slot should have a clip", got=f"{len(chosen)} clips, {slots} slots", hint=hint)
    return np.array_split(chosen, slots)


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
