"""Quantized features of clips in one file, so that a board can be benched on a computer without the recordings.

vectors.npz   format (kind and version), spec (the feature specification as JSON), dataset, ids,
              features int8 [n, frames, coefficients], labels int64 [n], or [0] when there are none

The golden vectors of `edgekws export` and the folder of MLPerf Tiny's official inputs are read as well.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from edgekws.errors import ArtifactError
from edgekws.features.spec import FeatureSpec, UnknownFeatures, from_json
from edgekws.files import check_kind, npz_arrays, npz_bytes, read_content, write_bytes
from edgekws.graph import golden
from edgekws.graph.io import digest
from edgekws.graph.ir import Graph
from firmware_io.bench import mlperf_inputs
from firmware_io.bench.modes import Vectors

KIND, VERSION = "edgekws-vectors", 1
_WHAT = "vectors (edgekws bench --save-vectors) or golden vectors (edgekws export)"
_HINT = "make it with `edgekws bench --save-vectors FILE` where the recordings are"


def write(path: Path, vectors: Vectors, spec: FeatureSpec | UnknownFeatures) -> None:
    """Write the clips and their feature specification to `path` (.npz). Raises ArtifactError when that fails."""
    arrays = {
        "format": np.array(f"{KIND} {VERSION}"),
        "spec": np.array(json.dumps(spec.to_json())),
        "dataset": np.array(vectors.dataset),
        "ids": np.array(vectors.ids),
        "features": vectors.features.astype(np.int8),
        "labels": np.zeros(0, np.int64) if vectors.labels is None else vectors.labels.astype(np.int64),
    }
    write_bytes(path, npz_bytes(arrays))


def read(path: Path, graph: Graph) -> Vectors:
    """The clips of a file or folder, as inputs for `graph`.

    Raises ArtifactError for a file of another kind, a damaged file, and features that the graph does not take.
    """
    if path.is_dir():
        _refuse_recordings(path)
        return mlperf_inputs.read(path, graph)
    arrays = npz_arrays(read_content(path, _WHAT, _HINT), f"{path}: {_WHAT}", _HINT)
    kind, _, version = str(arrays.get("format", "?")).rpartition(" ")
    if kind == golden.KIND:
        return _golden(path, graph)
    check_kind(path, {"kind": kind, "version": int(version) if version.isdigit() else version}, KIND, VERSION)
    _check_spec(path, str(arrays.get("spec", "")), graph.features)
    return _checked(path, graph, str(arrays.get("dataset", path.stem)), arrays)


def _refuse_recordings(folder: Path) -> None:
    """Raises ArtifactError for a folder of recordings, where MLPerf Tiny's inputs are expected."""
    recordings = recordings_in(folder)
    if recordings and not (folder / mlperf_inputs.LABELS_FILE).exists():
        hint = "make a data set of them with edgekws data prepare, and name that with --data"
        got = f"a folder of recordings, {recordings[0].relative_to(folder)} for one"
        raise ArtifactError("--vectors takes quantized features of clips in one file", got=got, hint=hint)


def recordings_in(folder: Path) -> list[Path]:
    """The recordings in `folder` and in the folders in it."""
    return [path for pattern in _RECORDINGS for path in folder.glob(pattern)]


_RECORDINGS = ("*.wav", "*.flac", "*/*.wav", "*/*.flac", "*/*.mp3", "*/*.ogg", "*/*.m4a")


def _golden(path: Path, graph: Graph) -> Vectors:
    """Golden vectors name their graph and not their feature specification, so they fit that graph only."""
    arrays = golden.read(path)
    if str(arrays["graph"]) != digest(graph):
        raise ArtifactError(
            f"{path} should hold golden vectors of graph {digest(graph)[:12]}",
            got=f"those of graph {str(arrays['graph'])[:12]}, whose features may be others",
            hint="export this graph again, or use vectors that contain their feature specification",
        )
    return _checked(path, graph, f"golden vectors of {graph.name}", arrays)


def _check_spec(path: Path, text: str, expected: FeatureSpec | UnknownFeatures) -> None:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ArtifactError(f"{path} should name its feature specification", got=str(error), hint=_HINT) from error
    expected.require(from_json(value), str(path))


def _checked(path: Path, graph: Graph, dataset: str, arrays: dict[str, np.ndarray]) -> Vectors:
    features, ids, labels = (arrays.get(key, np.zeros(0)) for key in ("features", "ids", "labels"))
    shape = graph.clip_shape
    if features.dtype != np.int8 or features.shape[1:] != shape or len(ids) != len(features):
        got = f"{features.dtype} {list(features.shape)} and {len(ids)} names"
        raise ArtifactError(f"{path} should hold int8 [n, {shape[0]}, {shape[1]}] and n names", got=got, hint=_HINT)
    known = _labels(path, graph, labels, len(features))
    return Vectors(dataset, tuple(map(str, ids.tolist())), features, known)


def _labels(path: Path, graph: Graph, labels: np.ndarray, n: int) -> np.ndarray | None:
    if len(labels) == 0:
        return None
    top = len(graph.labels)
    if labels.shape != (n,) or labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= top:
        got: Any = f"{labels.dtype} {list(labels.shape)}"
        raise ArtifactError(f"{path} should hold a label below {top} for each clip, or none", got=got, hint=_HINT)
    return labels
