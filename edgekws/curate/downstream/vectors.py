"""The vectors of training clips that selectors see, computed once."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from edgekws.curate.clean import clips, embeddings
from edgekws.curate.clean.probe import STATISTICS
from edgekws.data.dataset import Dataset
from edgekws.files import npz_arrays, npz_bytes, read_content, write_bytes
from edgekws.types import Progress

__all__ = ["STATISTICS", "of"]


def of(data: Dataset, name: str, folder: Path, progress: Progress) -> np.ndarray:
    """float32 [training clips, dimensions], kept in `folder`. name: "statistics" or a model of curate/embed."""
    key = hashlib.sha256(f"{data.splits['train'].sha256} {name}".encode()).hexdigest()[:16]
    path = folder / f"vectors-{key}.npz"
    if path.exists():
        hint = "delete it; it is computed again"
        return npz_arrays(read_content(path, "vectors of the training clips", hint), f"{path}: vectors", hint)[
            "vectors"
        ]
    computed = embeddings.of(clips.of_dataset(data, ["train"]), name, progress)
    write_bytes(path, npz_bytes({"vectors": computed}))
    return computed
