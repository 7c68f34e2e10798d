"""A clip that is shorter than what a network hears at once: what is around it."""

from __future__ import annotations

import numpy as np

_BEFORE = 0.7
"""The share of what is missing that comes before the clip: a listener answers soon after the word."""
_BLOCKS = 20
_LEAST = 3.0


def in_context(samples: np.ndarray, length: int) -> np.ndarray:
    """int16 [n, m] -> int16 [n, length], m at most `length`: seven tenths of the rest before each clip.

    The rest is white noise, the same for all, as loud as the quietest twentieth of the clip, and at least 3 steps of
    int16 (rms): the silence that was around the word, never zeros.
    """
    own = samples.shape[1]
    if own == length:
        return samples
    before = int((length - own) * _BEFORE)
    noise = np.random.default_rng(0).standard_normal(length - own).astype(np.float32) * _quietest(samples)[:, None]
    around = np.clip(np.rint(noise), -32_768, 32_767).astype(np.int16)
    return np.concatenate([around[:, :before], samples, around[:, before:]], axis=1)


def _quietest(samples: np.ndarray) -> np.ndarray:
    """The rms of the quietest block of each clip, float32 [n]."""
    block = max(samples.shape[1] // _BLOCKS, 1)
    blocks = samples[:, : samples.shape[1] // block * block].astype(np.float32).reshape(len(samples), -1, block)
    return np.asarray(np.maximum(np.sqrt(np.square(blocks).mean(2).min(1)), np.float32(_LEAST)))
