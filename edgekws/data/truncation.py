"""Detects truncated recordings, which libsndfile reads without an error.

RIFF (Microsoft, Multimedia Programming Interface 1.0): after 12 bytes come chunks: a name, a size and that many bytes,
padded to an even number. RF64 (EBU Tech 3306): the same with 0xFFFFFFFF as the size of `data`; the true one, of 64
bits, is the second number of the chunk `ds64`, which comes first. RIFX: RIFF with big-endian numbers.
Ogg (RFC 3533): pages, of which the last has a flag.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

from edgekws.errors import DataError

_UNKNOWN_FROM = 0x7FFFF000
"""Programs that write to a pipe cannot correct the size in the header: SoX leaves this, arecord 0x7FFFFF00 and more,
ffmpeg 0xFFFFFFFF, others 0."""
_TAIL = 1 << 16
"""More than an Ogg page."""
_LAST_PAGE = 4


def require(path: Path, called: str = "it") -> None:
    """Raises DataError for a file that is unreadable, empty or cut off. called: its name in the message."""
    if path.exists() and not path.is_file():  # opening a pipe would wait for its other end
        raise DataError(f"{called} should be a file", got="a folder, a pipe or a device")
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            magic = file.read(4)
            if magic in (b"RIFF", b"RIFX", b"RF64"):
                _require_data_chunk(file, ">" if magic == b"RIFX" else "<", size, called)
            elif magic == b"OggS":
                file.seek(max(0, size - _TAIL))
                _require_last_page(file.read(), called)
    except OSError as error:
        raise DataError(f"{called} should be readable", got=error.strerror or str(error)) from error
    if not size:
        raise DataError(f"{called} should be a recording", got="an empty file")


def _require_data_chunk(file: BinaryIO, order: str, size: int, called: str) -> None:
    """The chunk `data` should be complete; a file without one is left to libsndfile."""
    offset, ds64_bytes = 12, 0
    while True:
        file.seek(offset)
        head = file.read(8)
        if len(head) < 8:
            return
        name, length = struct.unpack(f"{order}4sI", head)
        if name == b"ds64":
            ds64_bytes = int.from_bytes(file.read(16)[8:], "little")
        elif name == b"data":
            _require_length(ds64_bytes if length == 0xFFFFFFFF else length, size - offset - 8, called)
            return
        offset += 8 + length + length % 2


def _require_length(declared: int, present: int, called: str) -> None:
    if present < declared < _UNKNOWN_FROM:
        raise DataError(f"{called} should be complete", got=f"{present} of {declared} bytes of sound: it is cut off")


def _require_last_page(tail: bytes, called: str) -> None:
    offset = tail.rfind(b"OggS")
    if offset < 0 or offset + 27 > len(tail):
        raise DataError(f"{called} should be complete", got="no last page: it is cut off")
    segments = tail[offset + 26]
    sizes = tail[offset + 27 : offset + 27 + segments]
    if not tail[offset + 5] & _LAST_PAGE or offset + 27 + segments + sum(sizes) > len(tail):
        raise DataError(f"{called} should be complete", got="no last page: it is cut off")
