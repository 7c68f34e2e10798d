"""Results of shards and words as parquet: `clip_id` string, `mswc_embedding_vector` list<float32>.

The schema's metadata has, under "edgekws", JSON with kind, version, and the clips that were skipped.
Nothing in a file depends on when, where or by how many workers it was written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekws.embed._audio import Skipped
from edgekws.embed._shard import Part
from edgekws.embed._source import Shard
from edgekws.errors import ArtifactError, ConfigError
from edgekws.files import check_kind, replacing

if TYPE_CHECKING:
    import pyarrow as pa

KIND, VERSION = "edgekws-embeddings", 1
ID, VECTOR = "clip_id", "mswc_embedding_vector"
_META = b"edgekws"


def path_of(folder: Path, shard: Shard) -> Path:
    """Named by what the result depends on: a part of other recordings or another model is another file."""
    return folder / f"{shard.stamp}.parquet"


def write(path: Path, part: Part) -> None:
    import pyarrow.parquet as pq

    schema = _schema(part.skipped)
    with replacing(path) as partial, pq.ParquetWriter(partial, schema, **_PLAIN) as writer:
        writer.write_table(_table(part, schema))


def merge(path: Path, parts: Sequence[Path]) -> tuple[int, tuple[Skipped, ...]]:
    """The parts of a word end to end, one row group each: (clips, skipped). Without clips no file is written."""
    import pyarrow.parquet as pq

    skipped = tuple(each for part in parts for each in skipped_of(part))
    clips = sum(_opened(part).metadata.num_rows for part in parts)
    if not clips:
        path.unlink(missing_ok=True)
        return 0, skipped
    schema = _schema(())
    with replacing(path) as partial, pq.ParquetWriter(partial, schema, **_PLAIN) as writer:
        for part in parts:
            table = _opened(part).read().replace_schema_metadata(schema.metadata)
            if table.num_rows:
                writer.write_table(table)
    return clips, skipped


def skipped_of(path: Path) -> tuple[Skipped, ...]:
    """Raises ArtifactError for a file that is not ours."""
    meta = (_opened(path).schema_arrow.metadata or {}).get(_META, b"{}")
    try:
        about = json.loads(meta)
        check_kind(path, about, KIND, VERSION)
        return tuple(Skipped(clip, reason) for clip, reason in about["skipped"])
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise ArtifactError(f"{path} should be a file of edgekws embed", got=str(error), hint="remove it") from error


_PLAIN: dict[str, Any] = {"compression": "none", "use_dictionary": False}
"""Vectors of noise do not compress."""


def _schema(skipped: Sequence[Skipped]) -> pa.Schema:
    import pyarrow as pa

    about = {"kind": KIND, "version": VERSION, "skipped": [[each.id, each.reason] for each in skipped]}
    fields = [(ID, pa.string()), (VECTOR, pa.list_(pa.float32()))]
    return pa.schema(fields, metadata={_META: json.dumps(about).encode()})


def _table(part: Part, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    count, size = part.vectors.shape
    offsets = pa.array(np.arange(count + 1, dtype=np.int32) * size)
    values = pa.array(np.ascontiguousarray(part.vectors, np.float32).ravel())
    return pa.table([pa.array(part.ids, pa.string()), pa.ListArray.from_arrays(offsets, values)], schema=schema)


def _opened(path: Path) -> Any:  # noqa: ANN401  (pyarrow has no types)
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise ArtifactError(f"{path} should be parquet", got=str(error), hint="remove it and run again") from error


def require_pyarrow() -> None:
    """Raises ConfigError, before any work is done, where it is missing."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(
            "embeddings are written by pyarrow", got="none", hint="pip install 'edgekws[select]'"
        ) from error
