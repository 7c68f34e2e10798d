"""Speed of the fixed-point front end on this machine: the definition in NumPy, and the C of the boards.

Compare within one run only: shared machines are noisy. `extra_info` has the frames of one round.
"""

from __future__ import annotations

import numpy as np
import pytest

from edgekws.features import extract, fixed
from edgekws.features.spec import FeatureSpec

SPEC = FeatureSpec(arithmetic="fixed", level="stream")
CLIPS = 64


@pytest.fixture(scope="module")
def clips():
    return np.random.default_rng(0).integers(-8_000, 8_000, (CLIPS, SPEC.clip_samples)).astype(np.int16)


@pytest.mark.parametrize("compute", [fixed.cepstra, extract.features], ids=["numpy", "c"])
@pytest.mark.parametrize("spec", [SPEC, FeatureSpec(arithmetic="fixed")], ids=["stream", "clip"])
def test_clips(benchmark, clips, compute, spec):
    """Audio of 64 s, the sums of the DCT."""
    compute(spec, clips[:1])  # compiles
    benchmark.extra_info["frames"] = CLIPS * spec.frames
    benchmark(compute, spec, clips)


@pytest.mark.parametrize("hops", [1, 50])
def test_stream(benchmark, clips, hops):
    """Blocks of one hop, as a microphone gives them, and of a second."""
    front, samples = extract.front_end(SPEC), clips.reshape(-1)[: hops * SPEC.hop_samples]
    benchmark.extra_info["frames"] = hops
    benchmark(front.push, samples)
