"""Other words said by an installed speech engine: espeak-ng, many voices and languages, the same at every call.

One call of the engine reads many words, with pauses between them; the clips are cut out of that track. Each track gets
a room, a microphone and a noise floor of its own, because synthesized speech is cleaner than any recording.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from edgekws.data.reject import noise
from edgekws.data.reject.vocabulary import WORDS
from edgekws.errors import DataError

VERSION = 1
"""Increment when the samples change: it is part of each clip's id."""
ENGINE = "espeak-ng"
_LANGUAGES = (
    "en-us", "en-gb", "en-gb-scotland", "en-029", "en-gb-x-rp", "en-us-nyc", "en-us", "en-gb", "fr-fr", "de", "es",
    "it", "pl", "nl", "pt-br", "sv", "ru", "tr", "hi", "cmn-latn-pinyin", "sw", "fi",
)  # fmt: skip
"""English words read by the rules of other languages are words that nobody has heard, which is what is wanted."""
_VARIANTS = (
    "male1", "female1", "Adam", "Alicia", "male3", "female2", "klatt2", "Annie", "male5", "female3", "Ed", "Linda",
    "male7", "female4", "Jacky", "Steph", "male8", "female5", "Michael", "Andrea", "klatt4", "anika", "Mike", "Belinda",
)  # fmt: skip
_WORDS_PER_TRACK = 24
_PAUSE_MS, _PART_MS = 350, 20
_TIMEOUT_S = 60
_HEADER_BYTES = 44
_FALLBACK = "en"


@dataclass(frozen=True)
class Track:
    """What one call says: `words` by one voice. number: of the track, which also seeds its room."""

    number: int
    voice: str
    words: tuple[str, ...]

    @property
    def id(self) -> str:
        return f"{ENGINE}-{VERSION}/{self.number:03d}-{self.voice}"


def available() -> bool:
    """Whether the engine is installed."""
    return shutil.which(ENGINE) is not None


def tracks(count: int, without: Iterable[str]) -> list[Track]:
    """`count` tracks of other words than `without`. The first ones are the same for every count."""
    refused = {_plain(word) for word in without}
    words = [word for word in WORDS if _plain(word) not in refused]
    found = []
    for number in range(count):
        rng = np.random.default_rng([VERSION, number])
        chosen = tuple(str(word) for word in rng.permutation(words)[:_WORDS_PER_TRACK])
        voice = f"{_LANGUAGES[number % len(_LANGUAGES)]}+{_VARIANTS[number % len(_VARIANTS)]}"
        found.append(Track(number, voice, chosen))
    return found


def clip(track: Track, number: int, samples: int, rate_hz: int) -> np.ndarray:
    """int16 [samples]: word `number` of the track; of every third track a piece of continuous speech instead.

    Raises DataError when the engine fails.
    """
    sound, cuts = _said(track, rate_hz)
    rng = np.random.default_rng([VERSION, track.number, number])
    if track.number % 3 == 2:
        start = int(rng.integers(0, max(1, len(sound) - samples)))
        return _fit(sound[start : start + samples], samples, rng)
    first, last = cuts[number % len(cuts)]
    middle = (first + last - samples) // 2
    return _fit(sound[max(0, middle) : max(0, middle) + samples], samples, rng)


@lru_cache(maxsize=4)
def _said(track: Track, rate_hz: int) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """The whole track as float64 [n] in +-1, and where its words are: (first, last) samples."""
    import soxr

    rng = np.random.default_rng([VERSION, track.number, 1 << 20])
    pause_ms = _PAUSE_MS if track.number % 3 != 2 else 1
    pause = f'<break time="{pause_ms}ms"/>'
    options = ["-p", str(rng.integers(15, 85)), "-s", str(rng.integers(110, 220)), "-m", "--stdout"]
    spoken = _engine(track.voice, [*options, f"<speak>{pause.join(track.words)}</speak>"])
    from_hz = int.from_bytes(spoken[24:28], "little")
    dry = np.asarray(soxr.resample(np.frombuffer(spoken[_HEADER_BYTES:], "<i2").astype(np.float64), from_hz, rate_hz))
    sound = _in_a_room(dry / max(float(np.abs(dry).max()), 1.0), rate_hz, rng)
    return sound, _cuts(dry, rate_hz)


def _engine(voice: str, options: list[str]) -> bytes:
    """A WAV file; by another voice where this installation lacks the one asked for."""
    for name in (voice, _FALLBACK):
        try:
            done = subprocess.run([ENGINE, "-v", name, *options], check=True, capture_output=True, timeout=_TIMEOUT_S)
        except (OSError, subprocess.SubprocessError) as error:
            problem: Exception = error
        else:
            if len(done.stdout) > _HEADER_BYTES:
                return done.stdout
            problem = DataError("sound", got="none")
    hint = "repair its installation, or give other words with --other-words or --speech-commands"
    raise DataError(f"{ENGINE} should say words with the voice {voice}", got=str(problem), hint=hint) from problem


def _in_a_room(dry: np.ndarray, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """A decaying tail, a microphone's frequency response, and a noise floor. [n] -> [n]."""
    decay_s = rng.uniform(0.02, 0.25)
    length = int(3 * decay_s * rate_hz)
    tail = rng.normal(size=length) * np.exp(-np.arange(length) / (decay_s * rate_hz)) * rng.uniform(0.005, 0.06)
    tail[0] += 1
    size = noise.fast_length(len(dry) + length)
    spectrum = np.fft.rfft(dry, size) * np.fft.rfft(tail, size)
    hz = np.fft.rfftfreq(size, 1 / rate_hz)
    gains_db = np.interp(np.log2(hz + 60), np.linspace(6, 13, 7), rng.normal(0, 4, 7))
    wet = np.fft.irfft(spectrum * 10 ** (gains_db / 20), size)[: len(dry)]
    floor = noise.coloured(rng, len(dry), rng.uniform(0, 1))
    floor *= np.sqrt(np.mean(wet**2)) / np.sqrt(np.mean(floor**2)) * 10 ** (rng.uniform(-50, -12) / 20)
    return np.asarray(wet + floor)


def _cuts(dry: np.ndarray, rate_hz: int) -> list[tuple[int, int]]:
    """The runs of sound between pauses; the whole track when there is no pause."""
    part = rate_hz * _PART_MS // 1000
    loud = np.abs(dry[: len(dry) // part * part]).reshape(-1, part).max(axis=1) > 0.02 * np.abs(dry).max()
    gap = _PAUSE_MS // _PART_MS // 2
    joined = np.convolve(loud, np.ones(gap), "same") > 0
    edges = np.flatnonzero(np.diff(np.concatenate([[False], joined, [False]]).astype(int)))
    return [(int(a) * part, int(b) * part) for a, b in zip(edges[::2], edges[1::2], strict=True)] or [(0, len(dry))]


def _fit(piece: np.ndarray, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Padded to the length of a clip, at a level drawn between -30 and 0 dB. float [n] -> int16 [samples]."""
    short = samples - len(piece)
    padded = np.pad(piece, (short // 2, short - short // 2)) if short > 0 else piece
    peak = 32_767 * 10 ** (rng.uniform(-30, 0) / 20)
    return np.asarray(np.round(padded / max(float(np.abs(padded).max()), 1e-9) * peak), np.int16)


def _plain(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())
