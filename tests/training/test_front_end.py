"""Trainings on MLPerf Tiny's inputs: what the float network and its teachers get."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from edgekws.errors import ArtifactError
from edgekws.features.cache import input_statistics
from edgekws.features.mfcc import to_network
from edgekws.features.presets import MLPERF
from edgekws.nets import dscnn
from edgekws.recipe import Recipe
from edgekws.training.batches import preparation
from edgekws.training.device_batches import DeviceBatches
from edgekws.training.ensemble import for_inputs_of
from edgekws.training.scoring import network_input
from edgekws.training.task import Task

FITTED = MLPERF.with_statistics(np.linspace(-15, 0, 10), np.linspace(24, 1, 10))
OWN = replace(FITTED, rounding="nearest")


def features(count=4):
    return np.random.default_rng(0).normal(0, 8, (count, 49, 10)).astype(np.float32)


def test_the_float_network_gets_the_truncated_coefficients():
    x = network_input(features(), MLPERF)[:, 0].numpy()
    steps = to_network(MLPERF, features())
    assert np.allclose(x, (steps - 83) * 0.5847029089927673, atol=1e-5)
    assert (np.abs(x - features()) < 0.5848).mean() > 0.99 and np.array_equal(steps, np.trunc(steps))


@pytest.mark.parametrize("change", [{"arithmetic": "fixed"}, {"arithmetic": "fixed", "level": "stream"}])
def test_a_device_gets_the_integers_of_the_boards(change, prepared):
    task = Task(prepared, replace(OWN, **change), Recipe().augment, Recipe().train, 0)
    chosen = np.arange(4)
    for_cpu, _ = preparation(task, torch.device("cpu"))(chosen, np.random.default_rng(5))
    for_device, _ = DeviceBatches(task, torch.device("cpu"))(chosen, np.random.default_rng(5))
    different = (for_cpu - for_device).abs() > 1e-3
    assert different.float().mean() < 0.05  # a sample may round to the other side


def test_a_device_prepares_the_same_inputs(prepared):
    task = Task(
        prepared, MLPERF, replace(Recipe().augment, noise_probability=0, shift_ms=0, speed_percent=0), Recipe().train, 0
    )
    chosen, seed = np.arange(8), [1, 2]
    host, _ = preparation(task, torch.device("cpu"))(chosen, np.random.default_rng(seed))
    device, _ = DeviceBatches(task, torch.device("cpu"))(chosen, np.random.default_rng(seed))
    assert ((host - device).abs() < 1e-5).float().mean() > 0.99  # else a sum is at the edge of a step


def test_statistics_are_those_of_the_inputs(prepared):
    mean, deviation = input_statistics(prepared, MLPERF)
    network = dscnn.build(12, standardize=True)
    network.standardize.fit(torch.from_numpy(mean), torch.from_numpy(deviation))
    from edgekws.features.cache import features_of

    x = network.train().standardize(network_input(np.asarray(features_of(prepared, "train", MLPERF)), MLPERF))
    assert x.mean((0, 1, 2)).abs().max() < 1e-3 and (x.std((0, 1, 2)) - 1).abs().max() < 1e-2


def test_a_teacher_gets_the_features_on_its_own_scales():
    teacher = nn.Flatten()
    fine = replace(MLPERF, input_scale=(0.4,) * 10, input_zero_point=(0,) * 10)
    own = network_input(features(), OWN)
    converted = for_inputs_of(fine, teacher, OWN, "the teacher")(network_input(features(), fine))
    largest = 0.4 * 1.001 / min(OWN.input_scale) / 32  # of step 0, which has both signs; elsewhere half of that
    assert (converted - own.flatten(1)).abs().max() < largest
    assert for_inputs_of(OWN, teacher, OWN, "the teacher") is teacher


def test_a_teacher_of_another_front_end_is_refused():
    with pytest.raises(ArtifactError, match=r"the teacher a should have the features.*mel_bands 32, not 40"):
        for_inputs_of(MLPERF, nn.Flatten(), replace(OWN, mel_bands=32), "the teacher a")
