"""<word>.parquet: embeddings of one word. clip_id: text; mswc_embedding_vector: list of float, all of one length."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekws.curate import packages
from edgekws.errors import ArtifactError, DataError
from edgekws.files import replacing

_Arrow = Any
"""Of pyarrow, which has no types."""

ID, VECTOR = "clip_id", "mswc_embedding_vector"
_HINT = "compute the embeddings of this word again"
_SHOWN = 20


@dataclass(frozen=True)
class Word:
    """The rows of one file; ids may repeat; vectors are read by row."""

    path: Path
    ids: list[str]
    _flat: np.ndarray
    _starts: np.ndarray
    _present: np.ndarray

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._flat.dtype

    def lengths(self) -> np.ndarray:
        """int [rows]: numbers in each vector; -1 where there is none."""
        return np.where(self._present, np.diff(self._starts), -1)

    def vectors(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """[rows, dimensions] in the type that the file has. Raises ArtifactError for ragged or not finite ones."""
        rows = np.asarray(rows, np.int64)
        if not len(rows):
            return np.empty((0, 0), self.dtype)
        size = self._common_length(rows)
        if np.array_equal(rows, np.arange(rows[0], rows[0] + len(rows))):
            chosen = self._flat[self._starts[rows[0]] : self._starts[rows[-1] + 1]].reshape(-1, size)
        else:
            chosen = self._flat[self._starts[rows][:, None] + np.arange(size)]
        bad = np.flatnonzero(~np.isfinite(chosen).all(axis=1))
        if len(bad):
            raise self._wrong(f"NaN or infinity in the vector of {self.ids[rows[bad[0]]]}", rows[bad[0]])
        return chosen

    def _common_length(self, rows: np.ndarray) -> int:
        lengths = self.lengths()[rows]
        odd = np.flatnonzero((lengths != lengths[0]) | (lengths <= 0))
        if len(odd):
            clip, size = self.ids[rows[odd[0]]], lengths[odd[0]]
            actual = "no vector" if size < 0 else f"a vector of {size} numbers"
            raise self._wrong(f"{actual} for {clip}; the first has {lengths[0]}", rows[odd[0]])
        return int(lengths[0])

    def _wrong(self, got: str, row: int) -> ArtifactError:
        expected = f"{self.path} should hold vectors of one length and of finite numbers"
        return ArtifactError(expected, got=f"{got} (row {row + 1})", hint=_HINT)


def composed(word: str) -> str:
    """Unicode NFC; file names may be NFC or NFD."""
    return unicodedata.normalize("NFC", word)


def path_of(folder: Path, word: str) -> Path:
    """The file of a word, in whichever Unicode form (composed or not) the file system has its name.

    Raises DataError when there is none.
    """
    forms = dict.fromkeys([word, *(composed(word), unicodedata.normalize("NFD", word))])
    for form in forms:
        path = folder / f"{form}.parquet"
        with suppress(OSError):  # the name may be too long for the file system
            if path.is_file():
                return path
    raise DataError(
        f"{folder} should have {word}.parquet",
        got="no such file" if folder.is_dir() else "no such folder",
        hint=_words_hint(folder),
    )


def _words_hint(folder: Path) -> str:
    present = sorted(path.stem for path in folder.glob("*.parquet"))
    if not present:
        return "give the folder with one parquet file per word, as edgekws embed writes it"
    more = f" and {len(present) - _SHOWN} more" if len(present) > _SHOWN else ""
    return f"check the word; it has {', '.join(present[:_SHOWN])}{more}"


def read(path: Path) -> Word:
    """Raises ArtifactError for a file of another kind, other columns or types, and for a damaged one."""
    with _readable(path):
        return _word(path, _table(path))


def count(path: Path) -> int:
    """Clips in a file, without reading them. Raises ArtifactError for one that is not parquet."""
    with _readable(path):
        return int(packages.load("pyarrow.parquet").read_metadata(path).num_rows)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    pyarrow = packages.load("pyarrow")
    try:
        yield
    except (pyarrow.ArrowException, OSError, ValueError, MemoryError) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise _foreign(path, f"a file that parquet cannot read ({first[:120]})") from error


def _word(path: Path, table: _Arrow) -> Word:
    ids, vectors = (table.column(name).combine_chunks() for name in (ID, VECTOR))
    if ids.null_count:
        raise _foreign(path, f"{ids.null_count} clips without an id")
    flat, starts = _flattened(vectors)
    present = np.asarray(vectors.is_valid()) if vectors.null_count else np.ones(len(vectors), np.bool_)
    return Word(path, ids.to_pylist(), flat, starts, present)


def _table(path: Path) -> _Arrow:
    parquet = packages.load("pyarrow.parquet")
    schema = parquet.read_schema(path)
    missing = [name for name in (ID, VECTOR) if name not in schema.names]
    if missing:
        raise _foreign(path, f"no column {missing[0]}; there are {', '.join(schema.names)[:100]}")
    _check_types(path, schema)
    return parquet.read_table(path, columns=[ID, VECTOR])


def _check_types(path: Path, schema: _Arrow) -> None:
    pyarrow = packages.load("pyarrow")
    kind, vector = schema.field(ID).type, schema.field(VECTOR).type
    kind = kind.value_type if pyarrow.types.is_dictionary(kind) else kind
    if not (pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)):
        raise _foreign(path, f"{ID} of type {kind}, and it should be text")
    lists = (pyarrow.types.is_list, pyarrow.types.is_large_list, pyarrow.types.is_fixed_size_list)
    if not any(test(vector) for test in lists) or not pyarrow.types.is_floating(vector.value_type):
        raise _foreign(path, f"{VECTOR} of type {vector}, and it should be a list of float")


def _flattened(vectors: _Arrow) -> tuple[np.ndarray, np.ndarray]:
    """(all numbers, where each row starts and the last ends), without a copy when there are no gaps."""
    if hasattr(vectors.type, "list_size"):
        size = vectors.type.list_size
        starts = np.arange(len(vectors) + 1, dtype=np.int64) * size + vectors.offset * size
    else:
        starts = vectors.offsets.to_numpy().astype(np.int64)
    flat = vectors.values
    if not flat.null_count:
        return flat.to_numpy(), starts
    numbers = flat.to_numpy(zero_copy_only=False)
    return np.where(np.asarray(flat.is_valid()), numbers, np.nan).astype(numbers.dtype), starts


def write(path: Path, ids: Iterable[str], vectors: np.ndarray) -> None:
    """vectors: float [n, dimensions]; stored in the type they have."""
    parquet, pyarrow = packages.load("pyarrow.parquet"), packages.load("pyarrow")
    starts = np.arange(len(vectors) + 1, dtype=np.int32) * vectors.shape[1]
    lists = pyarrow.ListArray.from_arrays(starts, pyarrow.array(np.ascontiguousarray(vectors).ravel()))
    table = pyarrow.table({ID: pyarrow.array(list(ids), pyarrow.string()), VECTOR: lists})
    with replacing(path) as partial:
        parquet.write_table(table, partial, use_dictionary=False)


def _foreign(path: Path, got: str) -> ArtifactError:
    return ArtifactError(f"{path} should be a parquet file with {ID} and {VECTOR}", got=got, hint=_HINT)
