"""Long recordings in one array."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Recordings:
    """Recordings end to end: samples int16 [m]; edges int64 [n + 1], where each begins and the last ends."""

    samples: np.ndarray
    edges: np.ndarray

    def __len__(self) -> int:
        return len(self.edges) - 1

    @property
    def is_empty(self) -> bool:
        return len(self.samples) == 0

    def piece(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """`count` samples from one recording, drawn by its length, repeated where it is shorter: float32 [count]."""
        at = int(rng.integers(len(self.samples)))
        number = int(np.searchsorted(self.edges, at, side="right")) - 1
        first, last = int(self.edges[number]), int(self.edges[number + 1])
        at = first if last - first <= count else min(at, last - count)
        found = self.samples[at : min(at + count, last)].astype(np.float32)
        return np.resize(found, count) if len(found) < count else found


def joined(parts: list[np.ndarray]) -> Recordings:
    """Recordings of int16 arrays [m_i]."""
    edges = np.concatenate([[0], np.cumsum([len(part) for part in parts], dtype=np.int64)]).astype(np.int64)
    return Recordings(np.concatenate([np.zeros(0, np.int16), *parts]), edges)
