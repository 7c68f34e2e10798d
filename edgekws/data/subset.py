"""A part of a prepared data set: in memory for an experiment, or written as a data set of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgekws.data import dataset as datasets
from edgekws.data.dataset import Dataset, Split
from edgekws.errors import DataError
from edgekws.files import write_json
from edgekws.types import Progress

_ROWS = 256


def of(data: Dataset, chosen: Mapping[str, np.ndarray], folder: Path) -> Dataset:
    """The chosen clips by split; splits that are not named stay whole. Features are cached in `folder`.

    chosen: split -> int64 [k], indices. The clips are copied into memory. Raises DataError when a split would be empty.
    """
    splits = {name: _part(split, chosen[name]) if name in chosen else split for name, split in data.splits.items()}
    return replace(data, folder=folder, splits=splits, sha256=_pin(data, splits))


def write(data: Dataset, chosen: Mapping[str, np.ndarray], folder: Path, note: str, progress: Progress) -> Dataset:
    """The same as a prepared data set in `folder`, copied block by block. chosen: indices of every split.

    Raises DataError when a split or a label of the training split would be empty.
    """
    if folder.resolve() == data.folder.resolve():
        raise DataError("a subset should go into a folder of its own", got=str(folder), hint="give --out")
    _require_labels(data, chosen)
    splits = {name: _write_part(split, chosen[name], folder, progress) for name, split in data.splits.items()}
    noise = datasets._write_array(folder, "noise", iter([np.asarray(data.noise)]), data.noise.shape)
    body: dict[str, Any] = {
        "name": data.name,
        "labels": data.labels,
        "rate_hz": data.rate_hz,
        "notes": [*data.notes, note],
        "source": _pin(data, {}) + " filtered",
        "splits": splits,
        "noise": noise,
        **datasets.origin(data.left_out, data.changed, data.listed_by, data.reject),
    }
    head = {"kind": datasets.KIND, "version": datasets.VERSION, "sha256": datasets._index_hash(body)}
    write_json(folder / datasets.INDEX, {**head, **body})
    datasets._remove_replaced(folder, {value["file"] for value in (*splits.values(), noise)})
    return datasets.load(folder)


def _part(split: Split, numbers: np.ndarray) -> Split:
    _require_clips(split, numbers)
    samples = np.stack([split.samples[number] for number in numbers])
    ids, speakers = (tuple(values[number] for number in numbers) for values in (split.ids, split.speakers))
    return Split(split.name, samples, split.labels[numbers], ids, speakers, datasets._samples_hash(samples))


def _write_part(split: Split, numbers: np.ndarray, folder: Path, progress: Progress) -> dict[str, Any]:
    _require_clips(split, numbers)

    def blocks() -> Iterator[np.ndarray]:
        for start in range(0, len(numbers), _ROWS):
            yield np.stack([split.samples[number] for number in numbers[start : start + _ROWS]])
            progress(f"copy {split.name}", min(start + _ROWS, len(numbers)), len(numbers))

    shape = (len(numbers), split.samples.shape[1])
    return {
        **datasets._write_array(folder, split.name, blocks(), shape),
        "labels": split.labels[numbers].tolist(),
        "ids": [split.ids[number] for number in numbers],
        "speakers": [split.speakers[number] for number in numbers],
    }


def _require_clips(split: Split, numbers: np.ndarray) -> None:
    if not len(numbers):
        raise DataError(f"the {split.name} split should keep some clips", got="none")


def _require_labels(data: Dataset, chosen: Mapping[str, np.ndarray]) -> None:
    remaining = np.bincount(data.splits["train"].labels[chosen["train"]], minlength=len(data.labels))
    missing = [label for label, count in zip(data.labels, remaining, strict=True) if not count]
    if missing:
        raise DataError("each label should keep training clips", got=f"none of {', '.join(missing)}")


def _pin(data: Dataset, splits: Mapping[str, Split]) -> str:
    parts = {name: [split.sha256, split.ids, split.labels.tolist()] for name, split in splits.items()}
    return hashlib.sha256(json.dumps([data.sha256, parts], sort_keys=True).encode()).hexdigest()
