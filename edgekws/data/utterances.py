"""Where the words are in a recording that is longer than a clip: energy of short frames against the noise floor.

energy of 10 ms frames -> runs above the floor -> pauses inside a word closed -> clicks and faint sounds set aside
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

FRAME_MS = 10
_PAUSE_FRAMES = 20
"""A pause up to 200 ms is inside of a word: plosives, or the words of a short phrase."""
_CLICK_FRAMES = 6
_RANGE_DB = 10.0
"""With less between floor and peak there is no telling a word from the noise."""
_EDGE, _CORE = (4.0, 0.15), (8.0, 0.40)
"""A run begins and ends at the edge level and reaches the core level: dB above the floor, share of the range."""
_FAINT_SHARE = 0.05
"""Of the median energy: breaths, chairs, a television next door."""
_STEP_DB = 2.0


@dataclass(frozen=True)
class Utterance:
    """Samples [start, stop) of a sound. level_db: its loudest frame, relative to full scale. note: why not to keep."""

    start: int
    stop: int
    level_db: float
    keep: bool = True
    note: str = ""


def find(samples: np.ndarray, rate_hz: int, clip_samples: int) -> tuple[Utterance, ...]:
    """The utterances in int16 [n], in order, with those set aside; none when nothing stands out of the noise.

    A recording of up to two clips holds one word: what fits into a clip is taken together, else the strongest.
    """
    levels = _levels(samples, rate_hz)
    runs = _runs(levels, clip_samples * 1000 // (rate_hz * FRAME_MS))
    frame = rate_hz * FRAME_MS // 1000
    energies = np.array([float((10 ** (levels[first:last] / 10)).sum()) for first, last in runs])
    if not runs:
        return ()
    found = tuple(
        Utterance(first * frame, min(last * frame, len(samples)), round(float(levels[first:last].max()), 1))
        for first, last in runs
    )
    marked = _marked(found, energies, runs)
    return _only_one(marked, energies, clip_samples) if len(samples) <= 2 * clip_samples else marked


def windows(parts: list[tuple[int, int]], length: int, clip_samples: int) -> list[tuple[int, int]]:
    """Samples [start, stop) of the clip around each part, centred; no clip holds half of a neighbour.

    parts: (start, stop) in order. length: samples of the recording. A part longer than a clip stays as it is.
    """
    made = []
    for number, (start, stop) in enumerate(parts):
        if stop - start >= clip_samples:
            made.append((start, stop))
            continue
        low = (parts[number - 1][1] + start) // 2 if number else 0
        high = (stop + parts[number + 1][0]) // 2 if number + 1 < len(parts) else length
        wanted = (start + stop - clip_samples) // 2
        first = max(low, min(wanted, high - clip_samples))
        made.append((first, min(high, first + clip_samples)))
    return made


def _levels(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    """dB relative to full scale of each frame, float64 [frames]; rumble is attenuated, and three frames averaged."""
    scaled = samples.astype(np.float32) / 32_768
    frame = rate_hz * FRAME_MS // 1000
    count = len(samples) // frame
    frames = scaled[: count * frame].reshape(count, frame)
    powers = np.square(frames - frames.mean(axis=1, keepdims=True)).mean(axis=1, dtype=np.float64)
    smooth = np.convolve(powers, np.ones(3) / 3, mode="same")
    return np.asarray(10 * np.log10(smooth + 1e-10))


def _runs(levels: np.ndarray, longest: int) -> list[tuple[int, int]]:
    """(first, last + 1) of each run of frames that stands out; runs of more than `longest` frames are divided."""
    if not len(levels):
        return []
    floor, peak = float(np.percentile(levels, 10)), float(levels.max())
    if peak - floor < _RANGE_DB:
        return []
    edge, core = (floor + max(least, share * (peak - floor)) for least, share in (_EDGE, _CORE))
    return _divided(levels, 0, len(levels), edge, core, longest)


def _divided(
    levels: np.ndarray, first: int, last: int, edge: float, core: float, longest: int
) -> list[tuple[int, int]]:
    """Runs above `edge` in [first, last): noise between words may join them, and a higher edge parts them again."""
    raw = [(first + low, first + high) for low, high in _true_runs(levels[first:last] > edge)]
    runs: list[tuple[int, int]] = []
    for low, high in _joined([run for run in raw if levels[slice(*run)].max() > core]):
        parts = [(low, high)]
        if high - low > longest and edge + _STEP_DB < core:
            parts = _divided(levels, low, high, edge + _STEP_DB, core, longest) or parts
        runs += parts
    return runs


def _true_runs(flags: np.ndarray) -> list[tuple[int, int]]:
    changes = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(int(first), int(last)) for first, last in changes.reshape(-1, 2)]


def _joined(runs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for first, last in runs:
        if joined and first - joined[-1][1] <= _PAUSE_FRAMES:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined


def _marked(found: tuple[Utterance, ...], energies: np.ndarray, runs: list[tuple[int, int]]) -> tuple[Utterance, ...]:
    typical = float(np.median(energies)) if len(energies) > 2 else float(energies.max())
    marked = []
    for each, energy, (first, last) in zip(found, energies, runs, strict=True):
        note = "a click" if last - first < _CLICK_FRAMES else "faint" if energy < _FAINT_SHARE * typical else ""
        marked.append(replace(each, keep=not note, note=note))
    return tuple(marked)


def _only_one(found: tuple[Utterance, ...], energies: np.ndarray, clip_samples: int) -> tuple[Utterance, ...]:
    kept = [each for each in found if each.keep]
    if not kept:
        return found
    if kept[-1].stop - kept[0].start <= clip_samples:
        whole = Utterance(kept[0].start, kept[-1].stop, max(each.level_db for each in kept))
        others = [each for each in found if not each.keep and not whole.start <= each.start < whole.stop]
        return tuple(sorted([whole, *others], key=lambda each: each.start))
    strongest = found[int(np.argmax(np.where([each.keep for each in found], energies, -1)))]
    note = "weaker than the other sound in a short recording"
    return tuple(each if each is strongest or not each.keep else replace(each, keep=False, note=note) for each in found)
