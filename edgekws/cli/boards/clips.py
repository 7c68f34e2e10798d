"""The clips of a bench, and what is known about the network that classifies them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekws.cli import console
from edgekws.data.labels import require_equal

if TYPE_CHECKING:
    from edgekws.data.dataset import Dataset
    from edgekws.graph.ir import Graph
    from firmware_io.bench import Vectors


def chosen(vectors: Path | None, data: Path, limit: int, graph: Graph) -> tuple[Vectors, Dataset | None]:
    """Clips of a file, or of the test split in `data`: at most `limit` of them (0: all), spread over all labels.

    Raises DataError for a graph whose front end is unknown, then for a data set with other labels than the graph's,
    and ArtifactError for a damaged file.
    """
    import numpy as np

    from edgekws.data import dataset
    from edgekws.features import cache
    from firmware_io.bench import Vectors
    from firmware_io.bench import vectors as files

    if vectors is not None:
        read = _recordings(vectors, graph) or files.read(vectors, graph)
        indices = spread(len(read.ids), limit)
        labels = None if read.labels is None else read.labels[indices]
        ids = tuple(read.ids[at] for at in indices)
        return Vectors(read.dataset, ids, np.ascontiguousarray(read.features[indices]), labels), None
    loaded, spec = dataset.load(data), graph.front_end
    require_equal(graph.labels, loaded.labels, f"the data set {loaded.name}")
    test = loaded.splits["test"]
    indices = spread(len(test), limit)
    features = cache.int8_features(loaded, "test", spec)[indices]
    ids = tuple(test.ids[at] for at in indices)
    named = f"{loaded.name} test, data set {loaded.sha256[:8]}"  # two data sets may have one name
    return Vectors(named, ids, features, test.labels[indices]), loaded


def none(graph: Graph) -> Vectors:
    """In place of clips, for a bench that sends none: one that is silent."""
    import numpy as np

    from firmware_io.bench import Vectors

    return Vectors("no clips", ("none",), np.zeros((1, *graph.clip_shape), np.int8))


def _recordings(folder: Path, graph: Graph) -> Vectors | None:
    """The clips of a folder of recordings, by the model's own front end: in word folders, or listed in y_labels.csv.

    None for anything else. Raises DataError for a model whose front end is unknown, and for recordings of other words.
    """
    import numpy as np

    from edgekws.features import extract
    from edgekws.inference import labelled
    from edgekws.inference.model import of_graph
    from firmware_io.bench import Vectors, mlperf_inputs
    from firmware_io.bench import vectors as files

    table = folder / mlperf_inputs.LABELS_FILE
    if not folder.is_dir() or not files.recordings_in(folder):
        return None
    model, spec = of_graph(graph), graph.front_end
    with console.progress() as report:
        if table.exists():
            names = _labels_of_table(table, graph)
            read = labelled.of_files(folder.name, folder, names, model, report)
        else:
            read = labelled.read(folder, model, "test", report)
    for each in read.left_out:
        console.warn(f"{each.file} is left out: {each.reason}")
    kept = read.truth >= 0
    if not kept.all():
        console.warn(f"{int((~kept).sum())} clips are left out: the model has no label for them")
    for note in read.notes:
        console.warn(note)
    ids = tuple(name for name, keep in zip(read.ids, kept, strict=True) if keep)
    title = f"recordings in {folder.name}"
    return Vectors(title, ids, extract.quantize(spec, np.asarray(read.features))[kept], read.truth[kept])


def _labels_of_table(table: Path, graph: Graph) -> list[tuple[str, str]]:
    """(file, label of the model) of each row. Raises DataError for a model of other words."""
    from firmware_io.bench import mlperf_inputs

    if not mlperf_inputs.has_its_labels(graph):
        require_equal(graph.labels, mlperf_inputs.LABELS, str(table))
    return [(name, graph.labels[number]) for name, number in mlperf_inputs.rows(table)]


def spread(total: int, limit: int) -> Any:  # noqa: ANN401 (int64 [n])
    """At most `limit` indices below `total`, evenly spaced; all of them for 0."""
    import numpy as np

    count = min(limit or total, total)
    return np.unique(np.linspace(0, total - 1, count).astype(int))


def other_data(graph: Graph, dataset: Dataset) -> tuple[str, ...]:
    """What to say when the clips are of another data set than the network was trained on."""
    trained_on = graph.provenance.get("dataset", "")
    if trained_on in ("", dataset.sha256):
        return ()
    about = f"{dataset.name} ({dataset.sha256[:8]}) is not the data set of the training ({trained_on[:8]})"
    return (f"{about}: some of its test clips may have been trained on",)


def origin(out: Path, graph: Graph, dataset: Dataset | None) -> dict[str, Any]:
    """Arguments of build_report: figures, parity, manifests and warnings of what made the graph; none without data."""
    from edgekws import pipeline

    if dataset is None:
        return {}
    return {
        "figures": pipeline.figures(out, dataset, graph),
        "parity": pipeline.parity_rows(out / "export" / "parity.json", graph),
        "manifests": pipeline.manifests(out, dataset, graph),
        "warnings": (*dataset.notes, *other_data(graph, dataset)),
    }
