"""Where the word is in a clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_BLOCK_MS, _SMOOTHED_BLOCKS = 10, 3
_BELOW_PEAK_DB, _ABOVE_FLOOR, _LONGEST_BLOCKS = 30.0, (0.35, 0.5, 0.65, 0.8), 75


@dataclass(frozen=True)
class Words:
    """Clips of one word each. samples int16 [n, clip_samples] (memory-mapped), labels int64 [n].

    starts, ends: int64 [n], the samples from which and to which the word is heard.
    """

    samples: np.ndarray
    labels: np.ndarray
    starts: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def located(samples: np.ndarray, labels: np.ndarray, rate_hz: int) -> Words:
    """The words of clips int16 [n, clip_samples] with labels [n], located by `bounds`."""
    starts, ends = bounds(samples, rate_hz)
    return Words(samples, np.asarray(labels, np.int64), starts, ends)


def bounds(samples: np.ndarray, rate_hz: int) -> tuple[np.ndarray, np.ndarray]:
    """(first, past the last) sample of the word in clips int16 [n, clip_samples], int64 [n] each.

    The word is where blocks of 10 ms, averaged over 30, are less than 30 dB below the loudest and clearly above the
    quietest. A clip without any difference is one word from end to end.
    """
    block = rate_hz * _BLOCK_MS // 1000
    starts, ends = np.zeros(len(samples), np.int64), np.zeros(len(samples), np.int64)
    for first in range(0, len(samples), _BATCH):
        part = slice(first, first + _BATCH)
        starts[part], ends[part] = _bounds(np.asarray(samples[part]), block)
    return starts, ends


_BATCH = 512


def _bounds(samples: np.ndarray, block: int) -> tuple[np.ndarray, np.ndarray]:
    blocks = samples.shape[1] // block
    power = np.square(samples[:, : blocks * block].reshape(len(samples), blocks, block).astype(np.float32)).mean(2)
    level = 10 * np.log10(_smoothed(power) + 1)
    peak, floor = level.max(1, keepdims=True), np.quantile(level, 0.05, axis=1, keepdims=True)
    first, last = np.zeros(len(samples), np.int64), np.full(len(samples), blocks)
    for share in _ABOVE_FLOOR:  # a noisy clip needs more
        heard = level >= np.maximum(peak - _BELOW_PEAK_DB, floor + share * (peak - floor))
        long = (last - first) > _LONGEST_BLOCKS
        first = np.where(long, heard.argmax(1), first)
        last = np.where(long, blocks - heard[:, ::-1].argmax(1), last)
    return first * block, last * block


def _smoothed(power: np.ndarray) -> np.ndarray:
    half = _SMOOTHED_BLOCKS // 2
    padded = np.pad(power, ((0, 0), (half, half)), mode="edge")
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, _SMOOTHED_BLOCKS, axis=1).mean(2))
