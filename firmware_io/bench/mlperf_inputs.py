"""Inputs of the keyword-spotting task of MLPerf Tiny: a folder with .bin files and y_labels.csv.

Each .bin is one clip, int8 [49, 10], row-major, made by the reference front end with one scale and zero point for all
coefficients (edgekws/features/presets.py). y_labels.csv has a row per clip: file, number of classes, class. Whether
they are the official files is judged by their names, classes and hashes (edgekws/mlperf/kws01.py).
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from edgekws.errors import ArtifactError
from edgekws.features.presets import MLPERF, are_the_benchmarks
from edgekws.features.spec import UnknownFeatures
from edgekws.graph.ir import Graph
from edgekws.mlperf import kws01
from firmware_io.bench.modes import Vectors

LABELS_FILE = "y_labels.csv"
LABELS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "silence", "unknown")
_HINT = "take datasets/kws01 of EEMBC's EnergyRunner or of mlcommons/tiny as it is"


def read(folder: Path, graph: Graph) -> Vectors:
    """All clips in the order of y_labels.csv: features int8 [n, 49, 10], labels int [n].

    Raises ArtifactError for a graph with other features or labels, and for a missing or malformed file (named).
    """
    _check_graph(folder, graph)
    listed = rows(folder / LABELS_FILE)
    clips = [_clip(folder / name, MLPERF.shape) for name, _ in listed]
    ids, labels = tuple(name for name, _ in listed), np.array([label for _, label in listed])
    proved = kws01.standing(ids, labels.tolist(), [clip.tobytes() for clip in clips])
    seen = proved.unlisted and graph.provenance.get("dataset") in kws01.DEV_SPLITS
    return Vectors(f"{proved.title}{kws01.PARTLY_TRAINED_ON if seen else ''}", ids, np.stack(clips), labels)


def _check_graph(folder: Path, graph: Graph) -> None:
    fit = are_the_benchmarks(graph.features)
    if not fit or not has_its_labels(graph):
        what = "labels" if fit else "features (one scale, zero point 83)"
        unknown = isinstance(graph.features, UnknownFeatures)
        raise ArtifactError(
            f"{folder} holds inputs for a graph with MLPerf Tiny's {what}",
            got=f"{graph.name}, whose front end is unknown" if unknown else f"{graph.name}, which has others",
            hint=_way_out(graph, fit),
        )


def _way_out(graph: Graph, fit: bool) -> str:
    if fit and "imported_from" in graph.provenance and len(graph.labels) == len(LABELS):
        names = ",".join((*LABELS[:-2], "_silence_", "_unknown_"))
        return f"if its scores are these, name them: edgekws import MODEL --features mlperf --labels {names}"
    if isinstance(graph.features, UnknownFeatures):
        return "state it, if it is MLPerf Tiny's: edgekws import MODEL --features mlperf"
    return "bench it with clips of its own features: --data, or a file of --save-vectors; or bench dscnn_mlperf"


def has_its_labels(graph: Graph) -> bool:
    """Whether the scores are those of the benchmark's words, in its order."""
    return tuple(label.strip("_").lower() for label in graph.labels) == LABELS


def rows(path: Path) -> list[tuple[str, int]]:
    """(file, class) of each row. Raises ArtifactError with the line number."""
    try:
        lines = list(csv.reader(path.read_text().splitlines(), skipinitialspace=True))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path} should list the clips", got=str(error), hint=_HINT) from error
    listed = [_row(path, number, cells) for number, cells in enumerate(lines, 1) if cells]
    if not listed:
        raise ArtifactError(f"{path} should list the clips", got="no rows", hint=_HINT)
    return listed


def _row(path: Path, number: int, cells: list[str]) -> tuple[str, int]:
    """Raises ArtifactError unless the cells are a file name, 12 and a class."""
    words = [cell.strip() for cell in cells]
    right = len(words) == 3 and words[1] == str(len(LABELS)) and words[2].isdecimal() and int(words[2]) < len(LABELS)
    if not right or Path(words[0]).name != words[0]:
        expected = f"{path}, line {number}, should be a file, {len(LABELS)} and a class below it"
        raise ArtifactError(expected, got=", ".join(words)[:80], hint=_HINT)
    return words[0], int(words[2])


def _clip(path: Path, shape: tuple[int, int]) -> np.ndarray:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path} should be a clip", got=error.strerror or str(error), hint=_HINT) from error
    if len(content) != shape[0] * shape[1]:
        expected = f"{path} should be {shape[0]} x {shape[1]} bytes"
        raise ArtifactError(expected, got=f"{len(content)} bytes", hint=_HINT)
    return np.frombuffer(content, np.int8).reshape(shape)
