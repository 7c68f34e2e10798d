"""Builds a store from shards: a shuffle in two steps, each a map over independent pieces that survive a kill.

    spread   row groups  ->  a piece: their clips as int8, sorted by part
    gather   the clips of one part out of every piece  ->  the part, sorted by hash

Both steps write to a temporary name and rename, so an existing piece is complete.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekws.curate.shards import source, store
from edgekws.curate.shards.arithmetic import check_dimensions, hashes, quantize
from edgekws.curate.shards.source import Batch, Shard, Span
from edgekws.curate.shards.store import Layout, Part, Store
from edgekws.curate.workers import Engine
from edgekws.errors import DataError
from edgekws.files import replacing, sha256_file, write_json
from edgekws.types import Progress

_DIGESTS = "digests.json"
_WRITTEN_ROWS = 4096
_READ_ROWS = 2048


@dataclass(frozen=True)
class _Spread:
    folder: Path
    number: int
    spans: tuple[Span, ...]
    parts: int
    rows: int


@dataclass(frozen=True)
class _Gather:
    folder: Path
    out: Path
    part: int
    units: int
    dimensions: int


def build(
    folder: Path,
    work: Path,
    engine: Engine,
    layout: Layout,
    progress: Progress,
    listed: tuple[Shard, ...] | None = None,
) -> Store:
    """The store of the shards in `folder`, built in `work` unless it exists there. Raises DataError, ArtifactError.

    listed: the shards, if already listed; opening very many files takes time.
    """
    shards = listed or source.shards(folder)
    known = _existing_store(shards, work, layout)
    if known is not None:
        _remove_pieces(work)
        return known
    shutil.rmtree(work / "runs", ignore_errors=True)
    pieces = work / f"pieces-{_key(shards, layout)}"
    _remove_outdated(work, pieces)
    sources = _sources(shards, folder, pieces, engine, progress)
    units = source.units(shards, layout.part_rows)
    parts = max(1, -(-sum(shard.rows for shard in shards) // layout.part_rows))
    spread = [_Spread(pieces, number, spans, parts, layout.part_rows) for number, spans in enumerate(units)]
    metas = _all(engine, _spread, spread, progress, "reading shards")
    dimensions = _dimensions(metas)
    gather = [_Gather(pieces, work, part, len(units), dimensions) for part in range(parts)]
    made = _all(engine, _gather, gather, progress, "sorting clips")
    words = tuple(sorted({word for _, part_words in made for word in part_words}))
    left_out = sum(meta["left_out"] for meta in metas)
    result = Store(work, dimensions, layout, tuple(part for part, _ in made), words, left_out)
    if not result.rows:
        raise DataError(f"{folder} should hold a vector that is not all zeros", got=f"{left_out:,} vectors of zeros")
    source.check_unchanged(shards)
    store.save(result, sources)
    _remove_pieces(work)
    return result


def _all(engine: Engine, function: Callable[[Any], Any], tasks: list[Any], progress: Progress, what: str) -> list[Any]:
    """Results in the order of the tasks."""
    results: dict[int, Any] = {}
    progress(what, 0, len(tasks))
    for index, result in engine.map(function, tasks):
        results[index] = result
        progress(what, len(results), len(tasks))
    return [results[index] for index in range(len(tasks))]


def _existing_store(shards: tuple[Shard, ...], work: Path, layout: Layout) -> Store | None:
    """The store of exactly these files; None when there is none, or when they have changed since."""
    if not (work / store.MANIFEST).exists():
        return None
    result, sources = store.load(work)
    stamps = {entry["path"]: tuple(entry["stamp"]) for entry in sources}
    same = stamps == {shard.path: shard.stamp for shard in shards} and result.layout == layout
    return result if same else None


def _key(shards: Iterable[Shard], layout: Layout) -> str:
    identity = json.dumps([[s.path, s.groups, s.stamp] for s in shards] + [[layout.part_rows, layout.block_rows]])
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def _remove_outdated(work: Path, pieces: Path) -> None:
    """Remove pieces of other files, and an old store: its manifest first, then its parts."""
    work.mkdir(parents=True, exist_ok=True)
    (work / store.MANIFEST).unlink(missing_ok=True)
    _remove_pieces(work, but=pieces)
    if not pieces.exists():
        for part in work.glob("part-*"):
            part.unlink()
    pieces.mkdir(exist_ok=True)


def _remove_pieces(work: Path, but: Path | None = None) -> None:
    for old in work.glob("pieces-*"):
        if old != but:
            shutil.rmtree(old)


def _sources(
    shards: tuple[Shard, ...], folder: Path, pieces: Path, engine: Engine, progress: Progress
) -> list[dict[str, Any]]:
    path = pieces / _DIGESTS
    if path.exists():
        sources: list[dict[str, Any]] = json.loads(path.read_text())
        return sources
    digests = dict(_all(engine, source.digest, [shard.path for shard in shards], progress, "hashing shards"))
    names = source.relative((shard.path for shard in shards), folder)
    sources = [
        {"name": name, "path": s.path, "rows": s.rows, "sha256": digests[s.path], "stamp": list(s.stamp)}
        for name, s in zip(names, shards, strict=True)
    ]
    write_json(path, sources)
    return sources


def _dimensions(metas: list[dict[str, Any]]) -> int:
    first = next(meta for meta in metas if meta["dimensions"])
    for meta in metas:
        if meta["dimensions"] not in (0, first["dimensions"]):
            expected = f"{meta['path']} should have vectors of {first['dimensions']} numbers, as {first['path']}"
            raise DataError(expected, got=str(meta["dimensions"]))
    return int(first["dimensions"])


# spread


def _piece(folder: Path, number: int, part_number: int) -> tuple[Path, Path]:
    return folder / f"{number:06}-{part_number:03}.q8", folder / f"{number:06}-{part_number:03}.arrow"


def _spread(task: _Spread) -> dict[str, Any]:
    """Write the pieces of a unit: one, or more where a row group is larger than a part.

    The unit's .json, with the offsets of the parts, is written last and marks them as complete.
    """
    done = task.folder / f"{task.number:06}.json"
    if done.exists():
        known: dict[str, Any] = json.loads(done.read_text())
        return known
    meta: dict[str, Any] = {"path": task.spans[0].path, "dimensions": 0, "left_out": 0, "offsets": []}
    for part_number, batches in enumerate(_portions(task)):
        meta["offsets"].append(_write_piece(task, part_number, [_quantize(batch, meta) for batch in batches]))
    write_json(done, meta)
    return meta


def _portions(task: _Spread) -> Iterator[Iterator[Batch]]:
    """Groups of batches of about part_rows rows; each must be consumed before the next."""
    batches = source.read(task.spans, _READ_ROWS)
    for first in batches:
        yield _until(first, batches, task.rows)


def _until(first: Batch, batches: Iterator[Batch], rows: int) -> Iterator[Batch]:
    yield first
    held = len(first.ids)
    while held < rows and (batch := next(batches, None)) is not None:
        yield batch
        held += len(batch.ids)


def _quantize(batch: Batch, meta: dict[str, Any]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    dimensions = batch.vectors.shape[1]
    if not meta["dimensions"]:
        check_dimensions(dimensions, batch.path)
        meta |= {"dimensions": dimensions, "path": batch.path}
    elif dimensions != meta["dimensions"]:
        expected = f"{batch.path} should have vectors of {meta['dimensions']} numbers, as {meta['path']}"
        raise DataError(expected, got=str(dimensions))
    rows = quantize(batch.vectors)
    kept = np.flatnonzero(rows.any(axis=1))
    meta["left_out"] += len(rows) - len(kept)
    columns = {
        "hash": hashes(batch.ids)[kept],
        "id": np.array(batch.ids, object)[kept],
        "word": np.array(batch.words, object)[kept],
        "path": np.full(len(kept), batch.path, object),
        "row": batch.first_row + kept,
    }
    return rows[kept] if len(kept) < len(rows) else rows, columns


def _write_piece(task: _Spread, part_number: int, blocks: list[tuple[np.ndarray, dict[str, np.ndarray]]]) -> list[int]:
    columns = {name: np.concatenate([block[name] for _, block in blocks]) for name in blocks[0][1]}
    rows = np.concatenate([rows for rows, _ in blocks])
    part = ((columns["hash"] >> np.uint64(32)) * np.uint64(task.parts)) >> np.uint64(32)
    order = np.argsort(part, kind="stable")
    content, index = _piece(task.folder, task.number, part_number)
    _write_rows(content, rows, order)
    _write_index(index, {name: column[order] for name, column in columns.items()})
    offsets: list[int] = np.searchsorted(part[order], np.arange(task.parts + 1)).tolist()
    return offsets


def _write_rows(path: Path, rows: np.ndarray, order: np.ndarray) -> None:
    with replacing(path) as partial, partial.open("wb") as file:
        for start in range(0, len(order), _WRITTEN_ROWS):
            file.write(rows[order[start : start + _WRITTEN_ROWS]].tobytes())


def _write_index(path: Path, columns: dict[str, np.ndarray]) -> None:
    import pyarrow
    from pyarrow import feather

    text = {name for name, column in columns.items() if column.dtype == object}
    arrays = {n: pyarrow.array(c, pyarrow.string()) if n in text else pyarrow.array(c) for n, c in columns.items()}
    repeated = text & {"word", "path"}
    table = pyarrow.table({n: a.dictionary_encode() if n in repeated else a for n, a in arrays.items()})
    with replacing(path) as partial:
        feather.write_feather(table, str(partial), compression="uncompressed", chunksize=(1 << 31) - 1)


# gather


def _gather(task: _Gather) -> tuple[Part, list[str]]:
    content, index = store.q8_path(task.out, task.part), store.index_path(task.out, task.part)
    done = task.folder / f"part-{task.part:05}.json"
    if done.exists():
        known = json.loads(done.read_text())
        return Part(**known["part"]), known["words"]
    rows, columns = _collect(task)
    order = np.argsort(columns["hash"], kind="stable")
    order = _ties_by_id(order, columns)
    _write_rows(content, rows, order)
    _write_index(index, {name: columns[name][order] for name in ("hash", "id", "word")})
    part = Part(len(order), sha256_file(content), sha256_file(index))
    words = sorted(set(columns["word"]))
    write_json(done, {"part": vars(part), "words": words})
    return part, words


def _collect(task: _Gather) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    from pyarrow import feather

    blocks, columns = [np.empty((0, task.dimensions), np.int8)], []
    d = task.dimensions
    for number in range(task.units):
        offsets = json.loads((task.folder / f"{number:06}.json").read_text())["offsets"]
        for part_number, piece in enumerate(offsets):
            start, stop = piece[task.part : task.part + 2]
            content, index = _piece(task.folder, number, part_number)
            blocks.append(np.fromfile(content, np.int8, (stop - start) * d, offset=start * d).reshape(-1, d))
            columns.append(feather.read_table(index, use_threads=False, memory_map=True).slice(start, stop - start))
    names = ("hash", "id", "word", "path", "row")
    joined = {n: [np.asarray(c.column(n).to_numpy()) for c in columns] for n in names}
    empty = {n: np.empty(0, np.uint64 if n == "hash" else object) for n in names}
    return np.concatenate(blocks), {n: np.concatenate(v) if v else empty[n] for n, v in joined.items()}


def _ties_by_id(order: np.ndarray, columns: dict[str, np.ndarray]) -> np.ndarray:
    """The order by hash, ties by id. Raises DataError when an id occurs twice."""
    places = columns["hash"][order]
    if not (places[1:] == places[:-1]).any():
        return order
    exact = np.array(sorted(order, key=lambda i: (columns["hash"][i], columns["id"][i])))
    ids = columns["id"][exact]
    twice = np.flatnonzero(ids[1:] == ids[:-1])
    if len(twice):
        first, second = exact[twice[0]], exact[twice[0] + 1]
        where = [f"{columns['path'][i]}, row {columns['row'][i]}" for i in (first, second)]
        where.sort()
        raise DataError("every clip_id should occur once", got=f"{ids[twice[0]]} in {where[0]} and in {where[1]}")
    return exact
