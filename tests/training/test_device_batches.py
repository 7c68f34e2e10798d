"""Augmentation and features on a device are those of NumPy, with the same random numbers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from edgekws.data.augment import AugmentSpec
from edgekws.features import cache
from edgekws.features.spec import FeatureSpec
from edgekws.recipe import TrainSection
from edgekws.training import device_batches, loop, processes
from edgekws.training.batches import preparation
from edgekws.training.task import Task

CLIPS = 48
EVERYTHING = AugmentSpec(
    shift_ms=300, speed_percent=30, noise_probability=0.7, noise_volume=0.3, time_mask_frames=5, coefficient_mask=3,
    mix_probability=0.5,
)  # fmt: skip
NOTHING = AugmentSpec(
    shift_ms=0, speed_percent=0, noise_volume=0, time_mask_frames=0, coefficient_mask=0, mix_probability=0
)


@pytest.fixture(scope="module")
def task(prepared):
    return Task(prepared, cache.fit_spec(prepared, FeatureSpec()), EVERYTHING, TrainSection(batch=CLIPS), seed=5)


@pytest.mark.parametrize("spec", [EVERYTHING, AugmentSpec(), NOTHING], ids=["everything", "default", "nothing"])
@pytest.mark.parametrize("resident", [True, False])
def test_inputs_are_those_of_numpy(task, monkeypatch, spec, resident):
    monkeypatch.setattr(device_batches, "_fits", lambda *_: resident)
    chosen, task = np.arange(0, 4 * CLIPS, 4), replace(task, augment=spec)
    expected, labels = preparation(task, processes.CPU)(chosen, np.random.default_rng(1))
    got, same = device_batches.DeviceBatches(task, processes.CPU)(chosen, np.random.default_rng(1))
    assert torch.equal(labels, same) and got.shape == expected.shape and got.dtype == torch.float32
    assert (got - expected).abs().max() < 1e-3


def test_mixed_precision_is_for_cuda_or_on_request_and_never_for_integers(task):
    cuda, cpu = processes.Group(torch.device("cuda")), processes.ALONE
    asked = replace(task, plan=TrainSection(precision="bf16"))
    assert loop._mixed_precision(task, cuda) and not loop._mixed_precision(task, cpu)
    assert loop._mixed_precision(asked, cpu)
    assert not loop._mixed_precision(replace(task, plan=TrainSection(precision="float32")), cuda)
    assert not loop._mixed_precision(replace(asked, quantized=True), cuda)


def test_losses_are_averaged():
    losses = loop.Losses()
    for value in range(7):
        losses.add(torch.tensor(float(value)))
    assert losses.recent() == losses.mean() == 3.0
