"""Hard negatives from her own recordings: her voices and rooms, saying none of her words.

Without them a network may learn that every natural voice says one of the words, because the other words are
synthesized. A fragment is a half of a word, a word backwards, or its pieces in another order.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

VERSION = 1
"""Increment when the samples change: it is part of each clip's id."""
_PART_MS, _FADE_MS = 20, 8
_QUIET = 0.1
"""A part below this share of the loudest part's root mean square is outside of the word."""


def make(kind: str, clip: np.ndarray, other: np.ndarray, seed: int, rate_hz: int) -> np.ndarray:
    """int16 [samples] -> int16 [samples]: one kind of KINDS. other: a clip of another word, for pieces of both."""
    rng = np.random.default_rng([VERSION, list(KINDS).index(kind), seed])
    return np.asarray(KINDS[kind](clip, other, rng, rate_hz), np.int16)


def word_span(clip: np.ndarray, rate_hz: int) -> tuple[int, int]:
    """(first, last) sample of the loud part of a clip [n]; the whole clip when nothing stands out."""
    part = rate_hz * _PART_MS // 1000
    level = np.sqrt(np.mean(clip[: len(clip) // part * part].reshape(-1, part).astype(np.float64) ** 2, axis=1))
    loud = np.flatnonzero(level > _QUIET * level.max())
    if not len(loud) or level.max() == 0:
        return 0, len(clip)
    return int(loud[0]) * part, int(loud[-1] + 1) * part


def _first_half(clip: np.ndarray, _other: np.ndarray, rng: np.random.Generator, rate_hz: int) -> np.ndarray:
    first, last = word_span(clip, rate_hz)
    return _centred(clip[: first + int((last - first) * rng.uniform(0.3, 0.55))], first, len(clip), rate_hz)


def _last_half(clip: np.ndarray, _other: np.ndarray, rng: np.random.Generator, rate_hz: int) -> np.ndarray:
    first, last = word_span(clip, rate_hz)
    start = first + int((last - first) * rng.uniform(0.45, 0.7))
    return _centred(clip[start:], 0, len(clip), rate_hz)


def _backwards(clip: np.ndarray, _other: np.ndarray, _rng: np.random.Generator, _rate_hz: int) -> np.ndarray:
    return clip[::-1]


def _pieces(clip: np.ndarray, _other: np.ndarray, rng: np.random.Generator, rate_hz: int) -> np.ndarray:
    """The word in three to five pieces, never in their own order."""
    first, last = word_span(clip, rate_hz)
    count = int(rng.integers(3, 6))
    cuts = np.linspace(first, last, count + 1).astype(int)
    order = np.roll(np.arange(count), int(rng.integers(1, count)))
    if rng.random() < 0.5:
        order = order[::-1]
    pieces = [_faded(clip[cuts[number] : cuts[number + 1]], rate_hz) for number in order]
    return np.concatenate([clip[:first], *pieces, clip[last:]])


def _both(clip: np.ndarray, other: np.ndarray, _rng: np.random.Generator, rate_hz: int) -> np.ndarray:
    """The end of this word, then the beginning of another."""
    first, last = word_span(clip, rate_hz)
    begin, end = word_span(other, rate_hz)
    tail = _faded(clip[first + int((last - first) * 0.5) : last], rate_hz)
    head = _faded(other[begin : begin + int((end - begin) * 0.5)], rate_hz)
    return _centred(np.concatenate([tail, head]), 0, len(clip), rate_hz)


def _centred(piece: np.ndarray, first: int, samples: int, rate_hz: int) -> np.ndarray:
    """The piece from `first` on in the middle of a clip of silence."""
    kept = _faded(piece[first:], rate_hz)[:samples]
    before = (samples - len(kept)) // 2
    return np.pad(kept, (before, samples - len(kept) - before))


def _faded(piece: np.ndarray, rate_hz: int) -> np.ndarray:
    """Without a click at either end."""
    length = min(rate_hz * _FADE_MS // 1000, len(piece) // 2)
    shape = np.ones(len(piece))
    if length:
        shape[:length] = np.linspace(0, 1, length)
        shape[-length:] = np.linspace(1, 0, length)
    return np.asarray(np.round(piece * shape), np.int16)


KINDS: dict[str, Callable[[np.ndarray, np.ndarray, np.random.Generator, int], np.ndarray]] = {
    "first half": _first_half,
    "last half": _last_half,
    "backwards": _backwards,
    "pieces in another order": _pieces,
    "halves of two words": _both,
}
