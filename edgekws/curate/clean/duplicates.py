"""The same recording more than once.

Exact: equal samples once padding is taken away, wherever in the clip they stand. Near: log-mel spectra that agree
down to their details, which do not know loudness, so that a copy that is louder or encoded anew is found too; one
that noise was added to, or that was moved in time by more than some milliseconds, is not. Clips without speech are
all alike and not compared in this way.
A pair within one label costs space and counts a speaker twice; in two labels, one of them is wrong; in two splits,
the score on the second flatters.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from edgekws.curate.clean.clips import Clips
from edgekws.curate.clean.faults import unpadded

DUPLICATE = "duplicate"
_ALIKE = 0.82
"""Cosine of two standardized spectra. Among 4,000 clips of Speech Commands, copies at half the volume or through
Vorbis have 0.92 at the median and more, different takes of one speaker 0.7 at most."""
_SKETCH, _SKETCH_ALIKE = 96, 0.68
_ROWS = 1024


@dataclass(frozen=True)
class Pair:
    """Clip `number` is a copy of the earlier clip `original`. alike: 1 for exact copies."""

    number: int
    original: int
    alike: float


def find(clips: Clips, spectra: np.ndarray, speech: np.ndarray) -> list[Pair]:
    """Each clip that repeats an earlier one, once.

    spectra: float32 [n, frames, cepstra], as `probe.spectra` makes them; speech: bool [n], clips that may be compared
    by them.
    """
    exact = _exact(clips)
    compared = speech.copy()
    compared[[pair.number for pair in exact]] = False
    numbers = np.flatnonzero(compared)
    near = _near(spectra[numbers]) if len(numbers) else []
    return exact + [Pair(int(numbers[pair.number]), int(numbers[pair.original]), pair.alike) for pair in near]


def score(clips: Clips, pair: Pair) -> float:
    """Worse across labels or splits than within one; near copies count a little less than exact ones."""
    one, other = pair.number, pair.original
    across = clips.labels[one] != clips.labels[other] or clips.splits[one] != clips.splits[other]
    return float((0.97 if across else 0.7) * pair.alike)


def detail(clips: Clips, pair: Pair) -> str:
    """Of which clip it is a copy, in words."""
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
                continue  # silent clips are found as that
            original = first.setdefault(hashlib.sha256(sound.tobytes()).digest(), number)
            if original != number:
                pairs.append(Pair(number, original, 1.0))
    return pairs


def _near(spectra: np.ndarray) -> list[Pair]:
    """All pairs are compared by a short sketch first, those that agree by everything."""
    unit = ((spectra - spectra.mean(axis=0)) / (spectra.std(axis=(0, 1)) + 1e-6)).reshape(len(spectra), -1)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True) + 1e-9
    rng = np.random.default_rng(0)
    sketch = unit @ (rng.standard_normal((unit.shape[1], _SKETCH)) / np.sqrt(_SKETCH)).astype(np.float32)
    sketch /= np.linalg.norm(sketch, axis=1, keepdims=True) + 1e-9
    found: dict[int, tuple[float, int]] = {}
    for start in range(0, len(unit), _ROWS):
        rows = sketch[start : start + _ROWS]
        later, earlier = np.nonzero(rows @ sketch[: start + len(rows)].T > _SKETCH_ALIKE)
        keep = earlier < later + start
        for number, original in zip((later[keep] + start).tolist(), earlier[keep].tolist(), strict=True):
            alike = float(unit[number] @ unit[original])
            if alike > max(_ALIKE, found.get(number, (0.0, 0))[0]):
                found[number] = (alike, original)
    return [Pair(number, original, min(alike, 0.999)) for number, (alike, original) in sorted(found.items())]
