"""Vectors of clips: log-mel statistics, or any embedding model of edgekws/embed (HEAR)."""

from __future__ import annotations

import numpy as np

from edgekws import plugs
from edgekws.clean import probe
from edgekws.clean.clips import Clips
from edgekws.errors import DataError
from edgekws.types import Progress

STATISTICS = "statistics"
"""Means and deviations of log-mel spectra: they have seen no label. A model may have learned from these very clips."""


def of(clips: Clips, name: str, progress: Progress) -> np.ndarray:
    """float32 [n, dimensions]. Raises ConfigError for a model unknown, DataError when it gives other shapes."""
    if name == STATISTICS:
        return probe.statistics(probe.spectra(clips, progress))
    found = _embedded(clips, name, progress)
    if found.ndim != 2 or len(found) != len(clips) or not np.isfinite(found).all():
        raise DataError(f"{name} should give one finite vector for each of {len(clips)} clips", got=str(found.shape))
    return found


def _embedded(clips: Clips, name: str, progress: Progress) -> np.ndarray:
    import torch

    module = plugs.load("embed", name)
    model = module.load_model()
    parts = []
    for numbers, samples in clips.blocks(64):
        with torch.no_grad():
            audio = torch.from_numpy(samples.astype(np.float32) / 32_768)
            parts.append(module.get_scene_embeddings(audio, model).cpu().numpy())
        progress("embed", int(numbers[-1]) + 1, len(clips))
    return np.concatenate(parts).astype(np.float32)
