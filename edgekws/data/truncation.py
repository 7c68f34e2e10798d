"""Is a recording whole? libsndfile reads what is left of a file that was cut off, without a word.

RIFF (Microsoft, Multimedia Programming Interface 1.0): after 12 bytes chunks of a name, a size and so many bytes,
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
"""Programs that write to a pipe leave a size in the header that they cannot correct: SoX this, arecord 0x7FFFFF00 and
more, ffmpeg 0xFFFFFFFF; or 0."""
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
                _require_sound(file, ">" if magic == b"RIFX" else "<", size, called)
            elif magic == b"OggS":
                file.seek(max(0, size - _TAIL))
                _require_last_page(file.read(), called)
    except OSError as error:
        raise DataError(f"{called} should be readable", got=error.strerror or str(error)) from error
    if not size:
        raise DataError(f"{called} should be a recording", got="an empty file")


def _require_sound(file: BinaryIO, order: str, size: int, called: str) -> None:
    """The chunk `data` should be all there; a file without one is left to libsndfile."""
    place, long = 12, 0
    while True:
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            return
        name, length = struct.unpack(f"{order}4sI", head)
        if name == b"ds64":
            long = int.from_bytes(file.read(16)[8:], "little")
        elif name == b"data":
            _require_all(long if length == 0xFFFFFFFF else length, size - place - 8, called)
            return
        place += 8 + length + length % 2


def _require_all(wanted: int, there: int, called: str) -> None:
    if there < wanted < _UNKNOWN_FROM:
        raise DataError(f"{called} should be whole", got=f"{there} of {wanted} bytes of sound: it is cut off")


def _require_last_page(tail: bytes, called: str) -> None:
    place = tail.rfind(b"OggS")
    if place < 0 or place + 27 > len(tail):
        raise DataError(f"{called} should be whole", got="no last page: it is cut off")
    segments = tail[place + 26]
    sizes = tail[place + 27 : place + 27 + segments]
    if not tail[place + 5] & _LAST_PAGE or place + 27 + segments + sum(sizes) > len(tail):
        raise DataError(f"{called} should be whole", got="no last page: it is cut off")
