"""A few seconds of sound as a microphone hears them: the phrase, or something else, among noise, speech and rooms.

    phrase   [ noise or speech | gap | phrase | gap | noise or speech ]     `end`: the sample after the phrase
    near     the same with a near miss: altered sounds, a part of the phrase, the phrase's sounds in another order
    speech   [ speech from beginning to end ]
    noise    [ noise, or nothing ]

Then a room, a microphone, noise at a signal-to-noise ratio, and a level. All draws come from one generator.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edgekws.data.phrase import effects
from edgekws.data.phrase.bank import EMPTY, Bank
from edgekws.data.reject import noise

PHRASE, NEAR, SPEECH, NOISE = "phrase", "near", "speech", "noise"
_FULL = 32_767
_AFTER_S = 0.36
"""What follows the phrase at least: the time in which it is to be detected."""


@dataclass(frozen=True)
class Strength:
    """How much scenes vary; each value is the limit of a uniform draw, in the unit of its name, or a probability."""

    level_dbfs: tuple[float, float] = (-48.0, -14.0)
    snr_db: tuple[float, float] = (0.0, 35.0)
    noisy: float = 0.8
    reverberant: float = 0.4
    neighbours: float = 0.4
    babble: float = 0.12
    tract: float = 0.16
    tempo: float = 0.2
    recorded_tract: float = 0.12
    recorded: float = 0.6
    """share of recordings among phrases, where there are many"""


@dataclass(frozen=True)
class Material:
    """What scenes are made of. synthetic, recorded: clips of the phrase; near: of near misses; speech: long, without
    the phrase; noises: recorded ones, more are synthesized. rooms: recorded impulse responses.
    """

    synthetic: Bank
    recorded: Bank = EMPTY
    near: Bank = EMPTY
    speech: Bank = EMPTY
    noises: Bank = EMPTY
    rooms: Bank = EMPTY
    rate_hz: int = 16_000
    strength: Strength = field(default_factory=Strength)


@dataclass(frozen=True)
class Scene:
    """samples: int16 [n]. end: the sample after the phrase, -1 without it. kind: PHRASE, NEAR, SPEECH or NOISE."""

    samples: np.ndarray
    end: int
    kind: str


def scene(material: Material, kind: str, samples: int, earliest: int, rng: np.random.Generator) -> Scene:
    """One scene of `samples`. earliest: the first sample at which the phrase may end."""
    end = -1
    if kind == NOISE:
        dry = np.zeros(samples, np.float32)
    elif kind == SPEECH:
        dry = _running(material, samples, rng)
    else:
        dry, end = _placed(material, kind, samples, earliest, rng)
    wet = _in_a_room(dry, material, rng) if rng.random() < 0.85 else dry
    return Scene(_finished(wet, material, rng), end if kind == PHRASE else -1, kind)


def _placed(
    material: Material, kind: str, samples: int, earliest: int, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """The phrase or a near miss in its scene, dry, and where it ends."""
    rate_hz = material.rate_hz
    clip = _phrase(material, rng) if kind == PHRASE else _near_miss(material, rng)
    latest = samples - int(_AFTER_S * rate_hz)
    clip = clip[-(latest - 1) :]
    end = int(rng.integers(min(max(earliest, len(clip)), latest - 1), latest))
    dry = np.zeros(samples, np.float32)
    dry[end - len(clip) : end] = clip
    for before in (True, False):
        if len(material.speech) and rng.random() < material.strength.neighbours:
            gap = int(rng.uniform(0.05, 0.5) * rate_hz)
            place = slice(0, max(0, end - len(clip) - gap)) if before else slice(min(samples, end + gap), samples)
            dry[place] = _running(material, place.stop - place.start, rng) if place.stop > place.start else 0
    return dry, end


def _phrase(material: Material, rng: np.random.Generator) -> np.ndarray:
    recorded, strength = material.recorded, material.strength
    share = strength.recorded * min(1.0, len(recorded) / 10) if len(material.synthetic) else 1.0
    if len(recorded) and rng.random() < share:
        return _varied(recorded, material, strength.recorded_tract, rng)
    return _varied(material.synthetic, material, strength.tract, rng)


def _near_miss(material: Material, rng: np.random.Generator) -> np.ndarray:
    """Half of the time another phrase, else pieces of the phrase."""
    if len(material.near) and rng.random() < 0.5:
        return _varied(material.near, material, material.strength.tract, rng)
    clip = _phrase(material, rng)
    return effects.scrambled(clip, material.rate_hz, rng) if rng.random() < 0.5 else effects.cut(clip, rng)


def _varied(bank: Bank, material: Material, tract: float, rng: np.random.Generator) -> np.ndarray:
    """A clip by another vocal tract, at a root mean square of 1."""
    clip = bank.clips[int(rng.integers(len(bank)))].astype(np.float32)
    if rng.random() < 0.85:
        clip = effects.spoken_otherwise(clip, material.rate_hz, rng, tract, material.strength.tempo)
    return _unit(clip)


def _running(material: Material, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Speech of one recording, at a root mean square of 1; by another voice a third of the time. float32 [samples]."""
    bank = material.speech if len(material.speech) else material.near
    if not len(bank):
        return _other_noise(material, samples, rng)
    parts: list[np.ndarray] = []
    while sum(map(len, parts)) < samples:
        clip = bank.clips[int(rng.integers(len(bank)))]
        wanted = int((samples - sum(map(len, parts))) * 1.25) + 800
        start = int(rng.integers(0, max(1, len(clip) - wanted)))
        piece = clip[start : start + wanted].astype(np.float32)
        if rng.random() < 0.35:
            piece = effects.resampled(piece, 1 + rng.uniform(-0.15, 0.15))
        parts += [_unit(piece), np.zeros(int(rng.uniform(0, 0.3) * material.rate_hz), np.float32)]
    return np.concatenate(parts)[:samples]


def _in_a_room(dry: np.ndarray, material: Material, rng: np.random.Generator) -> np.ndarray:
    if len(material.rooms) and rng.random() < material.strength.reverberant / 2:
        tail = material.rooms.clips[int(rng.integers(len(material.rooms)))].astype(np.float64)
        tail = tail[int(np.abs(tail).argmax()) :][: material.rate_hz // 2]
        return effects.filtered(dry, tail / max(abs(tail[0]), 1.0), material.rate_hz, rng)
    return effects.in_a_room(dry, material.rate_hz, rng, rng.random() < material.strength.reverberant)


def _finished(wet: np.ndarray, material: Material, rng: np.random.Generator) -> np.ndarray:
    """With noise, babble and a level: float32 [n] at any scale -> int16 [n]."""
    strength = material.strength
    sounding = wet[np.abs(wet) > 0.05 * max(float(np.abs(wet).max()), 1e-9)]
    power = float(np.sqrt(np.mean(sounding**2))) if len(sounding) else 0.0
    wet = wet / power if power > 0 else wet
    if rng.random() < strength.noisy or power == 0:
        wet = wet + _other_noise(material, len(wet), rng) * _gain(rng.uniform(*strength.snr_db))
    if power > 0 and len(material.speech) and rng.random() < strength.babble:
        wet = wet + _running(material, len(wet), rng) * _gain(rng.uniform(8, 25))
    wet = wet + rng.normal(size=len(wet)) * _gain(rng.uniform(25, 60))
    level = _FULL * 10 ** (rng.uniform(*strength.level_dbfs) / 20)
    if power == 0:
        level *= 10 ** (-rng.uniform(0, 40) / 20)
    return np.asarray(np.clip(np.round(wet * level), -_FULL - 1, _FULL), np.int16)


def _gain(snr_db: float) -> float:
    return float(10 ** (-snr_db / 20))


def _other_noise(material: Material, samples: int, rng: np.random.Generator) -> np.ndarray:
    """A recorded noise, or one of edgekws.data.reject.noise, at a root mean square of 1. float32 [samples]."""
    if len(material.noises) and rng.random() < 0.6:
        clip = material.noises.clips[int(rng.integers(len(material.noises)))]
        start = int(rng.integers(0, max(1, len(clip) - samples)))
        return _unit(np.resize(clip[start : start + samples].astype(np.float32), samples))
    kinds = [name for name in noise.KINDS if name != "digital silence"]
    sound = noise.KINDS[kinds[int(rng.integers(len(kinds)))]](rng, samples, material.rate_hz)
    return _unit(sound.astype(np.float32))


def _unit(sound: np.ndarray) -> np.ndarray:
    """At a root mean square of 1 where it sounds; silence stays."""
    peak = float(np.abs(sound).max(initial=0.0))
    if peak == 0:
        return sound
    loud = sound[np.abs(sound) > 0.05 * peak]
    return np.asarray(sound / float(np.sqrt(np.mean(loud**2))), np.float32)
