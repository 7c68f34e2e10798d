"""Golden vectors: a few clips of each label with the scores that every executor must give.

golden.npz    format (kind and version), graph (its digest), features int8 [n, frames, coefficients],
              scores int8 [n, labels], labels int64 [n], ids
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgekws.files import check_kind, npz_arrays, npz_bytes, read_content, write_bytes
from edgekws.graph import interp, io
from edgekws.graph.ir import Graph

KIND, VERSION = "edgekws-golden", 1
PER_LABEL = 4


def choose(labels: np.ndarray, per_label: int = PER_LABEL) -> np.ndarray:
    """Indices of the first few clips of each label."""
    picks = [np.flatnonzero(labels == label)[:per_label] for label in np.unique(labels)]
    return np.sort(np.concatenate(picks))


def write(path: Path, graph: Graph, features: np.ndarray, labels: np.ndarray, ids: list[str]) -> None:
    """Golden vectors: inputs, the interpreter's scores, true labels and clip names."""
    arrays = {
        "format": np.array(f"{KIND} {VERSION}"),
        "graph": np.array(io.digest(graph)),
        "features": features,
        "scores": interp.run(graph, features),
        "labels": labels.astype(np.int64),
        "ids": np.array(ids),
    }
    write_bytes(path, npz_bytes(arrays))


def read(path: Path) -> dict[str, np.ndarray]:
    """Raises ArtifactError for a missing, damaged or foreign file."""
    hint = "run edgekws export"
    arrays = npz_arrays(read_content(path, "golden vectors", hint), f"{path}: golden vectors", hint)
    kind, _, version = str(arrays.get("format", "?")).rpartition(" ")
    check_kind(path, {"kind": kind, "version": int(version) if version.isdigit() else version}, KIND, VERSION)
    return arrays
