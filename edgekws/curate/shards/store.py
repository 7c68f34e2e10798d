"""The working copy of a data set: one byte per number, clips in the order of their hash.

    work/store.json            kind, version, sizes, the sources and the parts with their hashes
    work/part-00000.q8         int8 [rows, d]: clips whose hash lies in the part's range, sorted by hash
    work/part-00000.arrow      hash, id, word of the same rows

A clip's position depends on its id and on the number of clips, not on its shard: any sharding of the same clips gives
the same store, byte for byte. Its parts are uniformly random subsets of the data, which the guarantees of two-stage
selection (GreeDi) require.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekws.errors import ArtifactError
from edgekws.files import read_json, write_json

if TYPE_CHECKING:
    from pyarrow import ChunkedArray

KIND, VERSION = "edgekws-scale-store", 1  # the name of the format, from before this package was called shards
MANIFEST = "store.json"


@dataclass(frozen=True)
class Layout:
    """part_rows: approximate number of clips of a part (a task of an engine); block_rows: clips processed at once."""

    part_rows: int = 65536
    block_rows: int = 4096


@dataclass(frozen=True)
class Part:
    """rows: clips. sha256: of its numbers (.q8); index_sha256: of its hashes, ids and words (.arrow)."""

    rows: int
    sha256: str
    index_sha256: str


@dataclass(frozen=True)
class Store:
    """Row numbers run through all parts. Small enough to be sent to workers."""

    folder: Path
    dimensions: int
    layout: Layout
    parts: tuple[Part, ...]
    words: tuple[str, ...]
    left_out: int
    """Clips whose vector is all zeros: they have no direction."""

    @property
    def rows(self) -> int:
        """Number of clips in all parts."""
        return sum(part.rows for part in self.parts)

    @cached_property
    def starts(self) -> np.ndarray:
        """int64 [parts + 1]: first row of each part."""
        return np.cumsum([0, *(part.rows for part in self.parts)]).astype(np.int64)

    def part_rows(self, part: int) -> tuple[int, int]:
        """(first row of the part, first row after it)."""
        return int(self.starts[part]), int(self.starts[part + 1])

    def blocks(self, part: int) -> Iterator[tuple[int, int]]:
        """(start, stop) of each block of a part, in rows of that part."""
        step = self.layout.block_rows
        return ((start, min(start + step, self.parts[part].rows)) for start in range(0, self.parts[part].rows, step))

    def read(self, part: int, start: int, stop: int) -> np.ndarray:
        """Integers as float32 [stop - start, d]. Raises ArtifactError for a truncated store."""
        d = self.dimensions
        path = q8_path(self.folder, part)
        try:
            flat = np.fromfile(path, np.int8, (stop - start) * d, offset=start * d)
        except OSError as error:
            raise _damaged(path, error.strerror or str(error)) from error
        if flat.size < (stop - start) * d:
            raise _damaged(path, f"{flat.size // d:,} rows from row {start:,}, not {stop - start:,}")
        return flat.reshape(-1, d).astype(np.float32)

    def vectors(self, rows: np.ndarray) -> np.ndarray:
        """int8 [n, d] of rows anywhere, in the order given."""
        result = np.empty((len(rows), self.dimensions), np.int8)
        order = np.argsort(rows, kind="stable")
        parts = np.searchsorted(self.starts, rows[order], side="right") - 1
        for part in np.unique(parts):
            selected = order[parts == part]
            result[selected] = self._scattered(int(part), rows[selected] - self.starts[part])
        return result

    def _scattered(self, part: int, rows: np.ndarray) -> np.ndarray:
        d = self.dimensions
        path = q8_path(self.folder, part)
        with path.open("rb", buffering=0) as file:
            content = [(file.seek(int(row) * d), file.read(d))[1] for row in rows]
        joined = b"".join(content)
        if len(joined) != len(rows) * d:
            raise _damaged(path, "fewer rows than its manifest says")
        return np.frombuffer(joined, np.int8).reshape(-1, d)

    def places(self, part: int) -> np.ndarray:
        """uint64 [rows of the part]: the hashes."""
        return np.asarray(self._index(part, "hash"), np.uint64)

    def word_numbers(self, part: int) -> np.ndarray:
        """int32 [rows of the part]: index into `words`."""
        column = self._index(part, "word").combine_chunks()
        chunk = column.chunk(0) if hasattr(column, "chunk") else column
        known = {word: number for number, word in enumerate(self.words)}
        table = np.array([known[word] for word in chunk.dictionary.to_pylist()], np.int32)
        numbers: np.ndarray = table[np.asarray(chunk.indices)]
        return numbers

    def ids(self, rows: np.ndarray) -> list[str]:
        """Of rows anywhere, int64 [n], in the order given."""
        result = [""] * len(rows)
        parts = np.searchsorted(self.starts, rows, side="right") - 1
        for part in np.unique(parts):
            selected = np.flatnonzero(parts == part)
            names = self._index(int(part), "id").take(rows[selected] - self.starts[part]).to_pylist()
            for place, name in zip(selected, names, strict=True):
                result[place] = name
        return result

    def _index(self, part: int, column: str) -> ChunkedArray:
        import pyarrow
        from pyarrow import feather

        path = index_path(self.folder, part)
        try:
            return feather.read_table(path, columns=[column], use_threads=False, memory_map=False).column(column)
        except (pyarrow.ArrowException, OSError) as error:
            raise _damaged(path, str(error)[:200]) from error

    def fingerprint(self) -> str:
        """A hash of everything that selections depend on; the same for any sharding of the same clips."""
        content = [str(self.dimensions), str(asdict(self.layout)), *(p.sha256 + p.index_sha256 for p in self.parts)]
        return hashlib.sha256("\n".join(content).encode()).hexdigest()


def q8_path(folder: Path, part: int) -> Path:
    return folder / f"part-{part:05}.q8"


def index_path(folder: Path, part: int) -> Path:
    return folder / f"part-{part:05}.arrow"


def _damaged(path: Path, got: str) -> ArtifactError:
    hint = f"delete {path.parent} and run the same command again"
    return ArtifactError(f"{path} should be an intact part of the working copy", got=got, hint=hint)


def save(store: Store, sources: list[dict[str, Any]]) -> None:
    """Write the manifest, the last of a store's files. sources: of each shard name, path, rows, sha256, stamp."""
    value = {"kind": KIND, "version": VERSION, **asdict(store), "sources": sources}
    value.pop("folder")
    write_json(store.folder / MANIFEST, value)


def load(folder: Path) -> tuple[Store, list[dict[str, Any]]]:
    """The store and its sources. Raises ArtifactError for a manifest of another kind."""
    path = folder / MANIFEST
    value = read_json(path, KIND, VERSION)
    try:
        parts = tuple(Part(**part) for part in value["parts"])
        layout, words = Layout(**value["layout"]), tuple(value["words"])
        store = Store(folder, int(value["dimensions"]), layout, parts, words, int(value["left_out"]))
        return store, list(value["sources"])
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, f"a field that is wrong or missing ({error})") from error
