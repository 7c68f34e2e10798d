"""What soundfile does not decode: m4a, mp4, 3gp, mov, webm, mkv, amr, wma. PyAV (FFmpeg) does; it is an extra."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgekws.data.wav import LONGEST
from edgekws.errors import DataError, MissingPackageError, missing_package

if TYPE_CHECKING:
    from av.container import InputContainer

_MAGICS = {
    "mp4": (4, (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")),
    "webm": (0, (b"\x1aE\xdf\xa3",)),
    "amr": (0, (b"#!AMR",)),
    "wma": (0, (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",)),
    "aac": (0, (b"\xff\xf1", b"\xff\xf9")),
}
"""Format -> where its first bytes are, and what they may be."""
_GUESSED = frozenset({"amr", "amrnb", "amrwb", "aac", "mp3"})
"""Formats that are a stream without a container: of these FFmpeg estimates the duration from the first bit rate."""
_LENGTHS, _LENGTH_WITHIN = (b"Xing", b"Info", b"VBRI"), 64
"""What encoders put into the first frame of an MP3 in front of the number of frames, within its first bytes."""
GUESSED = 'its length is only guessed, so its end may be missing: pip install "edgekws[audio]"'
MISSING_S = 0.3
"""Encoders add some tens of milliseconds before and after the sound, and round the duration that they declare."""


def is_known(path: Path) -> bool:
    """Whether the first bytes are of a format that PyAV is needed for."""
    with suppress(OSError), path.open("rb") as file:
        head = file.read(16)
        return any(head[start:].startswith(magics) for start, magics in _MAGICS.values())
    return False


def has_guessed_length(path: Path) -> bool:
    """Whether this is an MPEG stream (MP3, MP2) whose first frame does not hold the number of frames.

    libsndfile then guesses the length from the first bit rate, and reads no further, although bit rates may vary.
    ISO/IEC 11172-3, 2.4.1.3: 11 bits of sync, the layer not 0. ID3v2.4, 3.1: its size has 7 bits a byte.
    """
    with suppress(OSError), path.open("rb") as file:
        tag = file.read(10)
        if tag[:3] == b"ID3" and len(tag) == 10:
            file.seek(10 + sum((byte & 0x7F) << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True)))
        else:
            file.seek(0)
        head = file.read(_LENGTH_WITHIN)
        is_frame = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06 != 0
        return is_frame and not any(name in head for name in _LENGTHS)
    return False


def decode(path: Path, called: str) -> tuple[int, np.ndarray, str]:
    """(rate, float32 [n, channels] in +-1, format) of the first sound track.

    Raises DataError for a file without sound, or one that is damaged or cut off, and MissingPackageError without PyAV.
    """
    try:
        import av
    except ModuleNotFoundError as error:
        raise missing_package(error) or error from error
    try:
        with av.open(str(path)) as container:
            return _track(container, called)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise _unreadable(called, error) from error


class Track(NamedTuple):
    """The first sound track of a file. blocks: float32 [n, channels] in +-1; DataError where it cannot be decoded.

    declared_s: the duration that the file states, 0 where it states none.
    """

    rate_hz: int
    channels: int
    declared_s: float
    blocks: Iterator[np.ndarray]


def track(path: Path, called: str) -> Track:
    """A file of any length, to be decoded block by block. Raises as `decode` does, but never for a truncated file."""
    try:
        import av
    except ModuleNotFoundError as error:
        raise missing_package(error) or error from error
    try:
        container = av.open(str(path))
        if not container.streams.audio:
            raise DataError(f"{called} should hold sound", got=f"{container.format.name} without a sound track")
        stream = container.streams.audio[0]
        return Track(int(stream.rate or 0), stream.channels, _declared_s(container), _decoded(container, called))
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise _unreadable(called, error) from error


def _decoded(container: InputContainer, called: str) -> Iterator[np.ndarray]:
    import av

    with closing(container):
        try:
            for frame in container.decode(audio=0):
                yield _floats(frame.to_ndarray(), frame.format.is_planar, len(frame.layout.channels))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise _unreadable(called, error) from error


def _unreadable(called: str, error: Exception) -> DataError:
    reason = str(getattr(error, "strerror", "") or error)
    return DataError(f"{called} should be a recording", got=f"something unreadable ({reason})")


def is_optional(error: MissingPackageError) -> bool:
    """Whether only some formats need the missing package."""
    return error.extra == "audio"


def needs(error: MissingPackageError) -> str:
    """The reason to note for a recording that was left out because a package is missing."""
    return f'it needs the package {error.package}: pip install "edgekws[{error.extra}]"'


def _track(container: InputContainer, called: str) -> tuple[int, np.ndarray, str]:
    if not container.streams.audio:
        raise DataError(f"{called} should hold sound", got=f"{container.format.name} without a sound track")
    stream = container.streams.audio[0]
    blocks = list(_blocks(container, called))
    rate = int(stream.rate or 0)
    samples = np.concatenate(blocks) if blocks else np.zeros((0, 1), np.float32)
    declared = _declared_s(container)
    if rate and len(samples) / rate < declared - MISSING_S:
        got = f"{len(samples) / rate:.2f} of {declared:.2f} s: it is cut off"
        raise DataError(f"{called} should be complete", got=got)
    return rate, samples, f"{container.format.name.partition(',')[0]} {stream.codec_context.name}"


def _declared_s(container: InputContainer) -> float:
    """Duration that the file states; 0 where it states none. FFmpeg guesses one for streams without a container."""
    if container.format.name in _GUESSED:
        return 0.0
    stream = container.streams.audio[0]
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    stated = container.duration if "matroska" in container.format.name else None
    return (stated or 0) / 1_000_000


def _blocks(container: InputContainer, called: str) -> Iterator[np.ndarray]:
    """float32 [n, channels] of each decoded frame."""
    count = 0
    for frame in container.decode(audio=0):
        block = _floats(frame.to_ndarray(), frame.format.is_planar, len(frame.layout.channels))
        count += block.size
        if count > LONGEST:
            raise DataError(f"{called} should have at most {LONGEST:,} samples", got="more")
        yield block


def _floats(samples: np.ndarray, planar: bool, channels: int) -> np.ndarray:
    """[channels, n], or one row of interleaved samples -> float32 [n, channels] in +-1."""
    rows = samples.T if planar else samples.reshape(-1, channels)
    if rows.dtype.kind == "f":
        return np.asarray(rows, np.float32)
    if rows.dtype == np.uint8:
        return np.asarray((rows.astype(np.float32) - 128) / 128)
    return np.asarray(rows / -float(np.iinfo(rows.dtype).min), np.float32)
