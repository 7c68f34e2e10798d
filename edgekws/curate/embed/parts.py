"""Results of shards and words as parquet.

scene        `clip_id` string, `mswc_embedding_vector` list<float32>: a row per clip
timestamps   `clip_id` string, `timestamp_ms` float, `embedding` list<float32>: a row per time, a clip's rows together

Timestamps have other columns, so that readers of one vector per clip do not take them for such.
The schema's metadata has, under "edgekws", JSON with kind, version, and the clips that were skipped.
Nothing in a file depends on when, where or by how many workers it was written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekws.curate.dataperf.formats.words import ID, VECTOR
from edgekws.curate.embed.audio import Skipped
from edgekws.curate.embed.shard import Part
from edgekws.curate.embed.source import Shard
from edgekws.errors import ArtifactError, missing_package
from edgekws.files import check_kind, replacing

if TYPE_CHECKING:
    import pyarrow as pa

KIND, VERSION = "edgekws-embeddings", 1
TIME, TIME_VECTOR = "timestamp_ms", "embedding"
_GROUP = 1 << 16
"""Rows of a row group."""
_META = b"edgekws"


def path_of(folder: Path, shard: Shard) -> Path:
    """The file name depends on everything that the result depends on: recordings, model, settings."""
    return folder / f"{shard.stamp}.parquet"


def write(path: Path, part: Part) -> None:
    """One shard's result."""
    import pyarrow.parquet as pq

    schema = _schema(part.skipped, part.times_ms is not None)
    with replacing(path) as partial, pq.ParquetWriter(partial, schema, **_PLAIN) as writer:
        for start in range(0, max(1, len(part.ids)), _GROUP):
            writer.write_table(_table(part, slice(start, start + _GROUP), schema))


def merge(path: Path, parts: Sequence[Path]) -> tuple[int, tuple[Skipped, ...]]:
    """The parts of a word end to end, group by group: (clips, skipped). Without clips no file is written."""
    import pyarrow.parquet as pq

    skipped = tuple(each for part in parts for each in skipped_of(part))
    filled = [part for part in parts if _opened(part).metadata.num_rows]
    if not filled:
        path.unlink(missing_ok=True)
        return 0, skipped
    schema = _schema((), TIME in _opened(filled[0]).schema_arrow.names)
    clips: set[str] = set()
    with replacing(path) as partial, pq.ParquetWriter(partial, schema, **_PLAIN) as writer:
        for table in (group for part in filled for group in _groups(part)):
            writer.write_table(table.replace_schema_metadata(schema.metadata))
            clips.update(table[ID].unique().to_pylist())
    return len(clips), skipped


def _groups(path: Path) -> Iterator[pa.Table]:
    file = _opened(path)
    for number in range(file.num_row_groups):
        yield file.read_row_group(number)


def skipped_of(path: Path) -> tuple[Skipped, ...]:
    """The skipped clips of a part. Raises ArtifactError for a foreign file."""
    meta = (_opened(path).schema_arrow.metadata or {}).get(_META, b"{}")
    try:
        about = json.loads(meta)
        check_kind(path, about, KIND, VERSION)
        return tuple(Skipped(clip, reason) for clip, reason in about["skipped"])
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise ArtifactError(f"{path} should be a file of edgekws embed", got=str(error), hint="remove it") from error


_PLAIN: dict[str, Any] = {"compression": "none", "use_dictionary": False}
"""Embeddings do not compress."""


def _schema(skipped: Sequence[Skipped], timestamps: bool) -> pa.Schema:
    import pyarrow as pa

    about = {"kind": KIND, "version": VERSION, "skipped": [[each.id, each.reason] for each in skipped]}
    vector, number = pa.list_(pa.float32()), pa.float32()
    fields = [(TIME, number), (TIME_VECTOR, vector)] if timestamps else [(VECTOR, vector)]
    fields.insert(0, (ID, pa.string()))
    return pa.schema(fields, metadata={_META: json.dumps(about).encode()})


def _table(part: Part, rows: slice, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    vectors = np.ascontiguousarray(part.vectors[rows], np.float32)
    count, size = vectors.shape
    offsets = pa.array(np.arange(count + 1, dtype=np.int32) * size)
    columns = [pa.array(part.ids[rows], pa.string()), pa.ListArray.from_arrays(offsets, pa.array(vectors.ravel()))]
    if part.times_ms is not None:
        columns.insert(1, pa.array(part.times_ms[rows], pa.float32()))
    return pa.table(columns, schema=schema)


def _opened(path: Path) -> Any:  # noqa: ANN401  (pyarrow has no types)
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise ArtifactError(f"{path} should be parquet", got=str(error), hint="remove it and run again") from error


def require_pyarrow() -> None:
    """Raises MissingPackageError, before any work is done, if it is missing."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ModuleNotFoundError as error:
        raise missing_package(error) or error from error
