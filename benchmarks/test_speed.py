"""Speed on this machine: pytest benchmarks on noise of the right shape.

Compare within one run only: shared machines are noisy.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgekws.data.augment import AugmentSpec, augment_samples, mask_features
from edgekws.features.mfcc import mfcc
from edgekws.features.spec import FeatureSpec
from edgekws.graph import interp
from edgekws.machine import keep_freed_memory
from edgekws.nets import dscnn
from edgekws.quant import lower, ptq
from edgekws.quant.frontends import torch_fx
from edgekws.recipe import QuantSection
from edgekws.training.scoring import network_input

SPEC = FeatureSpec()
BATCH = 128


@pytest.fixture(scope="module")
def clips():
    keep_freed_memory()
    return np.random.default_rng(0).integers(-8_000, 8_000, (BATCH, SPEC.clip_samples)).astype(np.int16)


@pytest.fixture(scope="module")
def inputs(clips):
    return network_input(mfcc(SPEC, clips), SPEC)


def test_mfcc_batch(benchmark, clips):
    benchmark.extra_info["clips"] = BATCH
    benchmark(mfcc, SPEC, clips)


def test_mfcc_clip(benchmark, clips):
    benchmark(mfcc, SPEC, clips[:1])


def test_augmented_batch(benchmark, clips):
    noise, spec = np.random.default_rng(1).integers(-8_000, 8_000, 500_000).astype(np.int16), AugmentSpec()

    def make():
        rng = np.random.default_rng(2)
        return mask_features(mfcc(SPEC, augment_samples(clips, noise, spec, SPEC.rate_hz, rng)), spec, rng)

    benchmark(make)


@pytest.mark.parametrize("kind", ["float", "w8", "w4", "w2"])
def test_training_step(benchmark, inputs, kind):
    """One step of the DS-CNN, batch 128, with the optimizer; compare the quantized ones with the float one."""
    network = dscnn.build(12)
    if kind != "float":
        network = quantized(network, inputs, weight_bits=int(kind[1:]))
    network.train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    x, labels = inputs.contiguous(memory_format=torch.channels_last), torch.zeros(BATCH, dtype=torch.long)

    def step():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x), labels).backward()
        optimizer.step()
        if kind != "float":
            network.after_step()

    benchmark.pedantic(step, rounds=30, warmup_rounds=3)


def quantized(network, inputs, **plan):
    return ptq.quantize(torch_fx.trace(network), inputs, QuantSection(**plan))


def test_interpreter(benchmark, inputs):
    network = quantized(dscnn.build(12), inputs)
    graph = lower.lower(network, SPEC, tuple("abcdefghijkl"), "speed")
    features = np.random.default_rng(0).integers(-128, 128, (BATCH, *SPEC.shape)).astype(np.int8)
    benchmark.extra_info["clips"] = BATCH
    benchmark.pedantic(interp.run, (graph, features), rounds=5, warmup_rounds=1)
