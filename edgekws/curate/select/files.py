"""Pools and selections as files: .npz and JSON between processes, and DataPerf's formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edgekws import files
from edgekws.curate.dataperf.formats import lists, npz, pb
from edgekws.curate.dataperf.scorer import loader
from edgekws.curate.select import Pool, Selection
from edgekws.errors import ArtifactError, DataError

_NAMES = ("ids", "words", "targets")
_HINT = "make it with edgekws select"
ONE_TARGET = "target"
"""Name of the single target of first-generation files."""


def read_pool(allowed: Path, embeddings: Path, warn: loader.Warn = lambda _: None) -> Pool:
    """allowed: allowed_training_set.yaml, or eval.yaml; embeddings: a folder with a parquet file per word.

    Targets in the order of the list. An id that is listed twice is one clip. warn: called for each skipped part.
    Raises DataError for an id in two classes and for a target without clips.
    """
    listed = lists.read(allowed)
    numbers = loader.class_ids(listed)
    places = {numbers[word]: place for place, word in enumerate(listed.targets)}
    classes: dict[str, int] = {}
    vectors: list[np.ndarray] = []
    for block in loader.load(listed, embeddings, warn):
        for name, number, vector in zip(block.ids, block.classes.tolist(), block.vectors, strict=True):
            label = places.get(number, -1)
            if classes.setdefault(name, label) != label:
                raise DataError(f"{allowed} should have an id in one class only", got=ascii(name)[:80])
            if len(vectors) < len(classes):
                vectors.append(vector)
    empty = [word for place, word in enumerate(listed.targets) if place not in set(classes.values())]
    if empty:
        raise DataError(f"{allowed} should list clips of each target that {embeddings} has", got=f"none of {empty[0]}")
    ids = tuple(classes)
    words = tuple(name.rpartition("/")[0] for name in ids)
    return Pool(tuple(listed.targets), ids, np.array([*classes.values()], int), np.array(vectors), words)


def write_selection(selection: Selection, path: Path) -> None:
    """Write DataPerf's JSON."""
    lists.write_json(path, lists.IdLists(selection.targets, selection.nontargets))


def read_samples(path: Path) -> Pool:
    """samples.pb of the first generation: one target, whatever the words are; vectors float64, as in the challenge."""
    samples = pb.read(path)
    words = tuple(name.split("/")[-2] if name.count("/") else "" for name in samples.ids)
    classes = np.where(samples.types == pb.TARGET, 0, -1)
    return Pool((ONE_TARGET,), samples.ids, classes, samples.vectors.astype(np.float64), words)


def write_train_npz(selection: Selection, pool: Pool, path: Path) -> None:
    """Write train.npz of the first generation: vectors in the order of selection, targets (1), then others (0)."""
    place = {name: row for row, name in enumerate(pool.ids)}
    targets = [place[name] for name in selection.targets[ONE_TARGET]]
    others = [place[name] for name in selection.nontargets]
    labels = np.repeat(np.array([1, 0]), [len(targets), len(others)])
    npz.write(path, npz.TrainingSet(pool.vectors[[*targets, *others]], labels))


def write_npz(pool: Pool, path: Path) -> None:
    """The pool for another process: one array per field. The write is not atomic."""
    texts = {name: np.array(getattr(pool, name), dtype=np.str_) for name in _NAMES}
    np.savez(path, allow_pickle=False, vectors=pool.vectors, classes=np.asarray(pool.classes, np.int64), **texts)


def read_npz(path: Path) -> Pool:
    """Read what write_npz wrote. Raises ArtifactError for anything else."""
    content = files.read_content(path, "a pool of clips", _HINT)
    arrays = files.npz_arrays(content, f"{path}: a pool of clips", _HINT)
    missing = {*_NAMES, "vectors", "classes"} - set(arrays)
    if missing:
        raise ArtifactError(f"{path} should be a pool of clips", got=f"nothing named {min(missing)}", hint=_HINT)
    ids, words, targets = (tuple(map(str, arrays[name].tolist())) for name in _NAMES)
    return Pool(targets, ids, arrays["classes"], arrays["vectors"], words)


def selection_to(selection: Selection) -> dict[str, Any]:
    """As JSON: {"targets": {word: [id]}, "nontargets": [id]}."""
    return {
        "targets": {word: list(ids) for word, ids in selection.targets.items()},
        "nontargets": [*selection.nontargets],
    }


def selection_from(value: object) -> Selection:
    """From untrusted JSON. Raises ValueError unless it has lists of strings in the right places."""
    match value:
        case {"targets": dict() as targets, "nontargets": list() as nontargets}:
            groups = [*targets.values(), nontargets]
            if all(isinstance(ids, list) and all(isinstance(name, str) for name in ids) for ids in groups):
                return Selection({str(word): tuple(ids) for word, ids in targets.items()}, tuple(nontargets))
    raise ValueError("not a list of ids for each target and for other words")
