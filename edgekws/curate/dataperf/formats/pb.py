"""samples.pb and eval.pb of the first generation: one protobuf message of clips, read without protobuf.

```
Samples  1: Sample, repeated
Sample   1: sample_type  varint   0 TARGET (also when absent), 1 NONTARGET
         2: sample_id    bytes    "en/clips/bird/common_voice_en_1.wav"
         3: vector       float32, little-endian, packed (one run of bytes) or one field each
```
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekws.curate.dataperf.formats import lists
from edgekws.errors import ArtifactError
from edgekws.files import read_content, write_bytes

TARGET, NONTARGET = 0, 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WHAT, _HINT = "a samples.pb of the first generation", "give the file that the challenge's tools wrote, whole"


@dataclass(frozen=True)
class Samples:
    """Clips in the order of the file. types: int8 [n], TARGET or NONTARGET; vectors: float32 [n, dimensions]."""

    ids: tuple[str, ...]
    types: np.ndarray
    vectors: np.ndarray


class _WrongError(ValueError):
    """What is wrong with the bytes, and where."""


def read(path: Path) -> Samples:
    """Raises ArtifactError with the place for a truncated or foreign message, ragged vectors or a missing id."""
    content = memoryview(read_content(path, _WHAT, _HINT))
    try:
        return _samples(content)
    except _WrongError as error:
        raise ArtifactError(f"{path} should be {_WHAT}", got=str(error), hint=_HINT) from error


def is_samples(path: Path) -> bool:
    """A message of samples begins with field 1, whose key is a line feed; text does not hold its other bytes."""
    head = read_content(path, "a file of the challenge", lists.where_from(path))[:4096]
    return path.suffix == ".pb" or (head[:1] == b"\n" and any(byte < 9 for byte in head))


def write(path: Path, samples: Samples) -> None:
    """The bytes of `encode`."""
    write_bytes(path, encode(samples))


def encode(samples: Samples) -> bytes:
    """The bytes that the challenge's own writer gives."""
    rows = zip(samples.ids, samples.types.tolist(), samples.vectors.astype("<f4"), strict=True)
    return b"".join(_field(1, _encoded(*row)) for row in rows)


def _encoded(clip: str, kind: int, vector: np.ndarray) -> bytes:
    return b"\x08" + _varint(kind) + _field(2, clip.encode()) + _field(3, vector.tobytes())


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | _BYTES]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _samples(content: memoryview) -> Samples:
    ids: list[str] = []
    types: list[int] = []
    vectors: list[np.ndarray] = []
    for number, value, place in _fields(content, 0):
        if number != 1 or not isinstance(value, memoryview):
            raise _WrongError(f"field {number} at byte {place}, where only samples (field 1) may be")
        clip, kind, vector = _sample(value, place)
        if vectors and len(vector) != len(vectors[0]):
            raise _WrongError(
                f"a vector of {len(vector)} numbers at byte {place} ({clip}); the first has {len(vectors[0])}"
            )
        ids.append(clip)
        types.append(kind)
        vectors.append(vector)
    if not ids:
        raise _WrongError("no clips")
    return Samples(tuple(ids), np.array(types, np.int8), _finite(np.stack(vectors), ids))


def _finite(vectors: np.ndarray, ids: list[str]) -> np.ndarray:
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise _WrongError(f"a vector with NaN or infinity, clip {bad[0] + 1} ({ids[bad[0]]})")
    return vectors


def _sample(content: memoryview, start: int) -> tuple[str, int, np.ndarray]:
    clip, kind, runs = None, TARGET, []
    for number, value, place in _fields(content, start):
        if number == 1 and isinstance(value, int):
            kind = value
        elif number == 2 and isinstance(value, memoryview):
            clip = _text(value, place)
        elif number == 3 and isinstance(value, memoryview) and len(value) % 4 == 0:
            runs.append(value)
        else:
            raise _WrongError(f"field {number} of a sample at byte {place} is of another type")
    if kind not in (TARGET, NONTARGET):
        raise _WrongError(f"sample type {kind} at byte {start}; 0 (target) and 1 (nontarget) are known")
    if clip is None or not any(map(len, runs)):
        raise _WrongError(f"a sample at byte {start} without {'an id' if clip is None else 'a vector'}")
    return clip, kind, np.frombuffer(runs[0] if len(runs) == 1 else b"".join(runs), "<f4")


def _text(value: memoryview, place: int) -> str:
    try:
        return bytes(value).decode()
    except UnicodeDecodeError as error:
        raise _WrongError(f"an id at byte {place} that is not UTF-8") from error


def _fields(content: memoryview, start: int) -> Iterator[tuple[int, int | memoryview, int]]:
    """(field number, value, byte in the file) of each field; start: where in the file `content` begins."""
    at = 0
    while at < len(content):
        place = start + at
        key, at = _read_varint(content, at, start)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _read_varint(content, at, start)
            yield number, value, place
            continue
        if wire == _BYTES:
            size, at = _read_varint(content, at, start)
        elif wire in (_FIXED32, _FIXED64):
            size = struct.calcsize("<f") if wire == _FIXED32 else struct.calcsize("<d")
        else:
            raise _WrongError(f"wire type {wire} at byte {place}")
        if at + size > len(content):
            raise _WrongError(
                f"the file ends within field {number} at byte {place}, {at + size - len(content)} bytes short"
            )
        yield number, content[at : at + size], place
        at += size


def _read_varint(content: memoryview, at: int, start: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(content):
            raise _WrongError(f"the file ends within a number at byte {start + at}")
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise _WrongError(f"a number of more than ten bytes at byte {start + at}")
