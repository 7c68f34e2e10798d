"""The clips of a bench, and what is known about the network that classifies them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekws.errors import DataError

if TYPE_CHECKING:
    from edgekws.data.dataset import Dataset
    from edgekws.graph.ir import Graph
    from firmware_io.bench import Vectors


def chosen(vectors: Path | None, data: Path, limit: int, graph: Graph) -> tuple[Vectors, Dataset | None]:
    """Clips of a file, or of the test split in `data`: at most `limit` of them (0: all), spread over all labels.

    Raises DataError for a data set with other labels than the graph's, ArtifactError for a damaged file.
    """
    import numpy as np

    from edgekws.data import dataset
    from edgekws.features import cache
    from firmware_io.bench import Vectors
    from firmware_io.bench import vectors as files

    if vectors is not None:
        read = files.read(vectors, graph)
        indices = spread(len(read.ids), limit)
        labels = None if read.labels is None else read.labels[indices]
        ids = tuple(read.ids[at] for at in indices)
        return Vectors(read.dataset, ids, np.ascontiguousarray(read.features[indices]), labels), None
    loaded = dataset.load(data)
    if loaded.labels != graph.labels:
        expected = f"the data set should have the labels of the graph: {', '.join(graph.labels)}"
        hint = "give the data set of its training with --data, or the folder of another model with --out"
        raise DataError(expected, got=", ".join(loaded.labels), hint=hint)
    test = loaded.splits["test"]
    indices = spread(len(test), limit)
    features = cache.int8_features(loaded, "test", graph.features)[indices]
    ids = tuple(test.ids[at] for at in indices)
    return Vectors(f"{loaded.name} test", ids, features, test.labels[indices]), loaded


def spread(total: int, limit: int) -> Any:  # noqa: ANN401 (int64 [n])
    """At most `limit` indices below `total`, evenly spaced; all of them for 0."""
    import numpy as np

    count = min(limit or total, total)
    return np.unique(np.linspace(0, total - 1, count).astype(int))


def origin(out: Path, graph: Graph, dataset: Dataset | None) -> dict[str, Any]:
    """Arguments of build_report: figures, parity, manifests and warnings of what made the graph; none without data."""
    from edgekws import pipeline

    if dataset is None:
        return {}
    return {
        "figures": pipeline.figures(out, dataset, graph),
        "parity": pipeline.parity_rows(out / "export" / "parity.json", graph),
        "manifests": pipeline.manifests(out, dataset, graph),
        "warnings": dataset.notes,
    }
