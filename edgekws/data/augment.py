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
    """how far a clip is moved, earlier or later"""
    speed_percent: Annotated[int, Field(ge=0, le=50)] = 10
    """how much faster or slower it is played"""
    noise_probability: Annotated[float, Field(ge=0, le=1)] = 0.8
    """how often background noise is added"""
    noise_volume: Annotated[float, Field(ge=0, le=1)] = 0.1
    """highest noise amplitude relative to full scale"""
    time_mask_frames: Annotated[int, Field(ge=0, le=40)] = 2
    """the longest run of frames that is blanked"""
    coefficient_mask: Annotated[int, Field(ge=0, le=8)] = 0
    """the longest run of coefficients that is blanked"""
    mix_probability: Annotated[float, Field(ge=0, le=1)] = 0.0
    """how often another clip of the batch is added, at up to half of its amplitude"""


@dataclass(frozen=True)
class Draws:
    """What was drawn for each of n clips, in the order of the batch."""

    percents: np.ndarray
    """int64 [n]: how much faster a clip is played"""
    offsets: np.ndarray
    """int64 [n]: how many samples later it begins"""
    shares: np.ndarray
    """float32 [n]: the amplitude at which the clip before it is added"""
    volumes: np.ndarray
    """float64 [n]: of the noise, relative to full scale"""
    starts: np.ndarray
    """int64 [n]: where the noise begins"""


@dataclass(frozen=True)
class Masks:
    """The frames and coefficients that are blanked, bool [n, frames] and [n, coefficients]."""

    frames: np.ndarray
    coefficients: np.ndarray


def augment_samples(
    clips: np.ndarray, noise: np.ndarray, spec: AugmentSpec, rate_hz: int, rng: np.random.Generator
) -> np.ndarray:
    """int16 [n, clip_samples] -> float32 [n, clip_samples] in +-1. noise: int16 [m]."""
    drawn = draw(spec, clips.shape, len(noise), rate_hz, rng)
    scaled = clips.astype(np.float32) / 32_768
    moves = zip(scaled, drawn.percents.tolist(), drawn.offsets.tolist(), strict=True)
    moved = np.stack([_shift(_speed(clip, percent), offset) for clip, percent, offset in moves])
    return _add_noise(_mix(moved, drawn.shares), noise, drawn)


def draw(
    spec: AugmentSpec, shape: tuple[int, ...], noise_samples: int, rate_hz: int, rng: np.random.Generator
) -> Draws:
    """All random numbers that `augment_samples` uses for clips of shape [n, clip_samples]."""
    count, length = shape
    limits = np.tile([spec.speed_percent, int(spec.shift_ms * rate_hz / 1000)], count)
    percents, offsets = rng.integers(-limits, limits + 1).reshape(count, 2).T
    shares, volumes, starts = np.zeros(count), np.zeros(count), np.zeros(count, np.int64)
    if spec.mix_probability > 0:
        shares = rng.uniform(0, 0.5, count) * (rng.random(count) < spec.mix_probability)
    if noise_samples > length and spec.noise_volume > 0:
        volumes = rng.uniform(0, spec.noise_volume, count) * (rng.random(count) < spec.noise_probability)
        starts = rng.integers(0, noise_samples - length, count)
    return Draws(percents, offsets, shares.astype(np.float32), volumes, starts)


def mask_features(features: np.ndarray, spec: AugmentSpec, rng: np.random.Generator) -> np.ndarray:
    """Blank one run of frames and one of coefficients per clip with that clip's mean. [n, frames, coefficients]."""
    return masked(features, draw_masks(spec, features.shape, rng))


def masked(features: np.ndarray, masks: Masks) -> np.ndarray:
    """What `mask_features` makes of these random numbers; of the type of `features`."""
    fill = features.mean(axis=1, keepdims=True).astype(features.dtype)
    shown = np.where(masks.frames[:, :, None], fill, features)
    return np.asarray(np.where(masks.coefficients[:, None], fill, shown))


def draw_masks(spec: AugmentSpec, shape: tuple[int, ...], rng: np.random.Generator) -> Masks:
    """All random numbers that `mask_features` uses for features of shape [n, frames, coefficients]."""
    count, frames, coefficients = shape
    hidden = _runs(count, frames, spec.time_mask_frames, rng)
    return Masks(hidden, _runs(count, coefficients, spec.coefficient_mask, rng))


def _speed(clip: np.ndarray, percent: int) -> np.ndarray:
    """Play up to speed_percent faster or slower around the middle, in steps of 1 % (linear interpolation)."""
    if percent == 0:
        return clip
    whole, fraction = resampling(len(clip), percent)
    framed = np.pad(clip, 1)  # a faster clip is silent before it begins and holds its last sample after it ends
    left = np.take(framed, whole, mode="clip")
    right = np.take(framed, whole + 1, mode="clip")
    right -= left
    right *= fraction
    right += left
    return right


@lru_cache(maxsize=128)
def resampling(length: int, percent: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each output sample lies in the clip framed by zeros: (whole int64, fraction float32)."""
    middle = (length - 1) / 2
    positions = (np.arange(length) - middle) * (1 + percent / 100) + middle + 1
    positions = np.clip(positions, 0, length)
    whole = np.floor(positions).astype(np.int64)
    return whole, (positions - whole).astype(np.float32)


def _shift(clip: np.ndarray, offset: int) -> np.ndarray:
    shifted = np.zeros_like(clip)
    if offset >= 0:
        shifted[offset:] = clip[: len(clip) - offset]
    else:
        shifted[:offset] = clip[-offset:]
    return shifted


def _mix(clips: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Add to some clips the one before them."""
    if not shares.any():
        return clips
    return np.asarray(clips + np.roll(clips, 1, axis=0) * shares[:, None])


def _add_noise(clips: np.ndarray, noise: np.ndarray, drawn: Draws) -> np.ndarray:
    length = clips.shape[1]
    for number in np.flatnonzero(drawn.volumes):
        piece = noise[drawn.starts[number] : drawn.starts[number] + length].astype(np.float32)
        clips[number] += piece * np.float32(drawn.volumes[number] / 32_768)
    return clips


def _runs(count: int, size: int, widest: int, rng: np.random.Generator) -> np.ndarray:
    """One run of at most `widest` places of `size` for each clip, bool [count, size]."""
    widths = np.asarray(rng.integers(0, widest + 1, count))
    starts = rng.integers(0, size - widths + 1)
    places = np.arange(size)
    return np.asarray((places >= starts[:, None]) & (places < (starts + widths)[:, None]))
