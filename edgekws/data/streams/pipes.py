"""Standard input as a stream: WAV as it comes, raw samples, or any file, which is stored before it is decoded.

WAV (Microsoft, Multimedia Programming Interface 1.0): `RIFF`, size, `WAVE`, then chunks, a name, a size and that many
bytes padded to an even number. A program that writes to a pipe does not know the sizes: the sound lasts to the end.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from edgekws.data import audio
from edgekws.data.streams import files
from edgekws.data.streams.source import Source
from edgekws.errors import ConfigError, DataError

STDIN = "standard input"
_CHUNK = 1 << 14
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_UNKNOWN_FROM = 0x7FFFF000
"""Sizes that programs write when they do not know them, and 0."""


class _Format(NamedTuple):
    rate_hz: int
    channels: int
    bytes_each: int
    decode: Callable[[bytes], np.ndarray]


def opened(pipe: BinaryIO, rate_hz: int, raw_hz: int | None = None, channels: int = 1) -> Source:
    """The sound that comes out of `pipe`, at `rate_hz`.

    raw_hz: it is raw int16 samples, little-endian, of this rate and these channels, interleaved. Otherwise a WAV file,
    which is heard as it comes, or any other file, which is heard when it is complete. Raises DataError for others.
    """
    if raw_hz is not None:
        if channels < 1:
            raise ConfigError("a stream should have channels", got=str(channels))
        audio.require_rate(raw_hz, STDIN)
        return _streamed(pipe, _Format(raw_hz, channels, 2, _int16), None, rate_hz)
    head = pipe.read(12)
    if not head:
        raise DataError(f"{STDIN} should hold a recording", got="nothing", hint="pipe a file into it")
    if head[:4] in (b"RIFF", b"RF64") and head[8:] == b"WAVE":
        return _wav(pipe, rate_hz)
    return _stored(pipe, head, rate_hz)


def _wav(pipe: BinaryIO, rate_hz: int) -> Source:
    kind: _Format | None = None
    while True:
        chunk = pipe.read(8)
        if len(chunk) < 8:
            raise DataError(f"{STDIN} should hold sound", got="a WAV file without samples")
        name, size = struct.unpack("<4sI", chunk)
        if name == b"data":
            break
        content = pipe.read(size + size % 2)
        kind = _format(content) if name == b"fmt " else kind
    if kind is None:
        raise DataError(f"{STDIN} should be a WAV file", got="one that does not say its format")
    audio.require_rate(kind.rate_hz, STDIN)
    return _streamed(pipe, kind, size if 0 < size < _UNKNOWN_FROM else None, rate_hz)


def _format(chunk: bytes) -> _Format:
    if len(chunk) < 16:
        raise DataError(f"{STDIN} should be a WAV file", got="a damaged header")
    code, channels, rate_hz, _, _, bits = struct.unpack("<HHIIHH", chunk[:16])
    code = int.from_bytes(chunk[24:26], "little") if code == _EXTENSIBLE else code
    decode = _DECODERS.get((code, bits))
    if decode is None or not channels:
        hint = "pipe 16-bit PCM, or store it in a file"
        raise DataError(f"{STDIN} should be PCM or float WAV", got=f"code {code}, {bits} bits", hint=hint)
    return _Format(rate_hz, channels, bits // 8, decode)


def _int16(content: bytes) -> np.ndarray:
    return np.frombuffer(content, "<i2").astype(np.int16)


def _int24(content: bytes) -> np.ndarray:
    """The low 8 bits go, as in a file."""
    return np.frombuffer(content, np.uint8).reshape(-1, 3)[:, 1:].copy().view("<i2")[:, 0].astype(np.int16)


_DECODERS: dict[tuple[int, int], Callable[[bytes], np.ndarray]] = {
    (_PCM, 8): lambda content: ((np.frombuffer(content, np.uint8).astype(np.int32) - 128) << 8).astype(np.int16),
    (_PCM, 16): _int16,
    (_PCM, 24): _int24,
    (_PCM, 32): lambda content: (np.frombuffer(content, "<i4") >> 16).astype(np.int16),
    (_FLOAT, 32): lambda content: np.frombuffer(content, "<f4").astype(np.float64),
    (_FLOAT, 64): lambda content: np.frombuffer(content, "<f8").astype(np.float64),
}
"""(format code, bits) -> bytes to samples, int16 or float in +-1."""


def _streamed(pipe: BinaryIO, kind: _Format, size: int | None, rate_hz: int) -> Source:
    """size: bytes that should come, where that is known."""
    faults: list[str] = []
    total = size // (kind.bytes_each * kind.channels) * rate_hz // kind.rate_hz if size else None
    raw = _samples(pipe, kind, size, faults)
    return Source(STDIN, rate_hz, kind.rate_hz, kind.channels, raw, total, faults)


def _samples(pipe: BinaryIO, kind: _Format, size: int | None, faults: list[str]) -> Iterator[np.ndarray]:
    """[n, channels] of what has come; whole frames only."""
    frame, left, rest = kind.bytes_each * kind.channels, size, b""
    read = pipe.read1 if isinstance(pipe, BufferedReader | BytesIO) else pipe.read
    while content := read(_CHUNK if left is None else min(_CHUNK, left)):
        left = None if left is None else left - len(content)
        content = rest + content
        whole = len(content) // frame * frame
        rest = content[whole:]
        if whole:
            yield kind.decode(content[:whole]).reshape(-1, kind.channels)
        if left == 0:
            break
    if rest or left:
        faults.append("it stopped in the middle of a sample" if rest else files.CUT_OFF)


def _stored(pipe: BinaryIO, head: bytes, rate_hz: int) -> Source:
    with tempfile.TemporaryDirectory(prefix="edgekws-stdin-") as folder:
        path = Path(folder) / "stdin"
        with path.open("wb") as file:
            file.write(head)
            shutil.copyfileobj(pipe, file)
        return files.opened(path, rate_hz, STDIN)  # the open file outlives its name
