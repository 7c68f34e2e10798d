"""Words embedded in noise and rooms, by a seed: streams in which everything about every word is known.

    gap 0.6-2 s | word, in a room, at a level of -32 to -20 dBFS | gap | word ...
    + noise of another recording around each word, at a signal-to-noise ratio

Each recording of a word is used once; conditions are dealt in turn. The level of speech is its root mean square between
onset and end of the word, the level of noise that of the whole noise recording. Onset and end are found by energy,
before the word comes into a room, whose direct sound stays in place: what rings on does not count as the word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from edgekws.data import utterances
from edgekws.detect.evaluation.streams import Piece, Word

GAP_S, LEVEL_DBFS = (0.6, 2.0), (-32.0, -20.0)
_MARGIN_S, _FADE_S, _CROSSFADE_S = 0.15, 0.01, 0.05
_FLOOR_RMS = 2.0
"""Of white noise, in int16 steps, everywhere: what a converter adds."""
_FULL_SCALE = 32_768.0


class Spoken(NamedTuple):
    """A recording of one word, int16 [n]. keyword: index into the detector's keywords. speaker: "" where unknown."""

    keyword: int
    samples: np.ndarray
    speaker: str
    name: str


class Room(NamedTuple):
    """An impulse response, float [n]."""

    name: str
    response: np.ndarray


class Condition(NamedTuple):
    """snr_db: None for no noise. room: None for none."""

    snr_db: float | None
    room: Room | None = None

    @property
    def name(self) -> str:
        noise = "clean" if self.snr_db is None else f"{self.snr_db:g} dB"
        return f"{noise}, {self.room.name}" if self.room else noise


@dataclass(frozen=True)
class Scene:
    """samples: int16 [n]. located: words whose onset and end were found; the others count from end to end."""

    name: str
    samples: np.ndarray
    words: tuple[Word, ...]
    pieces: tuple[Piece, ...]
    located: int


def conditions(snrs_db: Sequence[float | None], rooms: Sequence[Room]) -> list[Condition]:
    """Every ratio without a room and, if there are rooms, in one room each, in turn."""
    dry = [Condition(snr) for snr in snrs_db]
    return dry + [Condition(snr, rooms[number % len(rooms)]) for number, snr in enumerate(snrs_db) if rooms]


def compose(
    spoken: Sequence[Spoken], noises: Sequence[np.ndarray], each: Sequence[Condition], rate_hz: int, seed: int
) -> Iterator[Scene]:
    """A scene for each condition that gets words. noises: int16 [n] each; needed where a condition has noise.

    The same arguments give the same samples.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(spoken))
    for number, condition in enumerate(each):
        own = [spoken[index] for index in order[number :: len(each)].tolist()]
        if own:
            yield _scene(own, noises, condition, rate_hz, np.random.default_rng([seed, number]))


def located(samples: np.ndarray, rate_hz: int) -> tuple[int, int, bool]:
    """(onset, end, whether they were found) of the word in int16 [n]."""
    found = [each for each in utterances.find(samples, rate_hz, len(samples)) if each.keep]
    if not found:
        return 0, len(samples), False
    loudest = max(found, key=lambda each: each.level_db)
    return loudest.start, loudest.stop, True


def _scene(
    spoken: Sequence[Spoken],
    noises: Sequence[np.ndarray],
    condition: Condition,
    rate_hz: int,
    rng: np.random.Generator,
) -> Scene:
    clips = [_clip(each, rate_hz) for each in spoken]
    gaps = (rng.uniform(*GAP_S, len(clips) + 1) * rate_hz).astype(int)
    starts = np.cumsum([gap + len(clip.samples) for gap, clip in zip(gaps, clips, strict=False)])
    starts -= [len(clip.samples) for clip in clips]
    stream = rng.normal(0, _FLOOR_RMS, int(starts[-1]) + len(clips[-1].samples) + int(gaps[-1]))
    levels = _FULL_SCALE * 10 ** (rng.uniform(*LEVEL_DBFS, len(clips)) / 20)
    words = []
    for clip, start, level in zip(clips, starts.tolist(), levels.tolist(), strict=True):
        _add(stream, start, clip.wet(condition.room) * (level / clip.rms))
        room = condition.room.name if condition.room else ""
        own = clip.spoken
        words.append(
            Word(own.keyword, start + clip.onset, start + clip.end, own.speaker, own.name, condition.snr_db, room)
        )
    if condition.snr_db is not None:
        targets = levels * 10 ** (-condition.snr_db / 20)
        edges = [0, *((starts[1:] + [word.end for word in words[:-1]]) // 2).tolist(), len(stream)]
        for first, last, target in zip(edges, edges[1:], targets.tolist(), strict=False):
            _add(stream, first, _noise(noises, last - first, target, rate_hz, rng))
    pieces = tuple(Piece(start, each.name) for start, each in zip(starts.tolist(), spoken, strict=True))
    samples = np.clip(np.rint(stream), -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
    return Scene(condition.name, samples, tuple(words), pieces, sum(clip.is_located for clip in clips))


class _Clip(NamedTuple):
    """The word with a little of what is around it, faded at both ends. onset, end: in these samples."""

    spoken: Spoken
    samples: np.ndarray
    onset: int
    end: int
    rms: float
    is_located: bool

    def wet(self, room: Room | None) -> np.ndarray:
        """In a room: longer, with the direct sound where the word is."""
        return self.samples if room is None else convolved(self.samples, room.response)


def _clip(spoken: Spoken, rate_hz: int) -> _Clip:
    onset, end, found = located(spoken.samples, rate_hz)
    margin = int(_MARGIN_S * rate_hz)
    first, last = max(onset - margin, 0), min(end + margin, len(spoken.samples))
    samples = spoken.samples[first:last].astype(np.float64)
    rms = float(np.sqrt(np.mean(samples[onset - first : end - first] ** 2)))
    return _Clip(spoken, _faded(samples, int(_FADE_S * rate_hz)), onset - first, end - first, max(rms, 1.0), found)


def convolved(samples: np.ndarray, response: np.ndarray) -> np.ndarray:
    """samples in a room: the response begins with its direct sound, the highest sample, and has it as its unit."""
    direct = int(np.argmax(np.abs(response)))
    tail = response[direct:] / response[direct]
    size = len(samples) + len(tail) - 1
    padded = 1 << (size - 1).bit_length()
    return np.asarray(np.fft.irfft(np.fft.rfft(samples, padded) * np.fft.rfft(tail, padded), padded)[:size])


def _noise(noises: Sequence[np.ndarray], count: int, rms: float, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """A part of one recording, repeated where it is shorter, that fades over from the one before."""
    noise = noises[int(rng.integers(len(noises)))].astype(np.float64)
    level = float(np.sqrt(np.mean(noise**2)))
    fade = int(_CROSSFADE_S * rate_hz)
    start = int(rng.integers(len(noise)))
    part = np.take(noise, np.arange(start, start + count + fade), mode="wrap")
    return _faded(part * (rms / max(level, 1.0)), fade)


def _faded(samples: np.ndarray, fade: int) -> np.ndarray:
    fade = min(fade, len(samples) // 2)
    if fade:
        ramp = np.sin(np.linspace(0, np.pi / 2, fade)) ** 2
        samples[:fade] *= ramp
        samples[-fade:] *= ramp[::-1]
    return samples


def _add(stream: np.ndarray, start: int, samples: np.ndarray) -> None:
    """What goes beyond the end of the stream is cut."""
    part = samples[: len(stream) - start]
    stream[start : start + len(part)] += part


def noise_parts(noises: Iterable[np.ndarray]) -> list[np.ndarray]:
    """Those that are not silent."""
    return [noise for noise in noises if len(noise) and np.abs(noise.astype(np.int32)).max() > 1]
