"""Makes zip files of .npy members: well-formed ones as NumPy writes them, and malformed ones."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

LIMITS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_STORED, _DEFLATED = 0, 8
_BOMB_BYTES = 128 << 20


@dataclass(frozen=True)
class Member:
    """One member of a zip file with the fields of its two headers. None: the correct value."""

    name: bytes
    data: bytes
    method: int = _STORED
    flags: int = 0
    version: int = 20
    size: int | None = None
    packed: int | None = None
    crc: int | None = None
    offset: int | None = None
    extra: bytes = b""


def zip_bytes(members: list[Member], comment: bytes = b"") -> bytes:
    body, directory = b"", b""
    for member in members:
        fields = _fields(member)
        extra = struct.pack("<HH", len(member.name), len(member.extra))
        offset = len(body) if member.offset is None else member.offset
        body += b"PK\3\4" + fields + extra + member.name + member.extra + member.data
        directory += b"PK\1\2\x14\3" + fields + extra + bytes(10) + struct.pack("<I", offset)
        directory += member.name + member.extra
    count = len(members)
    end = struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(body), len(comment))
    return body + directory + b"PK\5\6" + end + comment


def _fields(member: Member) -> bytes:
    size = len(member.data) if member.size is None else member.size
    packed = len(member.data) if member.packed is None else member.packed
    crc = zlib.crc32(member.data) if member.crc is None else member.crc
    return struct.pack("<HHHHHIII", member.version, member.flags, member.method, 0, 0x21, crc, packed, size)


def npy(array: np.ndarray) -> bytes:
    order = not array.flags.c_contiguous and array.flags.f_contiguous
    data = array.tobytes("F" if order else "C")
    return npy_bytes(f"{{'descr': {array.dtype.str!r}, 'fortran_order': {order}, 'shape': {array.shape}, }}", data)


def npy_bytes(header: str, data: bytes, version: int = 1) -> bytes:
    text = header.encode("latin-1") + b" " * (-(len(header) + 11) % 64) + b"\n"
    size = struct.pack("<H" if version == 1 else "<I", len(text) & (0xFFFF if version == 1 else 0xFFFFFFFF))
    return b"\x93NUMPY" + bytes([version & 0xFF, 0]) + size + text + data


def members_of(arrays: Mapping[str, np.ndarray]) -> list[Member]:
    return [Member(f"{key}.npy".encode(), npy(array)) for key, array in arrays.items()]


def damaged(rng: random.Random, content: bytes) -> bytes:
    """`content` with one to four bits, numbers or ranges of bytes changed, or truncated."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        rng.choice(_DAMAGES)(rng, changed)
    return bytes(changed)


def _flip_bit(rng: random.Random, content: bytearray) -> None:
    if content:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def _replace_number(rng: random.Random, content: bytearray) -> None:
    code = rng.choice(("<B", "<H", "<I"))
    size = struct.calcsize(code)
    if len(content) >= size:
        struct.pack_into(code, content, rng.randrange(len(content) - size + 1), rng.choice(LIMITS) % (1 << 8 * size))


def _corrupt_directory(rng: random.Random, content: bytearray) -> None:
    """Change one of the last bytes, where a zip file has its central directory."""
    tail = max(0, len(content) - rng.choice((22, 22, 100, 1000)))
    if tail < len(content):
        content[rng.randrange(tail, len(content))] = rng.randrange(256)


def _truncate(rng: random.Random, content: bytearray) -> None:
    del content[rng.randrange(len(content) + 1) :]


def _copy_bytes(rng: random.Random, content: bytearray) -> None:
    start = rng.randrange(len(content) + 1)
    part = content[start : start + rng.randrange(64)]
    at = rng.randrange(len(content) + 1)
    content[at : at + rng.choice((0, len(part)))] = part


_DAMAGES: tuple[Callable[[random.Random, bytearray], None], ...] = (
    _flip_bit,
    _flip_bit,
    _replace_number,
    _replace_number,
    _corrupt_directory,
    _corrupt_directory,
    _truncate,
    _copy_bytes,
)


def odd_zip(rng: random.Random, members: list[Member]) -> bytes:
    """A zip file whose members are duplicated, missing, reordered, renamed, compressed, or have false header fields."""
    changed = list(members)
    for _ in range(rng.choice((1, 1, 2, 3))):
        if changed:
            _odd_member(rng, changed)
    return zip_bytes(changed, rng.choice((b"", b"", b"comment", b"PK\5\6" + bytes(18))))


def _odd_member(rng: random.Random, members: list[Member]) -> None:
    at = rng.randrange(len(members))
    kind = rng.randrange(8)
    if kind == 0:
        members.insert(rng.randrange(len(members) + 1), members[at])
    elif kind == 1:
        del members[at]
    elif kind == 2:
        rng.shuffle(members)
    elif kind == 3:
        members[at] = replace(members[at], data=odd_npy(rng, members[at].data))
    elif kind == 4:
        members[at] = _compressed(rng, members[at])
    else:
        members[at] = _with_false_fields(rng, members[at])


def _with_false_fields(rng: random.Random, member: Member) -> Member:
    limit = rng.choice((*LIMITS, len(member.data) + 1, max(0, len(member.data) - 1)))
    names = (b"", b".npy", b"header", b"../../x.npy", b"a/b.npy", b"\xff\xfe.npy", b"0" * 300, b"header.npy\0")
    word = limit & 0xFFFF
    changes: tuple[dict[str, int | bytes], ...] = (
        {"name": rng.choice(names)},
        {"method": rng.choice((1, 8, 9, 12, 14, 93, 99, word))},
        {"flags": rng.choice((1, 8, 0x20, 0x40, 0x800, word))},
        {"version": rng.choice((45, 63, 64, word))},
        {"size": limit},
        {"packed": limit},
        {"size": limit, "packed": limit},
        {"crc": limit},
        {"offset": limit},
        {"extra": rng.choice((b"\1\0", b"\1\0\x10\0" + bytes(16), b"\1\0\4\0" + bytes(4), rng.randbytes(12)))},
    )
    return replace(member, **rng.choice(changes))  # type: ignore[arg-type]


def _compressed(rng: random.Random, member: Member) -> Member:
    """The member deflated; one time in ten a decompression bomb instead."""
    content, size = (member.data, None) if rng.random() < 0.9 else (b"", _BOMB_BYTES)
    data = bomb() if size else zlib.compress(content, 1, -15)
    crc = zlib.crc32(content) if size is None else 0
    return replace(member, data=data, method=_DEFLATED, size=size or len(content), crc=crc)


@cache
def bomb() -> bytes:
    """A decompression bomb: a deflated .npy of 128 MiB of zeros."""
    head = npy_bytes(f"{{'descr': '|i1', 'fortran_order': False, 'shape': ({_BOMB_BYTES},), }}", b"")
    packer, zeros = zlib.compressobj(9, wbits=-15), bytes(1 << 20)
    return packer.compress(head) + b"".join(packer.compress(zeros) for _ in range(_BOMB_BYTES >> 20)) + packer.flush()


_DESCR = (
    *("'|O'", "'<i4'", "'>i4'", "'|V0'", "'|S0'", "'|S7'", "'<U1'", "'<U1000000000'", "[('a', '<i4')]", "[]", "None"),
    *("'<M8[s]'", "'|b1'", "'<f8'", "'<c16'", "'i4'", "'int32'", "('<i4', (2**9,))", "('<i4', (9, 9))", "''", "'<i9'"),
    *("'|i1'", "'|u1'", "'<i8'", "'|i1', 'descr': '|O'", "7", "{}", "'\\x00'", "'<i4", "b'<i4'", "'<i4' '<i8'"),
)
_SHAPE = (
    *("()", "(0,)", "(1,)", "(8,)", "(-1,)", "(2147483648,)", "(99999999999,)", "(4294967296, 4294967296)", "8"),
    *("(0, 9999999999999999999999)", "(True,)", "(1.0,)", "('8',)", "[8]", "(8L,)", "(1," * 40 + ")" * 40, "(1e9,)"),
    *("(" + "1, " * 65 + ")", "(" + "0, " * 33 + ")", "(" + "9" * 5000 + ",)", "(3, 3)", "(0x8,)", "(" * 99),
    *("(" + "1" * 30 + ")", "(" + "1" * 18 + ", " + "1" * 17 + " )", "(8, 1, 1, 1, 1, 1, 1, 1, 1)", "None"),
)
_HEADERS = (
    *("", "{", "(", "{'descr': ", "'", "-" * 5000 + "1", "(" * 5000, "[" * 90 + "]" * 90, "{}", "1", "\0", "\xff"),
    *("{'descr': '<i4', 'shape': (8,)}", "f(x)", "{**{}}", "9" * 9000, "lambda: 0", "{'a': 1, 'b': 2, 'c': 3}"),
    *("~" * 3000 + "1", "not " * 2000 + "1", "1+" * 3000 + "1", "1j", "'descr'\n", "{'descr': '<i4', 'shape'", '"""'),
)


def odd_npy(rng: random.Random, whole: bytes) -> bytes:
    """A .npy whose dtype, shape or order does not match its data, or whose header is malformed."""
    if rng.random() < 0.3:
        return damaged(rng, whole)
    end = whole.find(b"\n") + 1
    data, version = whole[end:], rng.choice((1, 1, 1, 2, 3, 0, 9))
    if rng.random() < 0.2:
        return npy_bytes(rng.choice(_HEADERS), data, version)
    descr = rng.choice(_DESCR) if rng.random() < 0.6 else "'|i1'"
    shape = rng.choice(_SHAPE) if rng.random() < 0.6 else f"({len(data)},)"
    order = rng.choice(("False", "False", "True", "1", "None"))
    return npy_bytes(f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}", data, version)
