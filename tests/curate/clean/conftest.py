"""Clips that are made for these tests: tones for words, with noise, so that a probe learns them in seconds."""

from __future__ import annotations

import numpy as np
import pytest

from edgekws.curate.clean.clips import Clips

RATE_HZ = 16_000
WORDS = ("low", "middle", "high", "rising")


def word(number, rng):
    """int16 [16000]: one of four sounds, somewhere in the clip, over noise."""
    length = int(rng.integers(4_000, 7_000))
    time = np.arange(length) / RATE_HZ
    start_hz, end_hz = ((300, 300), (900, 900), (2500, 2500), (300, 2500))[number]
    pitch = start_hz + (end_hz - start_hz) * np.arange(length) / length
    tone = np.sin(2 * np.pi * np.cumsum(pitch * rng.uniform(0.9, 1.1)) / RATE_HZ + rng.uniform(0, 6)) * np.hanning(
        length
    )
    clip = rng.normal(0, 60, RATE_HZ)
    at = int(rng.integers(1_000, RATE_HZ - length - 1_000))
    clip[at : at + length] += tone * rng.uniform(3_000, 12_000) + 0 * time
    return np.round(clip).astype(np.int16)


def clips_of(samples, labels, words=WORDS, splits=None):
    ids = tuple(f"{words[label]}/{number:04d}.wav" for number, label in enumerate(labels))
    splits = splits or ("train",) * len(ids)
    return Clips("made", words, ids, np.asarray(labels), splits, RATE_HZ, lambda chosen: samples[chosen], "0" * 64)


@pytest.fixture(scope="session")
def spoken():
    """(samples int16 [240, 16000], true labels [240])."""
    rng = np.random.default_rng(0)
    labels = np.arange(240) % len(WORDS)
    return np.stack([word(label, rng) for label in labels]), labels
