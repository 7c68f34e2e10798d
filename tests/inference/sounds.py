"""Recordings that every computer has: tones and noise, as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 16_000


def sound(seconds: float = 1.0, seed: int = 0, rate_hz: int = RATE_HZ) -> np.ndarray:
    """int16 [n]: a tone that moves, in noise."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    tone = np.sin(2 * np.pi * (200 + 150 * rng.random()) * time_s * (1 + rng.random() * time_s / max(seconds, 0.1)))
    return ((tone + 0.3 * rng.normal(size=len(time_s))) * 6_000 * rng.uniform(0.2, 1.5)).astype(np.int16)


def write(path: Path, seconds: float = 1.0, seed: int = 0) -> Path:
    """Write one, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound(seconds, seed), RATE_HZ)
    return path
