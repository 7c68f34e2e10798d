"""Vectors of clips: log-mel statistics, or any embedding model of edgekws/curate/embed (HEAR)."""

from __future__ import annotations

import numpy as np

from edgekws import plugins
from edgekws.curate.clean import probe
from edgekws.curate.clean.clips import Clips
from edgekws.curate.clean.probe import STATISTICS
from edgekws.errors import ConfigError, DataError
from edgekws.types import Progress


def of(clips: Clips, name: str, progress: Progress) -> np.ndarray:
    """float32 [n, dimensions]. name: STATISTICS, or a model of edgekws/curate/embed.

    Raises ConfigError for a model that is unknown, broken or of another rate, DataError for NaN and infinity.
    """
    if name == STATISTICS:
        return probe.statistics(probe.spectra(clips, progress))
    vectors = _embedded(clips, name, progress)
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        got = f"NaN or infinity for {len(bad)}, as for {clips.ids[bad[0]]}"
        raise DataError(f"{name} should give finite numbers for each of {len(clips)} clips", got=got)
    return vectors


def _embedded(clips: Clips, name: str, progress: Progress) -> np.ndarray:
    from edgekws.curate import embed

    plugins.load("embeddings", name)  # raises for others, which a name does not identify
    model = embed.open_model(embed.ModelSpec(name))
    if model.rate_hz != clips.rate_hz:
        raise ConfigError(f"{name} should take {clips.rate_hz} Hz, the rate of these clips", got=f"{model.rate_hz} Hz")
    parts = []
    for numbers, samples in clips.blocks(64):
        parts.append(model.scene(samples.astype(np.float32) / 32_768))
        progress("embed", int(numbers[-1]) + 1, len(clips))
    return np.concatenate(parts)
