"""Clips with true labels, to evaluate a model by: word folders, a list in a CSV file, or a prepared data set.

A label of the clips that the model does not have counts as `_unknown_`, because it is another word. Background noise
counts as `_silence_`. Where the model lacks these too, such clips show only what passes at a threshold.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekws.data import audio, dataset, decoding
from edgekws.data.labels import SILENCE, UNKNOWN, require_equal, words
from edgekws.data.listing import NOISE_FOLDER, LeftOut, Recording
from edgekws.errors import DataError
from edgekws.evaluation.figures import OTHER, SILENT
from edgekws.features import cache, extract
from edgekws.features.spec import FeatureSpec
from edgekws.files import read_content
from edgekws.inference import recordings
from edgekws.inference.model import Model
from edgekws.types import Progress

_BATCH = 64
_COLUMNS = ("file", "label")
_START = "start_ms"
_LISTED = 8
_OTHERS = "give recordings of the words of this model, or the model of these words"


@dataclass(frozen=True)
class Labelled:
    """Clips to evaluate a model by.

    truth: int64 [n], labels of the model, SILENT or OTHER. features: of `extract`, [n, frames, coefficients]. ids: a
    file or a clip's name. root: what the ids are relative to, None for a prepared data set. sha256: of a prepared data
    set, else "". notes: what was counted as what.
    """

    name: str
    ids: tuple[str, ...]
    truth: np.ndarray
    features: np.ndarray
    root: Path | None = None
    sha256: str = ""
    notes: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def read(path: Path, model: Model, split: str, progress: Progress) -> Labelled:
    """The clips in `path`: a prepared data set (its `split`), a folder of word folders, or a CSV file.

    Raises DataError for anything else, for clips of which none has a word of the model, and when no file can be read.
    """
    if path.is_dir() and (path / dataset.INDEX).exists():
        return _prepared(path, model, split, progress)
    if path.is_dir():
        return _decoded(path.name, _of_folders(path, model), model, path, progress)
    if path.suffix.lower() == ".csv":
        return _decoded(path.name, _of_list(path, model.features.rate_hz), model, path.parent, progress)
    raise DataError(
        f"{path} should be a folder of word folders, a .csv of files and labels, or a prepared data set",
        got="another file" if path.exists() else "no such file or folder",
    )


def of_files(name: str, root: Path, files: Sequence[tuple[str, str]], model: Model, progress: Progress) -> Labelled:
    """The recordings `files`, (path below `root`, label). Raises DataError as `read` does."""
    return _decoded(name, [_recording(file, label, root / file, None) for file, label in files], model, root, progress)


def _prepared(path: Path, model: Model, split: str, progress: Progress) -> Labelled:
    loaded, spec = dataset.load(path), model.features
    require_equal(model.labels, loaded.labels, str(path), _OTHERS)
    if split not in loaded.splits:
        raise DataError(f"--split should be one of {', '.join(loaded.splits)}", got=split)
    part = loaded.splits[split]
    length = part.samples.shape[1]
    fits = length == spec.clip_samples or (spec.level == "stream" and length < spec.clip_samples)
    if loaded.rate_hz != spec.rate_hz or not fits:
        expected = f"the clips of {path} should be {spec.clip_samples} samples at {spec.rate_hz} Hz, as the model's"
        raise DataError(expected, got=f"{length} at {loaded.rate_hz} Hz")
    features = cache.features_of(loaded, split, spec, lambda done, total: progress("features", done, total))
    trained = ("these clips are those that the network was trained on",) if split == "train" else ()
    return Labelled(
        f"{loaded.name} {split}", part.ids, part.labels, features, None, loaded.sha256, (*loaded.notes, *trained)
    )


def _of_folders(root: Path, model: Model) -> list[Recording]:
    """The recordings below each word folder; long ones of silence and noise in one-clip parts."""
    spec, items = model.features, []
    for folder in sorted(each for each in root.iterdir() if each.is_dir() and not each.name.startswith(".")):
        for path in recordings.files_below(folder):
            name = path.relative_to(root).as_posix()
            if folder.name in (SILENCE, NOISE_FOLDER):
                items += [_recording(name, folder.name, path, start) for start in _parts(path, spec)]
            else:
                items.append(_recording(name, folder.name, path, None))
    if not items:
        raise DataError(f"{root} should hold a folder for each word, with recordings in it", got="none")
    return items


def _parts(path: Path, spec: FeatureSpec) -> list[int | None]:
    """Starts of the clips in a long recording; [None], which decoding judges, for a short or unreadable one."""
    try:
        length = audio.length(path, spec.rate_hz)
    except DataError:
        return [None]
    if length is None or length < 2 * spec.clip_samples:
        return [None]
    return list(range(0, length - spec.clip_samples + 1, spec.clip_samples))


def _of_list(path: Path, rate_hz: int) -> list[Recording]:
    """Rows file,label[,start_ms]; files are relative to the list. Raises DataError for another header or a bad row."""
    what, hint = "a list of recordings", "write a line file,label and then one line for each recording"
    text = read_content(path, what, hint).decode("utf-8-sig", errors="replace")
    reader = csv.DictReader(io.StringIO(text, newline=""))
    header = [name.strip() for name in reader.fieldnames or []]
    reader.fieldnames = header
    if not set(_COLUMNS) <= set(header):
        raise DataError(
            f"{path} should begin with the columns file,label", got=",".join(header) or "nothing", hint=hint
        )
    items = []
    for number, row in enumerate(reader, 2):
        file, label = ((row[name] or "").strip() for name in _COLUMNS)
        if not file or not label:
            raise DataError(f"line {number} of {path} should name a file and its label", got=f"{file},{label}")
        start_ms = _start_ms(row.get(_START), f"{_START} in line {number} of {path}")
        start = None if start_ms is None else round(start_ms * rate_hz / 1000)
        items.append(_recording(file, label, path.parent / file, start))
    if not items:
        raise DataError(f"{path} should list recordings", got="none", hint=hint)
    return items


def _start_ms(text: str | None, called: str) -> float | None:
    """None where the list says nothing. Raises DataError for what is no time."""
    if not text or not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise DataError(f"{called} should be milliseconds from the start", got=text)
    return value


def _recording(name: str, label: str, path: Path, start: int | None) -> Recording:
    called = name if start is None else f"{name}@{start}"
    return Recording(called, label, "", path, start, convert=True)


def _decoded(name: str, items: list[Recording], model: Model, root: Path, progress: Progress) -> Labelled:
    """Decode the recordings; those that cannot be read are left out. Raises DataError when none can."""
    given = Counter(item.label for item in items)
    notes = _notes(given, model, name)
    spec = model.features
    batch, parts, kept, left_out = [], [], [], []
    clips = decoding.decode_all(items, spec.rate_hz, spec.clip_samples)
    for number, (item, clip) in enumerate(zip(items, clips, strict=True)):
        progress("decode", number + 1, len(items))
        if isinstance(clip, DataError):
            left_out.append(LeftOut(item.id, decoding.reason(clip, item.path)))
        else:
            batch.append(clip.samples)
            kept.append(item)
        if batch and (len(batch) == _BATCH or number + 1 == len(items)):
            parts.append(extract.features(spec, np.stack(batch)))
            batch.clear()
    if not kept:
        first = left_out[0]
        raise DataError(f"{name} should hold recordings that can be read", got=f"{first.file}: {first.reason}")
    truth = np.array([_truth(item.label, model.labels) for item in kept])
    ids = tuple(item.id for item in kept)
    return Labelled(name, ids, truth, np.concatenate(parts), root, "", notes, tuple(left_out))


def _truth(label: str, labels: tuple[str, ...]) -> int:
    if label in labels:
        return labels.index(label)
    stands_for, else_ = (SILENCE, SILENT) if label in (SILENCE, NOISE_FOLDER) else (UNKNOWN, OTHER)
    return labels.index(stands_for) if stands_for in labels else else_


def _notes(given: Counter[str], model: Model, name: str) -> tuple[str, ...]:
    """What labels that the model lacks are counted as. Raises DataError when none is a word of the model."""
    labels = model.labels
    if not set(given) & set(words(labels)):
        require_equal(labels, sorted(given), name, _OTHERS)
    others = {label: count for label, count in given.items() if label not in labels}
    noise = {label: others.pop(label) for label in (SILENCE, NOISE_FOLDER) if label in others}
    notes = [_note(counts, label, labels) for counts, label in ((noise, SILENCE), (others, UNKNOWN)) if counts]
    missing = [label for label in words(labels) if label not in given]
    if missing:
        notes.append(f"no clips of {', '.join(missing)}")
    return tuple(notes)


def _note(counts: dict[str, int], stands_for: str, labels: tuple[str, ...]) -> str:
    listed = ", ".join(f"{label} ({counts[label]})" for label in sorted(counts)[:_LISTED])
    more = f" and {len(counts) - _LISTED} more" if len(counts) > _LISTED else ""
    if stands_for in labels:
        return f"counted as {stands_for}: {listed}{more}"
    return f"no label of the model: {listed}{more}; these clips count at the thresholds only"
