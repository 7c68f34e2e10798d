"""Which synthesized clips say the phrase: by their agreement with each other, or with recordings of it.

A clip is compared with references by dynamic time warping of its MFCC (Sakoe and Chiba, IEEE ASSP 26, 1978). What is
far from what other engines say is a misreading, a stutter or noise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgekws.data.phrase.bank import Bank
from edgekws.features.mfcc import mfcc
from edgekws.features.spec import FeatureSpec

_POINTS = 32
_REFERENCES, _NEAREST = 48, 5
_FAR, _LEAST_SPREAD, _FARTHEST = 3.0, 0.25, 1.7
_SHORT, _LONG = 0.5, 1.9
_CLIPPED_SHARE, _FULL_SCALE = 0.002, 32_700
DISTANT, LENGTH, CLIPPED = "unlike the others", "too short or too long", "clipped"
_MAD = 1.4826
"""Median absolute deviation -> standard deviation of a normal distribution."""


@dataclass(frozen=True)
class Judged:
    """kept: the clips that say the phrase. refused: engine -> reason -> clips; said: engine -> clips before."""

    kept: Bank
    said: dict[str, int]
    refused: dict[str, dict[str, int]]


def judged(said: Bank, recordings: Bank, rate_hz: int) -> Judged:
    """Refuse clips that are clipped, of another length, or unlike what others say.

    They are compared with the recordings when there are at least five, and otherwise with clips of other engines (of
    other voices where there is one engine).
    """
    every = said + recordings if len(recordings) >= _NEAREST else said
    if not len(said):
        return Judged(said, {}, {})
    lengths = np.array([len(clip) for clip in every.clips])
    shapes = _shapes(every, rate_hz)
    distances = _distances(shapes, every.names, len(said))
    usual = float(np.median(lengths[len(said) :] if len(every) > len(said) else lengths))
    engines = [name.split("/")[0] for name in said.names]
    distant = distances > _limits(distances, np.array(engines))
    reasons = [_reason(clip, len(clip) / usual, far) for clip, far in zip(said.clips, distant, strict=True)]
    refused: dict[str, dict[str, int]] = {}
    for (engine, reason), count in Counter(zip(engines, reasons, strict=True)).items():
        if reason:
            refused.setdefault(engine, {})[reason] = count
    return Judged(said.chosen([at for at, reason in enumerate(reasons) if not reason]), Counter(engines), refused)


def _limits(distances: np.ndarray, engines: np.ndarray) -> np.ndarray:
    """How far each clip may be, float64 [n]: three deviations from what is usual of its engine, whose timbre may be
    far from that of the others; but not far from what is usual of all.
    """
    limits, overall = np.zeros(len(distances)), float(np.median(distances))
    for engine in set(engines):
        own = distances[engines == engine]
        middle = float(np.median(own))
        spread = max(_FAR * _MAD * float(np.median(np.abs(own - middle))), _LEAST_SPREAD * middle)
        limits[engines == engine] = min(middle + spread, _FARTHEST * overall)
    return limits


def _reason(clip: np.ndarray, relative_length: float, is_far: bool) -> str:
    if not _SHORT <= relative_length <= _LONG:
        return LENGTH
    if np.mean(np.abs(clip.astype(np.int32)) >= _FULL_SCALE) > _CLIPPED_SHARE:
        return CLIPPED
    return DISTANT if is_far else ""


def _distances(shapes: np.ndarray, names: Sequence[str], count: int) -> np.ndarray:
    """float64 [count]: how far each of the first clips is from its references, the mean of the nearest ones."""
    if len(shapes) > count:
        return _nearest(warped(shapes[:count], shapes[count:]))
    references = _spread(names)
    table = warped(shapes, shapes[references])
    part = 0 if len({name.split("/")[0] for name in names}) > 1 else slice(None)
    who = np.array(["/".join(np.atleast_1d(name.split("/")[part])) for name in names])
    same = who[:, None] == who[references][None, :]
    alone = same.all(axis=1, keepdims=True)
    return _nearest(np.where(same & ~alone, np.inf, table))


def _nearest(table: np.ndarray) -> np.ndarray:
    closest = np.sort(table, axis=1)[:, :_NEAREST]
    finite = np.isfinite(closest)
    return np.asarray(np.where(finite, closest, 0).sum(axis=1) / finite.sum(axis=1))


def _spread(names: Sequence[str]) -> np.ndarray:
    """Numbers of at most _REFERENCES clips, as many of each engine as there are."""
    engines: dict[str, list[int]] = {}
    for at, name in enumerate(names):
        engines.setdefault(name.split("/")[0], []).append(at)
    share = max(1, _REFERENCES // len(engines))
    return np.array([at for each in engines.values() for at in each[:: max(1, len(each) // share)][:share]])


def _shapes(bank: Bank, rate_hz: int) -> np.ndarray:
    """float32 [n, _POINTS, coefficients]: cepstra without their mean, stretched to the same length."""
    base = FeatureSpec(rate_hz=rate_hz, high_hz=min(6_000.0, rate_hz / 2), hop_samples=rate_hz // 100)
    longest = max(*map(len, bank.clips), base.window_samples)
    spec = replace(base, clip_samples=longest)
    results = []
    for clip in bank.clips:
        values = mfcc(spec, np.pad(clip, (0, longest - len(clip)))[None])[0][:, 1:]
        frames = max(2, min(len(values), 1 + (len(clip) - spec.window_samples) // spec.hop_samples))
        places = np.linspace(0, frames - 1, _POINTS)
        whole = np.minimum(places.astype(int), frames - 2)
        part = (places - whole)[:, None]
        shape = values[whole] * (1 - part) + values[whole + 1] * part
        results.append(shape - shape.mean(axis=0))
    shapes = np.stack(results)
    return np.asarray(shapes / np.maximum(shapes.std(axis=(0, 1)), 1e-6), np.float32)


def warped(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Distances by dynamic time warping, of [n, t, c] and [m, t, c]: float32 [n, m], all pairs at once."""
    length = ours.shape[1]
    above = np.full((length + 1, len(ours), len(theirs)), np.inf, np.float32)
    above[0] = 0
    for i in range(length):
        row = np.full_like(above, np.inf)
        for j in range(length):
            step = np.sqrt(np.maximum(_squared(ours[:, i], theirs[:, j]), 0))
            row[j + 1] = step + np.minimum(np.minimum(row[j], above[j + 1]), above[j])
        above = row
    return np.asarray(above[length] / length)


def _squared(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    return np.asarray((one**2).sum(1)[:, None] + (two**2).sum(1)[None] - 2 * one @ two.T)
