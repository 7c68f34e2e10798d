"""A stream: scenes of words and speech, each with its own loudness, room and noise.

    scene  [  speech units with pauses between them  ] -> room -> + noise at an SNR -> loudness
    unit   keyword | other word | part of a word | two words joined | piece of a long recording

Everything is drawn from one generator, so the same seed gives the same stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from edgekws.data.scenes import rooms
from edgekws.data.scenes.recordings import Recordings
from edgekws.data.scenes.targets import Heard
from edgekws.data.scenes.words import Words

_TRIES = 20
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class ComposeSpec:
    """What streams are made of. The shares of the units in a scene of words need not sum to 1."""

    scene_s: tuple[float, float] = (4.0, 9.0)
    """shortest and longest scene"""
    keyword: float = 0.6
    """share of whole keywords among the units of a scene of words"""
    other_word: float = 0.2
    """share of other words"""
    part: float = 0.06
    """share of first or last parts of keywords, which are no keywords"""
    splice: float = 0.08
    """share of near misses: the first part of one word and the last part of another"""
    speech: float = 0.1
    """share of short pieces of long recordings"""
    dense: Share = 0.25
    """share of scenes of words in which one word follows the other at once"""
    speech_scenes: Share = 0.28
    """share of scenes with nothing but long recordings"""
    noise_scenes: Share = 0.05
    """share of scenes with nothing but noise"""
    snr_db: tuple[float, float] = (3.0, 40.0)
    """of the speech over the noise, both by their mean power"""
    quiet: Share = 0.25
    """share of scenes without noise, but for that of a converter"""
    babble: Share = 0.1
    """share of noises that are speech of long recordings"""
    room: Share = 0.3
    """share of scenes in a room; half of the rooms are drawn where recorded ones are given"""
    level_dbfs: tuple[float, float] = (-42.0, -14.0)
    """mean power of speech while it is heard"""
    tilt: Share = 0.3
    """how much brighter or duller a scene is, as microphones are: y[t] = x[t] - a x[t - 1], a at most this"""
    speed_percent: int = 10
    """how much faster or slower a word is played, at most; speech is up to twice as much"""


@dataclass(frozen=True)
class Sources:
    """What a stream may be made of. keywords: the labels of `words` that are keywords.

    speech, noise: without any keyword; either may be empty. rooms: recorded impulse responses, int16 [n] each.
    """

    words: Words
    keywords: tuple[int, ...]
    speech: Recordings
    noise: Recordings
    rooms: Sequence[np.ndarray]
    rate_hz: int


@dataclass(frozen=True)
class Stream:
    """samples int16 [n], and the speech in them, in the order of time."""

    samples: np.ndarray
    heard: tuple[Heard, ...]


class Composer:
    """Composes streams from `sources`; `compose` may be called by several threads."""

    def __init__(self, spec: ComposeSpec, sources: Sources) -> None:
        self.spec, self.sources = spec, sources
        labels = sources.words.labels
        self._members = [np.flatnonzero(labels == label) for label in sources.keywords]
        self._members = [members for members in self._members if len(members)]
        self._others = np.flatnonzero(~np.isin(labels, sources.keywords))

    def compose(self, count: int, rng: np.random.Generator) -> Stream:
        """A stream of `count` samples."""
        samples, heard, at = np.zeros(count, np.float32), [], 0
        while at < count:
            length = min(int(rng.uniform(*self.spec.scene_s) * self.sources.rate_hz), count - at)
            scene, speech = self._scene(length, rng)
            samples[at : at + length] = scene
            heard += [Heard(each.start + at, each.stop + at, each.label) for each in speech]
            at += length
        return Stream(np.clip(np.rint(samples), -32_768, 32_767).astype(np.int16), tuple(heard))

    def _scene(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, list[Heard]]:
        kind = rng.random()
        dry, heard = np.zeros(count, np.float32), list[Heard]()
        if kind < self.spec.speech_scenes and not self.sources.speech.is_empty:
            dry = self._speech(count, rng)
            heard = _spoken(dry, self.sources.rate_hz)
        elif kind < 1 - self.spec.noise_scenes:
            heard = self._fill(dry, rng)
        dry = _tilted(dry, rng.uniform(-self.spec.tilt, self.spec.tilt))
        power = _active_power(dry, heard)
        wet = rooms.heard_in(self._room(rng), dry) if heard and rng.random() < self.spec.room else dry
        level = 32_768 * 10 ** (rng.uniform(*self.spec.level_dbfs) / 20)
        return wet * np.float32(level / np.sqrt(power)) + self._noise(count, level, bool(heard), rng), heard

    def _fill(self, scene: np.ndarray, rng: np.random.Generator) -> list[Heard]:
        """Put units into a silent scene, one after the other."""
        rate, heard = self.sources.rate_hz, list[Heard]()
        at, longest_s = int(rng.uniform(0, 0.4) * rate), 0.3 if rng.random() < self.spec.dense else 1.2
        while True:
            unit, start, stop, label = self._unit(rng)
            if at + len(unit) > len(scene):
                return heard
            scene[at : at + len(unit)] += unit
            heard.append(Heard(at + start, at + stop, label))
            at += stop + int(rng.uniform(longest_s / 4, longest_s) * rate)

    def _unit(self, rng: np.random.Generator) -> tuple[np.ndarray, int, int, int | None]:
        """(samples of mean power 1 while heard, start, stop, label or None)"""
        spec = self.spec
        weights = np.array([spec.keyword, spec.other_word, spec.part, spec.splice, spec.speech])
        weights[1] *= len(self._others) > 0
        weights[4] *= not self.sources.speech.is_empty
        kind = rng.choice(len(weights), p=weights / weights.sum())
        if kind == 4:
            count = int(rng.uniform(0.3, 2.0) * self.sources.rate_hz)
            return _faded(_unit_power(self._speech(count, rng), 0, count)), 0, count, None
        number = self._other(rng) if kind == 1 else self._keyword(rng)
        clip, start, stop = self._word(number, rng)
        if kind == 2:
            clip, start, stop = _part(clip, start, stop, rng)
        if kind == 3:
            clip, start, stop = _splice((clip, start, stop), self._word(self._another(number, rng), rng), rng)
        label = int(self.sources.words.labels[number]) if kind == 0 else None
        return clip, start, stop, label

    def _keyword(self, rng: np.random.Generator) -> int:
        return int(rng.choice(self._members[rng.integers(len(self._members))]))

    def _other(self, rng: np.random.Generator) -> int:
        return int(rng.choice(self._others))

    def _another(self, number: int, rng: np.random.Generator) -> int:
        """A word with another label than clip `number` has, where there is one."""
        for _ in range(_TRIES):
            found = self._other(rng) if len(self._others) and rng.random() < 0.5 else self._keyword(rng)
            if self.sources.words.labels[found] != self.sources.words.labels[number]:
                break
        return found

    def _word(self, number: int, rng: np.random.Generator) -> tuple[np.ndarray, int, int]:
        """A clip at another speed, with some of what is around the word in it: (samples, start, stop)."""
        words, rate = self.sources.words, self.sources.rate_hz
        start, stop = int(words.starts[number]), int(words.ends[number])
        margins = rng.uniform(0.03, 0.25, 2) * rate
        first, last = max(0, start - int(margins[0])), min(words.samples.shape[1], stop + int(margins[1]))
        ratio = 1 + rng.uniform(-self.spec.speed_percent, self.spec.speed_percent) / 100
        clip = _resampled(words.samples[number, first:last].astype(np.float32), ratio)
        start, stop = int((start - first) / ratio), min(int((stop - first) / ratio), len(clip))
        return _faded(_unit_power(clip, start, stop)), start, stop

    def _speech(self, count: int, rng: np.random.Generator) -> np.ndarray:
        ratio = 1 + 2 * rng.uniform(-self.spec.speed_percent, self.spec.speed_percent) / 100
        piece = self.sources.speech.piece(int(count * ratio) + 2, rng)
        return _resampled(piece, ratio)[:count]

    def _room(self, rng: np.random.Generator) -> np.ndarray:
        recorded = self.sources.rooms
        if len(recorded) and rng.random() < 0.5:
            return rooms.varied(recorded[int(rng.integers(len(recorded)))], self.sources.rate_hz, rng)
        return rooms.drawn(self.sources.rate_hz, rng)

    def _noise(self, count: int, level: float, spoken: bool, rng: np.random.Generator) -> np.ndarray:
        """level: amplitude of the speech."""
        floor = rng.standard_normal(count).astype(np.float32) * np.float32(rng.uniform(0.3, 12))
        if self.sources.noise.is_empty or (spoken and rng.random() < self.spec.quiet):
            return floor
        babble = spoken and not self.sources.speech.is_empty and rng.random() < self.spec.babble
        noise = (self.sources.speech if babble else self.sources.noise).piece(count, rng)
        low, high = self.spec.snr_db
        snr_db = rng.uniform(max(low, 8.0), high) if babble else rng.uniform(low, high)
        power = max(float(np.square(noise).mean()), 1.0)
        return floor + noise * np.float32(level * 10 ** (-snr_db / 20) / np.sqrt(power))


def _spoken(samples: np.ndarray, rate_hz: int) -> list[Heard]:
    """Where a piece of speech is less than 35 dB below its loudest block of 100 ms."""
    block = rate_hz // 10
    count = len(samples) // block
    power = np.square(samples[: count * block].reshape(count, block)).mean(1)
    loud = np.concatenate([[False], power > max(power.max(initial=0.0) * 10**-3.5, 1.0), [False]])
    starts, stops = np.flatnonzero(~loud[:-1] & loud[1:]), np.flatnonzero(loud[:-1] & ~loud[1:])
    return [Heard(int(start) * block, int(stop) * block, None) for start, stop in zip(starts, stops, strict=True)]


def _active_power(samples: np.ndarray, heard: Sequence[Heard]) -> float:
    """Mean power where speech is, at least 1e-6."""
    spoken = [samples[each.start : each.stop] for each in heard]
    return max(float(np.square(np.concatenate(spoken)).mean()), 1e-6) if spoken else 1.0


def _tilted(samples: np.ndarray, amount: float) -> np.ndarray:
    tilted = samples.copy()
    tilted[1:] -= np.float32(amount) * samples[:-1]
    return tilted


def _unit_power(samples: np.ndarray, start: int, stop: int) -> np.ndarray:
    power = float(np.square(samples[start:stop]).mean()) if stop > start else 1.0
    return np.asarray(samples / np.float32(np.sqrt(max(power, 1.0))))


def _faded(samples: np.ndarray, fade: int = 160) -> np.ndarray:
    """With a fade of 10 ms at 16 kHz at both ends, in place."""
    fade = min(fade, len(samples) // 2)
    if fade:
        ramp = np.linspace(0, 1, fade, dtype=np.float32)
        samples[:fade] *= ramp
        samples[-fade:] *= ramp[::-1]
    return samples


def _resampled(samples: np.ndarray, ratio: float) -> np.ndarray:
    """Played `ratio` times as fast, by linear interpolation."""
    places = np.arange(int(len(samples) / ratio)) * ratio
    return np.asarray(np.interp(places, np.arange(len(samples)), samples), np.float32)


Placed = tuple[np.ndarray, int, int]


def _part(clip: np.ndarray, start: int, stop: int, rng: np.random.Generator) -> Placed:
    """The first or the last 20 to 45 % of the word."""
    cut = start + int((stop - start) * rng.uniform(0.2, 0.45))
    if rng.random() < 0.5:
        return _faded(clip[:cut].copy()), start, cut
    cut = start + stop - cut
    return _faded(clip[cut:].copy()), 0, stop - cut


def _splice(first: Placed, second: Placed, rng: np.random.Generator) -> Placed:
    """The first part of one word and the last part of another, joined where they are quiet."""
    (a, start, stop), (b, begin, end) = first, second
    left = a[: _quiet(a, start, stop, rng)]
    right = b[_quiet(b, begin, end, rng) :]
    joined = np.concatenate([_faded(left.copy(), 80), _faded(right.copy(), 80)])
    return joined, start, len(left) + max(end - (len(b) - len(right)), 1)


def _quiet(clip: np.ndarray, start: int, stop: int, rng: np.random.Generator) -> int:
    """The quietest of some places in the middle of a word."""
    places = start + ((stop - start) * rng.uniform(0.35, 0.6, 4)).astype(int)
    energies = [float(np.square(clip[max(place - 80, 0) : place + 80]).sum()) for place in places]
    return int(places[int(np.argmin(energies))])
