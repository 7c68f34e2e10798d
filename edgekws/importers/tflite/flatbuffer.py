"""Reads flatbuffers from files that nobody vouches for: every offset is checked before it is followed.

A table is a position; its vtable, found through a signed offset at that position, has the place of each field by its
number. Fields that are absent have their default. Source: the FlatBuffers internals document.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from edgekws.errors import ArtifactError

_SIZES = {"b": 1, "B": 1, "?": 1, "h": 2, "H": 2, "i": 4, "I": 4, "f": 4, "q": 8, "Q": 8}


@dataclass(frozen=True)
class Table:
    """A table of a flatbuffer. what: its name in error messages. Every method raises ArtifactError for bad offsets."""

    content: bytes
    at: int
    what: str

    @cached_property
    def _fields(self) -> tuple[int, ...]:
        """The offset of each field from the table, 0 where it is absent."""
        vtable = self.at - self._number("i", self.at)
        size = self._number("H", vtable)
        self._require(vtable, size)
        return struct.unpack_from(f"<{max(size - 4, 0) // 2}H", self.content, vtable + 4) if size > 4 else ()

    def number(self, field: int, kind: str, default: float = 0) -> Any:  # noqa: ANN401 (int, float or bool by kind)
        """A scalar. kind: its letter in `struct`."""
        at = self._place(field)
        return self._number(kind, at) if at else default

    def text(self, field: int) -> str:
        """A string; bytes that are not UTF-8 become marks. "" where it is absent."""
        return bytes(self.array(field, "B")).decode(errors="replace")

    def array(self, field: int, kind: str) -> np.ndarray:
        """A vector of scalars, [n]; empty where it is absent."""
        count, start = self._vector(field, _SIZES[kind])
        return np.frombuffer(self.content, np.dtype(kind).newbyteorder("<"), count, start)

    def table(self, field: int, what: str) -> Table | None:
        """The table that a field refers to; None where it is absent."""
        at = self._place(field)
        return Table(self.content, self._followed(at), what) if at else None

    def tables(self, field: int, what: str) -> list[Table]:
        """A vector of tables; they are named by their numbers."""
        count, start = self._vector(field, 4)
        places = range(start, start + 4 * count, 4)
        return [Table(self.content, self._followed(at), f"{what} {number}") for number, at in enumerate(places)]

    def has(self, field: int) -> bool:
        return self._place(field) != 0

    def _place(self, field: int) -> int:
        offset = self._fields[field] if field < len(self._fields) else 0
        return self.at + offset if offset else 0

    def _vector(self, field: int, size: int) -> tuple[int, int]:
        """(count, first byte) of a vector; (0, 0) where it is absent."""
        at = self._place(field)
        if not at:
            return 0, 0
        start = self._followed(at)
        count = int(self._number("I", start))
        self._require(start + 4, count * size)
        return count, start + 4

    def _followed(self, at: int) -> int:
        return at + int(self._number("I", at))

    def _number(self, kind: str, at: int) -> Any:  # noqa: ANN401
        self._require(at, _SIZES[kind])
        return struct.unpack_from(f"<{kind}", self.content, at)[0]

    def _require(self, at: int, size: int) -> None:
        if at < 0 or at + size > len(self.content):
            got = f"{size} bytes at {at} of {len(self.content)}"
            raise ArtifactError(f"{self.what}: offsets should lie inside the file", got=got, hint=DAMAGED)


DAMAGED = "the file is damaged or cut off; convert or download it again"


def root(content: bytes, identifier: bytes, what: str) -> Table:
    """The first table of a file. Raises ArtifactError for one without the identifier."""
    if content[4:8] != identifier:
        raise ArtifactError(f"{what} was expected", got=f"a file that begins with {ascii(content[:8])[2:-1]}")
    (at,) = struct.unpack_from("<I", content)
    return Table(content, at, what)
