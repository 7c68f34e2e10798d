"""Reads CBOR (RFC 8949), as far as data files use it: numbers, text, bytes, lists, maps, true, false, null."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

_DEEPEST = 32
_FLOATS = {25: ">e", 26: ">f", 27: ">d"}
_SIMPLE = {20: False, 21: True, 22: None, 23: None}
_BREAK = object()


def loads(content: bytes) -> Any:  # noqa: ANN401
    """The value. Raises ValueError for what is cut off, nested too deeply, or of no type above."""
    reader = _Reader(content)
    value = reader.value(0)
    if value is _BREAK:
        raise ValueError("a break outside of a list")
    return value


class _Reader:
    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def value(self, depth: int) -> Any:  # noqa: ANN401
        if depth > _DEEPEST:
            raise ValueError("nested too deeply")
        head = self.take(1)[0]
        kind, more = head >> 5, head & 31
        if kind == 7:
            return self.simple(more)
        if more == 31:
            return self.unbounded(kind, depth)
        count = self.count(more)
        if kind == 6:  # a tag says what the value means
            return self.value(depth + 1)
        return self.bounded(kind, count, depth)

    def bounded(self, kind: int, count: int, depth: int) -> Any:  # noqa: ANN401
        if kind < 2:
            return count if kind == 0 else -1 - count
        if kind < 4:
            taken = self.take(count)
            return taken if kind == 2 else taken.decode()
        if count > len(self.content):  # each member takes a byte
            raise ValueError("longer than the file")
        if kind == 4:
            return [self.value(depth + 1) for _ in range(count)]
        return self.map(self.pair(depth) for _ in range(count))

    def unbounded(self, kind: int, depth: int) -> Any:  # noqa: ANN401
        if kind not in (2, 3, 4, 5):
            raise ValueError("a length is missing")
        parts: list[Any] = []
        while (part := self.value(depth + 1)) is not _BREAK:
            parts.append((part, self.value(depth + 1)) if kind == 5 else part)
        if kind == 5:
            return self.map(parts)
        if kind == 4:
            return parts
        if not all(isinstance(each, bytes if kind == 2 else str) for each in parts):
            raise ValueError("a part of another type")
        return b"".join(parts) if kind == 2 else "".join(parts)

    def map(self, pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
        try:
            return dict(pairs)
        except TypeError as error:
            raise ValueError("a key that is a list or a map") from error

    def pair(self, depth: int) -> tuple[Any, Any]:
        return self.value(depth + 1), self.value(depth + 1)

    def simple(self, more: int) -> Any:  # noqa: ANN401
        if more == 31:
            return _BREAK
        if more in _FLOATS:
            return struct.unpack(_FLOATS[more], self.take(struct.calcsize(_FLOATS[more])))[0]
        if more in _SIMPLE:
            return _SIMPLE[more]
        raise ValueError("an unknown simple value")

    def count(self, more: int) -> int:
        if more < 24:
            return more
        if more > 27:
            raise ValueError("a reserved length")
        return int.from_bytes(self.take(1 << (more - 24)), "big")

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.content):
            raise ValueError("cut off")
        self.at += count
        return self.content[self.at - count : self.at]
