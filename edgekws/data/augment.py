"""Augmentation of a training batch: drawn again for each batch, reproducible from its random generator.

    clip -> speed +- -> time shift -> + another clip -> + background noise -> MFCC -> SpecAugment masks

SpecAugment: Park et al., arXiv 1904.08779. Shift and noise: the Speech Commands tutorial's ranges. Mixing is for
knowledge distillation, where the teacher labels the mixture (Beyer et al., arXiv 2106.05237); the label itself is
that of the louder clip.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
from pydantic import Field


@dataclass(frozen=True)
class AugmentSpec:
    """Each strength is a maximum, and the draw is uniform below it. 0 switches a step off."""

    shift_ms: Annotated[float, Field(ge=0, lt=1000)] = 100.0
    speed_percent: Annotated[int, Field(ge=0, le=50)] = 10
    noise_probability: Annotated[float, Field(ge=0, le=1)] = 0.8
    noise_volume: Annotated[float, Field(ge=0, le=1)] = 0.1
    """highest noise amplitude relative to full scale"""
    time_mask_frames: Annotated[int, Field(ge=0, le=40)] = 2
    coefficient_mask: Annotated[int, Field(ge=0, le=8)] = 0
    mix_probability: Annotated[float, Field(ge=0, le=1)] = 0.0
    """how often another clip of the batch is added, at up to half of its amplitude"""


def augment_samples(
    clips: np.ndarray, noise: np.ndarray, spec: AugmentSpec, rate_hz: int, rng: np.random.Generator
) -> np.ndarray:
    """int16 [n, clip_samples] -> float32 [n, clip_samples] in +-1. noise: int16 [m]."""
    scaled = clips.astype(np.float32) / 32_768
    shifted = np.stack([_shift(_speed(clip, spec, rng), spec, rate_hz, rng) for clip in scaled])
    return _add_noise(_mix(shifted, spec, rng), noise, spec, rng)


def mask_features(features: np.ndarray, spec: AugmentSpec, rng: np.random.Generator) -> np.ndarray:
    """Blank one run of frames and one of coefficients per clip with that clip's mean. [n, frames, coefficients]."""
    fill = features.mean(axis=1, keepdims=True)
    masked = _mask_axis(features, fill, spec.time_mask_frames, 1, rng)
    return _mask_axis(masked, fill, spec.coefficient_mask, 2, rng)


def _speed(clip: np.ndarray, spec: AugmentSpec, rng: np.random.Generator) -> np.ndarray:
    """Play up to speed_percent faster or slower around the middle, in steps of 1 % (linear interpolation)."""
    percent = int(rng.integers(-spec.speed_percent, spec.speed_percent + 1))
    if percent == 0:
        return clip
    whole, fraction = _resampling(len(clip), percent)
    framed = np.pad(clip, 1)  # a faster clip is silent before it begins and holds its last sample after it ends
    left = np.take(framed, whole, mode="clip")
    right = np.take(framed, whole + 1, mode="clip")
    right -= left
    right *= fraction
    right += left
    return right


@lru_cache(maxsize=64)
def _resampling(length: int, percent: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each output sample lies in the clip framed by zeros: (whole int64, fraction float32)."""
    middle = (length - 1) / 2
    positions = (np.arange(length) - middle) * (1 + percent / 100) + middle + 1
    positions = np.clip(positions, 0, length)
    whole = np.floor(positions).astype(np.int64)
    return whole, (positions - whole).astype(np.float32)


def _shift(clip: np.ndarray, spec: AugmentSpec, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    limit = int(spec.shift_ms * rate_hz / 1000)
    offset = int(rng.integers(-limit, limit + 1))
    shifted = np.zeros_like(clip)
    if offset >= 0:
        shifted[offset:] = clip[: len(clip) - offset]
    else:
        shifted[:offset] = clip[-offset:]
    return shifted


def _mix(clips: np.ndarray, spec: AugmentSpec, rng: np.random.Generator) -> np.ndarray:
    """Add to some clips the one before them."""
    if spec.mix_probability == 0:
        return clips
    shares = rng.uniform(0, 0.5, len(clips)) * (rng.random(len(clips)) < spec.mix_probability)
    return clips + np.roll(clips, 1, axis=0) * shares.astype(np.float32)[:, None]


def _add_noise(clips: np.ndarray, noise: np.ndarray, spec: AugmentSpec, rng: np.random.Generator) -> np.ndarray:
    length = clips.shape[1]
    if len(noise) <= length or spec.noise_volume == 0:
        return clips
    volumes = rng.uniform(0, spec.noise_volume, len(clips)) * (rng.random(len(clips)) < spec.noise_probability)
    starts = rng.integers(0, len(noise) - length, len(clips))
    for number in np.flatnonzero(volumes):
        piece = noise[starts[number] : starts[number] + length].astype(np.float32)
        clips[number] += piece * np.float32(volumes[number] / 32_768)
    return clips


def _mask_axis(values: np.ndarray, fill: np.ndarray, widest: int, axis: int, rng: np.random.Generator) -> np.ndarray:
    count, size = len(values), values.shape[axis]
    widths = np.asarray(rng.integers(0, widest + 1, count))
    starts = rng.integers(0, size - widths + 1)
    places = np.arange(size)
    hidden = (places >= starts[:, None]) & (places < (starts + widths)[:, None])
    return np.where(np.expand_dims(hidden, 2 if axis == 1 else 1), fill, values)
