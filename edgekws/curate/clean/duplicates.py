"""The same recording more than once.

Exact: equal samples after padding is removed, at any offset. Near: nearly equal log-mel spectra, independent of
loudness, so that copies at another volume or re-encoded ones are detected too. Copies with added noise, or shifted in
time by more than some milliseconds, are not. Clips without speech all resemble each other and are not compared in this
way. A pair within one label wastes space and counts a speaker twice; with two labels, one of them is wrong; in two
splits, the score on the second is too optimistic.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from edgekws.curate.clean.clips import Clips
from edgekws.curate.clean.faults import unpadded

DUPLICATE = "duplicate"
_MIN_SIMILARITY = 0.82
"""Cosine of two standardized spectra. Among 4,000 clips of Speech Commands, copies at half the volume or through
Vorbis have 0.92 at the median and more, different takes of one speaker 0.7 at most."""
_SKETCH, _MIN_SKETCH_SIMILARITY = 96, 0.68
_ROWS = 1024


@dataclass(frozen=True)
class Pair:
    """Clip `number` is a copy of the earlier clip `original`. alike: cosine similarity, 1 for exact copies."""

    number: int
    original: int
    alike: float


def find(clips: Clips, spectra: np.ndarray, speech: np.ndarray) -> list[Pair]:
    """Each clip that repeats an earlier one, once.

    spectra: float32 [n, frames, cepstra], as `probe.spectra` makes them; speech: bool [n], clips to compare by
    spectra.
    """
    exact = _exact(clips)
    compared = speech.copy()
    compared[[pair.number for pair in exact]] = False
    numbers = np.flatnonzero(compared)
    near = _near(spectra[numbers]) if len(numbers) else []
    return exact + [Pair(int(numbers[pair.number]), int(numbers[pair.original]), pair.alike) for pair in near]


def score(clips: Clips, pair: Pair) -> float:
    """0..1: higher across labels or splits than within one; near copies score slightly less than exact ones."""
    one, other = pair.number, pair.original
    across = clips.labels[one] != clips.labels[other] or clips.splits[one] != clips.splits[other]
    return float((0.97 if across else 0.7) * pair.alike)


def detail(clips: Clips, pair: Pair) -> str:
    """Text that names the original."""
    home = pair.original
    split = f" in {clips.splits[home]}" if clips.splits[home] else ""
    kind = "the same as" if pair.alike == 1 else f"{100 * pair.alike:.1f} % alike"
    return f"{kind} {clips.ids[home]} ({clips.words[clips.labels[home]]}{split})"


def _exact(clips: Clips) -> list[Pair]:
    first: dict[bytes, int] = {}
    pairs = []
    for numbers, samples in clips.blocks():
        for number, clip in zip(numbers.tolist(), samples, strict=True):
            sound = unpadded(clip)
            if not len(sound):
                continue  # silent clips have a reason of their own
            original = first.setdefault(hashlib.sha256(sound.tobytes()).digest(), number)
            if original != number:
                pairs.append(Pair(number, original, 1.0))
    return pairs


def _near(spectra: np.ndarray) -> list[Pair]:
    """Pairs are compared by a random projection first; similar ones by the full spectra."""
    unit = ((spectra - spectra.mean(axis=0)) / (spectra.std(axis=(0, 1)) + 1e-6)).reshape(len(spectra), -1)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True) + 1e-9
    rng = np.random.default_rng(0)
    sketch = unit @ (rng.standard_normal((unit.shape[1], _SKETCH)) / np.sqrt(_SKETCH)).astype(np.float32)
    sketch /= np.linalg.norm(sketch, axis=1, keepdims=True) + 1e-9
    copies: dict[int, tuple[float, int]] = {}
    for start in range(0, len(unit), _ROWS):
        rows = sketch[start : start + _ROWS]
        later, earlier = np.nonzero(rows @ sketch[: start + len(rows)].T > _MIN_SKETCH_SIMILARITY)
        keep = earlier < later + start
        for number, original in zip((later[keep] + start).tolist(), earlier[keep].tolist(), strict=True):
            alike = float(unit[number] @ unit[original])
            if alike > max(_MIN_SIMILARITY, copies.get(number, (0.0, 0))[0]):
                copies[number] = (alike, original)
    return [Pair(number, original, min(alike, 0.999)) for number, (alike, original) in sorted(copies.items())]
