"""What selectors see of each training clip: log-mel statistics, or any embedding model of edgekws/embed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from edgekws import plugs
from edgekws.clean import clips, probe
from edgekws.data.dataset import Dataset
from edgekws.errors import DataError
from edgekws.files import npz_arrays, npz_bytes, read_content, write_bytes
from edgekws.types import Progress

STATISTICS = "statistics"
"""Means and deviations of log-mel spectra: they have seen no label."""


def of(data: Dataset, name: str, folder: Path, progress: Progress) -> np.ndarray:
    """float32 [training clips, dimensions], made once and kept in `folder`.

    name: "statistics", or a model of edgekws/embed (HEAR). Raises DataError when a model gives other shapes.
    """
    split = data.splits["train"]
    pin = hashlib.sha256(f"{split.sha256} {name}".encode()).hexdigest()[:16]
    path = folder / f"vectors-{pin}.npz"
    if path.exists():
        hint = "delete it, it is made again"
        return npz_arrays(read_content(path, "vectors of the loop", hint), f"{path}: vectors", hint)["vectors"]
    every = clips.of_dataset(data, ["train"])
    found = probe.statistics(probe.spectra(every, progress)) if name == STATISTICS else _embedded(every, name, progress)
    if found.ndim != 2 or len(found) != len(split) or not np.isfinite(found).all():
        raise DataError(f"{name} should give one finite vector for each of {len(split)} clips", got=str(found.shape))
    write_bytes(path, npz_bytes({"vectors": found}))
    return found


def _embedded(every: clips.Clips, name: str, progress: Progress) -> np.ndarray:
    import torch

    module = plugs.load("embed", name)
    model = module.load_model()
    parts = []
    for numbers, samples in every.blocks(64):
        with torch.no_grad():
            audio = torch.from_numpy(samples.astype(np.float32) / 32_768)
            parts.append(module.get_scene_embeddings(audio, model).cpu().numpy())
        progress("embed", int(numbers[-1]) + 1, len(every))
    return np.concatenate(parts).astype(np.float32)
