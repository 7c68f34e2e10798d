"""The prepared data set: every clip decoded once into one int16 array per split.

    DIR/index.json                kind, version, labels; per split: file, sha256, ids, labels, speakers
    DIR/<split>-<sha256>.npy      int16 [n, clip_samples], memory-mapped by readers
    DIR/noise-<sha256>.npy        int16 [m], the background noises end to end

What the index says about the origin (name, notes, left_out, changed, listed_by, reject) is outside of the hash that
identifies the data. `left_out` has the files that were not used, each with its reason; `changed` counts what was done
to the others (resampled, mixed down, padded, ...); `reject` says what `_silence_` and `_unknown_` were made of.

Files are named by the hash of their content, and the index is replaced last: until then readers see the old index and
the old files.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgekws.data import audio
from edgekws.data.decoding import decode_all, reason
from edgekws.data.listing import HIDDEN, SPLITS, LeftOut, Listing, Recording, state
from edgekws.errors import ArtifactError, DataError
from edgekws.files import read_content, read_json, replacing, write_json, write_rows
from edgekws.files.os_errors import unreadable
from edgekws.types import Clip, Progress

KIND, VERSION = "edgekws-dataset", 1
INDEX = "index.json"
_PREPARE = "run edgekws data prepare first"
_SHOWN_PROBLEMS = 5
ORIGIN = ("source", "name", "notes", "left_out", "changed", "listed_by", "reject")
"""Keys of the index that are outside of its hash: where the data came from, not what it is."""


@dataclass(frozen=True)
class Split:
    """samples int16 [n, clip_samples] (memory-mapped), labels int64 [n]."""

    name: str
    samples: np.ndarray
    labels: np.ndarray
    ids: tuple[str, ...]
    speakers: tuple[str, ...]
    sha256: str

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """A prepared data set. noise: int16 [m], at `rate_hz`; sha256: pins labels, ids, order and samples.

    left_out: recordings that are not in it, and why; changed: how many clips were changed, by what; listed_by: the
    source plugin, "" where that is not known; reject: what each label of the reject class was made of.
    """

    folder: Path
    name: str
    labels: tuple[str, ...]
    rate_hz: int
    splits: dict[str, Split]
    noise: np.ndarray
    noise_sha256: str
    notes: tuple[str, ...]
    sha256: str
    left_out: tuple[LeftOut, ...] = ()
    changed: Mapping[str, int] = field(default_factory=dict)
    listed_by: str = ""
    reject: Mapping[str, str] = field(default_factory=dict)

    def clip(self, split: str, number: int) -> Clip:
        """Clip `number` of a split."""
        part = self.splits[split]
        return Clip(
            part.ids[number], int(part.labels[number]), part.speakers[number], part.samples[number], self.rate_hz
        )


def prepare(
    listing: Listing,
    folder: Path,
    rate_hz: int,
    clip_samples: int,
    progress: Progress,
    listed_by: str = "",
    strict: bool = False,
) -> Dataset:
    """Decode all recordings of `listing` into `folder`, unless it holds them already.

    clip_samples: length of every clip. listed_by: the source plugin. A recording to be converted that is unreadable is
    left out, unless `strict`. Raises DataError that names the other recordings that are unreadable or not mono of
    `rate_hz`, or when a label has no clip left; and ArtifactError when the folder cannot be written.
    """
    if strict:
        _require_none(listing.left_out)
    source = _listing_hash(listing, clip_samples)
    if (folder / INDEX).exists() and _read_index(folder)["source"] == source:
        return load(folder)
    written = [_write_readable(folder, name, listing, rate_hz, clip_samples, progress, strict) for name in SPLITS]
    splits = {name: each.entry for name, each in zip(SPLITS, written, strict=True)}
    left_out = [*listing.left_out, *(item for each in written for item in each.left_out)]
    changed = sum((each.changed for each in written), Counter[str]())
    noises = [audio.read(path, rate_hz) for path in listing.noises]
    made = [listing.make_noise(rate_hz)] if listing.make_noise else []
    noise = np.concatenate([np.zeros(0, np.int16), *noises, *made])
    noise_file = _write_array(folder, "noise", iter([noise]), noise.shape)
    body = {
        "name": listing.name,
        "labels": listing.labels,
        "rate_hz": rate_hz,
        "notes": listing.notes,
        "source": source,
        "splits": splits,
        "noise": noise_file,
        **origin(left_out, changed, listed_by, listing.reject),
    }
    write_json(folder / INDEX, {"kind": KIND, "version": VERSION, "sha256": _index_hash(body), **body})
    _remove_replaced(folder, {value["file"] for value in (*splits.values(), noise_file)})
    return load(folder)


def origin(
    left_out: Sequence[LeftOut], changed: Mapping[str, int], listed_by: str, reject: Mapping[str, str]
) -> dict[str, Any]:
    """The optional keys of the index, without empty ones."""
    values = {
        "left_out": [{"file": each.file, "reason": each.reason} for each in left_out],
        "changed": dict(sorted(changed.items())),
        "listed_by": listed_by,
        "reject": dict(reject),
    }
    return {key: value for key, value in values.items() if value}


def load(folder: Path) -> Dataset:
    """The data set in `folder`, memory-mapped.

    Raises DataError when there is none, and ArtifactError when it is of another version or was changed.
    """
    index = _read_index(folder)
    labels = tuple(index["labels"])
    splits = {name: _load_split(folder, name, value, labels) for name, value in index["splits"].items()}
    noise = _map(folder / index["noise"]["file"])
    notes, pin = tuple(index["notes"]), index["noise"]["sha256"]
    return Dataset(
        folder,
        index["name"],
        labels,
        index["rate_hz"],
        splits,
        noise,
        pin,
        notes,
        index["sha256"],
        tuple(LeftOut(each["file"], each["reason"]) for each in index.get("left_out", ())),
        index.get("changed", {}),
        index.get("listed_by", ""),
        index.get("reject", {}),
    )


def read_clip_list(dataset: Dataset, split: str, path: Path) -> np.ndarray:
    """Indices of the clips of `split` that the file `path` lists, one id a line, in that order: int64 [n].

    Raises DataError for an id that is not in this split, naming the split that has it.
    """
    hint = "write one id a line, as in index.json of the data set"
    text = read_content(path, "a list of clip ids", hint).decode(errors="replace")
    clip_ids = [line.strip() for line in text.splitlines() if line.strip()]
    numbers = {clip_id: number for number, clip_id in enumerate(dataset.splits[split].ids)}
    for clip_id in clip_ids:
        if clip_id not in numbers:
            other_splits = [name for name, other in dataset.splits.items() if clip_id in other.ids]
            got = f"{clip_id}, which is {f'a {other_splits[0]} clip' if other_splits else 'in no split'}"
            raise DataError(f"{path} should list clips of the {split} split", got=got)
    if not clip_ids:
        raise DataError(f"{path} should list clips of the {split} split", got="none")
    return np.array([numbers[clip_id] for clip_id in clip_ids])


def verify(dataset: Dataset) -> None:
    """Read every sample. Raises ArtifactError when one does not match the hashes of the index."""
    pinned = {split.name: (split.samples, split.sha256) for split in dataset.splits.values()}
    for name, (samples, expected) in {**pinned, "noise": (dataset.noise, dataset.noise_sha256)}.items():
        if _samples_hash(samples) != expected:
            raise ArtifactError(
                f"the {name} samples in {dataset.folder} should match their hash",
                got="changed samples",
                hint="delete the folder and run edgekws data prepare again",
            )


@dataclass(frozen=True)
class _Written:
    """entry: of the index, {} when nothing was written because of `left_out`."""

    entry: dict[str, Any]
    left_out: list[LeftOut]
    changed: Counter[str]


def _require_none(left_out: Sequence[LeftOut]) -> None:
    """Hidden files are no loss."""
    lost = [each for each in left_out if each.reason != HIDDEN]
    if lost:
        shown = "; ".join(f"{each.file}: {each.reason}" for each in lost[:_SHOWN_PROBLEMS])
        more = f"; and {len(lost) - _SHOWN_PROBLEMS} more" if len(lost) > _SHOWN_PROBLEMS else ""
        hint = "repair or remove these files, or omit --strict; nothing was changed"
        raise DataError(f"every file should be used, {len(lost)} cannot be", got=shown + more, hint=hint)


class _LeftOutError(Exception):
    """Some recordings of a split are unreadable, so that its array has fewer rows than its header says."""


def _write_readable(
    folder: Path, name: str, listing: Listing, rate_hz: int, clip_samples: int, progress: Progress, strict: bool
) -> _Written:
    """Write a split without the recordings that cannot be decoded and may be left out: they are known at the end."""
    tried = _write_split(folder, name, listing, rate_hz, clip_samples, progress)
    if strict:
        _require_none(tried.left_out)
    if not tried.left_out:
        return tried
    readable = listing.without({each.file for each in tried.left_out})
    readable.check(tried.left_out)
    again = _write_split(folder, name, readable, rate_hz, clip_samples, progress)
    return _Written(again.entry, tried.left_out, again.changed)


def _write_split(
    folder: Path, name: str, listing: Listing, rate_hz: int, clip_samples: int, progress: Progress
) -> _Written:
    recordings = listing.splits[name]
    problems: list[DataError] = []
    result = _Written({}, [], Counter())

    def readable() -> Iterator[np.ndarray]:
        decoded = decode_all(recordings, rate_hz, clip_samples)
        for number, (item, clip) in enumerate(zip(recordings, decoded, strict=True)):
            progress(f"decode {name}", number + 1, len(recordings))
            if not isinstance(clip, DataError):
                result.changed.update(clip.changed)
                yield clip.samples
            elif item.convert:
                result.left_out.append(LeftOut(item.id, reason(clip, item.path)))
            else:
                problems.append(clip)
        if problems:
            raise _summary(problems)
        if result.left_out:
            raise _LeftOutError

    try:
        written = _write_array(folder, name, readable(), (len(recordings), clip_samples))
    except _LeftOutError:
        return result
    order = {label: number for number, label in enumerate(listing.labels)}
    result.entry.update(written)
    result.entry.update(
        labels=[order[item.label] for item in recordings],
        ids=[item.id for item in recordings],
        speakers=[item.speaker for item in recordings],
    )
    return result


def _write_array(folder: Path, name: str, blocks: Iterator[np.ndarray], shape: tuple[int, ...]) -> dict[str, str]:
    """Write int16 blocks to a file named by their hash."""
    digest = hashlib.sha256()

    def hashed() -> Iterator[np.ndarray]:
        for block in blocks:
            digest.update(block.tobytes())
            yield block

    unnamed = folder / f"{name}.unnamed"
    with replacing(unnamed) as partial:
        write_rows(partial, hashed(), shape, np.dtype(np.int16))
    named = folder / f"{name}-{digest.hexdigest()[:16]}.npy"
    unnamed.replace(named)
    return {"file": named.name, "sha256": digest.hexdigest()}


def _remove_replaced(folder: Path, used: set[str]) -> None:
    for path in folder.glob("*.npy"):
        if path.name not in used:
            path.unlink()


def _summary(problems: list[DataError]) -> DataError:
    if len(problems) == 1:
        return problems[0]
    shown = "; ".join(f"{p.expected}, got {p.got}" for p in problems[:_SHOWN_PROBLEMS])
    more = len(problems) - _SHOWN_PROBLEMS
    tail = f"; and {more} more" if more > 0 else ""
    return DataError(
        f"every recording should be readable, {len(problems)} are not",
        got=shown + tail,
        hint="repair or remove these files, or drop them with edgekws data clean --root; nothing was changed",
    )


def _load_split(folder: Path, name: str, value: dict[str, Any], labels: tuple[str, ...]) -> Split:
    samples = _map(folder / value["file"])
    numbers = np.asarray(value["labels"], np.int64)
    if len(samples) != len(numbers) or (len(numbers) and numbers.max() >= len(labels)):
        raise ArtifactError(
            f"{folder / value['file']} should hold {len(numbers)} clips",
            got=f"{len(samples)}",
            hint="delete the folder and run edgekws data prepare again",
        )
    return Split(name, samples, numbers, tuple(value["ids"]), tuple(value["speakers"]), value["sha256"])


def _map(path: Path) -> np.ndarray:
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except OSError as error:
        hint = "run edgekws data prepare again"
        raise unreadable(ArtifactError, path, "an array of a prepared data set", error, hint) from error
    except ValueError as error:
        raise ArtifactError(
            f"{path} should be an array of a prepared data set", got=str(error), hint="run edgekws data prepare again"
        ) from error


def _read_index(folder: Path) -> dict[str, Any]:
    if not (folder / INDEX).exists():
        recordings = folder.is_dir() and any(folder.glob("*/*"))
        hint = f"prepare it first: edgekws data prepare {shlex.quote(str(folder))}" if recordings else _PREPARE
        raise DataError(f"{folder} should be a prepared data set", got="no index.json in it", hint=hint)
    index = read_json(folder / INDEX, KIND, VERSION)
    body = {key: value for key, value in index.items() if key not in ("kind", "version", "sha256")}
    if _index_hash(body) != index.get("sha256"):
        raise ArtifactError(
            f"{folder / INDEX} should match its own hash",
            got="changed content",
            hint="delete the folder and run edgekws data prepare again",
        )
    return index


def _index_hash(body: dict[str, Any]) -> str:
    """Covers labels, ids, their order and the hash of all samples; not names and origin."""
    pinned = {key: value for key, value in body.items() if key not in ORIGIN}
    return hashlib.sha256(json.dumps(pinned, sort_keys=True).encode()).hexdigest()


def _listing_hash(listing: Listing, clip_samples: int) -> str:
    """Changes when a file is added, removed, resized or modified, so that decoding can be skipped when it did not."""
    digest = hashlib.sha256(f"{listing.name} {listing.labels} {clip_samples}".encode())
    rows = [(split, _row(item), item.label, item.path) for split in SPLITS for item in listing.splits[split]]
    for split, name, label, path in [*rows, *(("noise", path.name, "", path) for path in listing.noises)]:
        digest.update(f"{split} {name} {label} {state(path)}\n".encode())
    for each in listing.left_out:
        digest.update(f"left out {each.file} {each.reason}\n".encode())
    for label, text in listing.reject.items():
        digest.update(f"{label} of {text}\n".encode())
    if listing.make_noise:
        digest.update(b"made noise\n")
    return digest.hexdigest()


def _row(item: Recording) -> str:
    return f"{item.id} {item.start} {item.stop}" if item.convert else item.id


def _samples_hash(samples: np.ndarray) -> str:
    digest = hashlib.sha256()
    for start in range(0, len(samples), 1024):
        digest.update(np.ascontiguousarray(samples[start : start + 1024]).tobytes())
    return digest.hexdigest()
