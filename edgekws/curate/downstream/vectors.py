"""What selectors see of each training clip, made once."""

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
    pin = hashlib.sha256(f"{data.splits['train'].sha256} {name}".encode()).hexdigest()[:16]
    path = folder / f"vectors-{pin}.npz"
    if path.exists():
        hint = "delete it, it is made again"
        return npz_arrays(read_content(path, "vectors of the loop", hint), f"{path}: vectors", hint)["vectors"]
    found = embeddings.of(clips.of_dataset(data, ["train"]), name, progress)
    write_bytes(path, npz_bytes({"vectors": found}))
    return found
