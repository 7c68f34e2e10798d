"""Embeddings on disk: a folder of parquet shards, one per word or split in any other way.

Columns: `clip_id` (text) and `mswc_embedding_vector` (a list of floats, of one length everywhere). The word of a
clip is the part of its id before the last slash, or the shard's name when there is none. Rows are read in
batches of one row group; nothing here holds a whole shard.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgekws.curate.dataperf.formats.words import ID, VECTOR
from edgekws.errors import DataError
from edgekws.files import replacing, sha256_file

if TYPE_CHECKING:
    from pyarrow import Array, RecordBatch, Table
    from pyarrow.parquet import ParquetFile

_FORM = f"a parquet file with the columns {ID} (text) and {VECTOR} (a list of floats)"
_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True)
class Shard:
    """One file. groups: rows of each of its row groups. stamp: its size and time of change."""

    path: str
    groups: tuple[int, ...]
    stamp: tuple[int, int]

    @property
    def rows(self) -> int:
        """Number of rows in all row groups."""
        return sum(self.groups)


@dataclass(frozen=True)
class Span:
    """Consecutive row groups of one shard: what is read at once. first_row counts from the shard's start."""

    path: str
    first_group: int
    last_group: int
    first_row: int


@dataclass(frozen=True)
class Batch:
    """Rows [first_row, first_row + n) of a shard. vectors: float32 [n, d], finite."""

    path: str
    first_row: int
    ids: list[str]
    words: list[str]
    vectors: np.ndarray


def shards(folder: Path) -> tuple[Shard, ...]:
    """The parquet files below `folder`, in the order of their names. Raises DataError when there is none."""
    paths = sorted(path for path in folder.rglob("*.parquet") if path.is_file() and not _is_hidden(path, folder))
    listed = tuple(_shard(path) for path in paths)
    if not sum(shard.rows for shard in listed):
        got = (
            f"{len(listed)} files without rows"
            if listed
            else "no parquet file"
            if folder.is_dir()
            else "no such folder"
        )
        hint = "give the folder that edgekws embed wrote"
        raise DataError(f"{folder} should hold parquet files of embeddings", got=got, hint=hint)
    return listed


def _is_hidden(path: Path, folder: Path) -> bool:
    """Whether the file or a folder above it is hidden: an unfinished `edgekws embed` keeps pieces in one."""
    return any(name.startswith(".") for name in path.relative_to(folder).parts)


def _shard(path: Path) -> Shard:
    stamp = _stamp(path)
    meta = _open(path).metadata
    groups = tuple(meta.row_group(index).num_rows for index in range(meta.num_row_groups))
    return Shard(str(path), groups, stamp)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError as error:
        raise DataError(f"{path} should be {_FORM}", got=_short(error)) from error
    return stat.st_size, stat.st_mtime_ns


def check_unchanged(listed: Iterable[Shard]) -> None:
    """Raises DataError when a shard is no longer the file that was listed."""
    changed = [shard.path for shard in listed if _stamp(Path(shard.path)) != shard.stamp]
    if changed:
        hint = "run the same command again once nothing writes there"
        raise DataError(f"{changed[0]} should stay as it is while it is read", got="another size or time", hint=hint)


def _open(path: Path) -> ParquetFile:
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path} should be {_FORM}", got=_short(error)) from error
    missing = {ID, VECTOR} - set(file.schema_arrow.names)
    if missing:
        raise DataError(f"{path} should be {_FORM}", got=f"the columns {', '.join(file.schema_arrow.names)}"[:200])
    return file


def _short(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0][:200]


def units(listed: Iterable[Shard], rows: int) -> list[tuple[Span, ...]]:
    """Work units of about `rows` rows each: row groups of large shards, many small shards together."""
    result: list[tuple[Span, ...]] = []
    current: list[Span] = []
    held = 0
    for span, count in _spans(listed):
        if current and held + count > rows:
            result.append(tuple(current))
            current, held = [], 0
        current.append(span)
        held += count
    return [*result, tuple(current)] if current else result


def _spans(listed: Iterable[Shard]) -> Iterator[tuple[Span, int]]:
    for shard in listed:
        first = 0
        for index, count in enumerate(shard.groups):
            yield Span(shard.path, index, index + 1, first), count
            first += count


def dimensions(listed: Iterable[Shard]) -> int:
    """Length of a vector, from the metadata of the first shard with rows."""
    meta = _open(Path(next(shard.path for shard in listed if shard.rows))).metadata
    group = next(meta.row_group(i) for i in range(meta.num_row_groups) if meta.row_group(i).num_rows)
    column = next(i for i in range(meta.num_columns) if meta.schema.column(i).path.startswith(VECTOR))
    size: int = max(1, round(group.column(column).num_values / group.num_rows))
    return size


def read(spans: Iterable[Span], batch_rows: int) -> Iterator[Batch]:
    """Batches of at most `batch_rows` rows. Raises DataError with the file, the row and the rule."""
    import pyarrow

    for span in spans:
        path, row = Path(span.path), span.first_row
        file = _open(path)
        groups = list(range(span.first_group, span.last_group))
        try:
            for batch in file.iter_batches(batch_rows, groups, [ID, VECTOR], use_threads=False):
                yield _batch(path, row, batch)
                row += batch.num_rows
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(f"{path} should be readable to its end", got=_short(error)) from error
        finally:
            file.close()


def _batch(path: Path, row: int, batch: RecordBatch) -> Batch:
    ids = _ids(path, row, batch.column(ID))
    vectors = _matrix(path, row, batch.column(VECTOR))
    words = [name.rpartition("/")[0] or path.stem for name in ids]
    return Batch(str(path), row, ids, words, vectors)


def _ids(path: Path, row: int, column: Array) -> list[str]:
    ids: list[str] = column.to_pylist()
    wrong = next((i for i, name in enumerate(ids) if not isinstance(name, str) or not name), None)
    if wrong is not None:
        raise DataError(f"{path}, row {row + wrong}: {ID} should be text", got=repr(ids[wrong])[:60])
    return ids


def _matrix(path: Path, row: int, column: Array) -> np.ndarray:
    from pyarrow import compute, types

    kind = column.type
    lists = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    if not lists or not types.is_floating(kind.value_type):
        raise DataError(f"{path}: {VECTOR} should be a list of floats", got=str(kind))
    if column.null_count:
        raise DataError(f"{path}, row {row + column.is_null().index(True).as_py()}: {VECTOR} should be there")
    lengths = np.asarray(compute.list_value_length(column))
    ragged = np.flatnonzero(lengths != lengths[0])
    if len(ragged):
        wrong = int(ragged[0])
        expected = f"{path}, row {row + wrong}: {VECTOR} should have {lengths[0]} numbers as the rows before it"
        raise DataError(expected, got=str(lengths[wrong]))
    values = column.flatten().to_numpy(zero_copy_only=False).reshape(len(lengths), -1)
    with np.errstate(over="ignore"):  # reported below
        vectors: np.ndarray = values.astype(np.float32, copy=False)
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise DataError(f"{path}, row {row + int(np.argmin(finite))}: {VECTOR} should hold finite numbers of float32")
    return vectors


def digest(path: str) -> tuple[str, str]:
    """(path, SHA-256). Raises DataError for a file that cannot be read."""
    try:
        return path, sha256_file(Path(path))
    except OSError as error:
        raise DataError(f"{path} should be readable to its end", got=_short(error)) from error


def write(path: Path, batches: Iterable[tuple[list[str], np.ndarray]], group_rows: int = 8192) -> None:
    """Write a shard from batches (ids, float [n, d]); one batch is in memory at a time."""
    import pyarrow
    from pyarrow import parquet

    with replacing(path) as partial:
        writer = None
        try:
            for ids, vectors in batches:
                table = _table(ids, vectors)
                writer = writer or parquet.ParquetWriter(
                    partial, table.schema, compression="none", use_dictionary=False, write_statistics=False
                )
                writer.write_table(table, row_group_size=group_rows)
        except pyarrow.ArrowException as error:
            raise OSError(_short(error)) from error
        finally:
            if writer is not None:
                writer.close()
        if writer is None:
            raise DataError(f"{path} should get at least one batch")


def _table(ids: list[str], vectors: np.ndarray) -> Table:
    import pyarrow

    offsets = np.arange(len(ids) + 1, dtype=np.int32) * vectors.shape[1]
    lists = pyarrow.ListArray.from_arrays(offsets, np.ascontiguousarray(vectors).reshape(-1))
    return pyarrow.table({ID: pyarrow.array(ids, pyarrow.string()), VECTOR: lists})


def relative(paths: Iterable[str], folder: Path) -> list[str]:
    """Paths relative to `folder`, valid after it is moved."""
    return [os.path.relpath(path, folder) for path in paths]
