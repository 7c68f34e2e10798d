"""A pool and a selection as files: ours between processes, and DataPerf's by the package that knows them."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, cast

import numpy as np

from edgekws import files
from edgekws.errors import ArtifactError
from edgekws.select import Pool, Selection

_NAMES = ("ids", "words", "targets")


def read_pool(allowed: Path, embeddings: Path) -> Pool:
    """allowed: allowed_training_set.yaml; embeddings: a folder with a parquet file per word."""
    return cast(Pool, _dataperf().read_pool(allowed, embeddings))


def write_selection(selection: Selection, path: Path) -> None:
    """DataPerf's JSON."""
    _dataperf().write_selection(selection, path)


def _dataperf() -> Any:
    return importlib.import_module("edgekws.dataperf")


def write_npz(pool: Pool, path: Path) -> None:
    texts = {name: np.array(getattr(pool, name), dtype=np.str_) for name in _NAMES}
    np.savez(path, allow_pickle=False, vectors=pool.vectors, classes=np.asarray(pool.classes, np.int64), **texts)


def read_npz(path: Path) -> Pool:
    """Raises ArtifactError for anything that write_npz did not write."""
    content = files.read_content(path, "a pool of clips", "make it with edgekws select")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in (*_NAMES, "vectors", "classes")}
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(f"{path} should be a pool of clips", got=f"{len(content)} bytes, {error}") from error
    ids, words, targets = (tuple(map(str, arrays[name].tolist())) for name in _NAMES)
    return Pool(targets, ids, arrays["classes"], arrays["vectors"], words)


def selection_to(selection: Selection) -> dict[str, Any]:
    return {
        "targets": {word: list(ids) for word, ids in selection.targets.items()},
        "nontargets": [*selection.nontargets],
    }


def selection_from(value: object) -> Selection:
    """From JSON that anybody may have written. Raises ValueError unless it is lists of texts in their places."""
    match value:
        case {"targets": dict() as targets, "nontargets": list() as nontargets}:
            lists = [*targets.values(), nontargets]
            if all(isinstance(ids, list) and all(isinstance(name, str) for name in ids) for ids in lists):
                return Selection({str(word): tuple(ids) for word, ids in targets.items()}, tuple(nontargets))
    raise ValueError("not a list of ids for each target and for other words")
