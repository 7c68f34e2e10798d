"""Frames of a stream on the serial line; firmware/listen/frames.h describes the bytes.

COBS (Cheshire, Baker: Consistent overhead byte stuffing, IEEE/ACM Transactions on Networking 7, 1999) replaces the
zeros, so that a 0 stands at the end of a frame and nowhere else.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

AUDIO, END = 1, 2
"""Kinds of frames."""
SEQUENCES = 1 << 16
_HEAD, _CRC = struct.Struct("<BBH"), struct.Struct("<I")
_LONGEST = 254
"""Bytes without a 0 that one code byte can announce."""


def audio(sequence: int, samples: np.ndarray) -> bytes:
    """The bytes of a frame with int16 samples [n]; n from 1 to what the device takes."""
    return _sealed(AUDIO, sequence, samples.astype("<i2").tobytes())


def end(sequence: int) -> bytes:
    """The bytes of the frame that ends a stream in place of frame `sequence`."""
    return _sealed(END, sequence, b"")


def _sealed(kind: int, sequence: int, payload: bytes) -> bytes:
    content = _HEAD.pack(kind, 0, sequence % SEQUENCES) + payload
    return stuffed(content + _CRC.pack(zlib.crc32(content))) + b"\0"


def stuffed(content: bytes) -> bytes:
    """`content` in COBS, without the 0 at its end."""
    result = bytearray()
    for part in content.split(b"\0"):
        full, rest = divmod(len(part), _LONGEST)
        for at in range(0, full * _LONGEST, _LONGEST):
            result += b"\xff" + part[at : at + _LONGEST]
        result += bytes([rest + 1]) + part[len(part) - rest :]
    return bytes(result)


def restored(stuff: bytes) -> bytes:
    """The content of COBS bytes without the 0 at their end."""
    result, at = bytearray(), 0
    while at < len(stuff):
        code = stuff[at]
        result += stuff[at + 1 : at + code] + (b"\0" if code < _LONGEST + 1 else b"")
        at += code
    return bytes(result[:-1]) if stuff and code < _LONGEST + 1 else bytes(result)
