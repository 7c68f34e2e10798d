"""A model folder that runs over streams, with random weights, and sound for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from edgekws.features.spec import FeatureSpec
from edgekws.graph import io
from edgekws.graph.ir import Graph
from tests.streamable import valid_dscnn

SPEC = FeatureSpec(clip_samples=480 + 73 * 320, arithmetic="fixed", level="stream")
LABELS = ("_silence_", "_unknown_", "yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")


def streamable(spec: FeatureSpec = SPEC) -> Graph:
    return replace(valid_dscnn(), features=spec, labels=LABELS, name="small")


def folder(path: Path) -> Path:
    io.save(streamable(), path / "graph.npz")
    return path


def sound(seconds: float, seed: int = 0, rate_hz: int = 16_000) -> np.ndarray:
    """Noise whose loudness changes, int16 [n]."""
    rng = np.random.default_rng(seed)
    count = int(rate_hz * seconds)
    level = np.repeat(10 ** rng.uniform(1, 4, count // 2_000 + 1), 2_000)[:count]
    return np.clip(rng.normal(size=count) * level, -32_768, 32_767).astype(np.int16)


def write(path: Path, seconds: float, seed: int = 0, rate_hz: int = 16_000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound(seconds, seed, rate_hz), rate_hz)
    return path
