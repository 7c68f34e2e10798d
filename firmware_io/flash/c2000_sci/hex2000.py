"""Boot images of TI's hex2000 (-boot -sci8 -a): the byte stream of the SCI boot loader as hexadecimal text.

    AA 08 | 16 reserved bytes | entry address | blocks | 00 00
    block: size in words (2 bytes) | address | words
A word has 16 bits, low byte first; an address has 32 bits, high word first, and counts words.
Source: TI SPRABV4 and SPRU513, appendix on boot loaders.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgekws.errors import ArtifactError
from firmware_io.flash._image import Image, Segment, merged

KEY = b"\xaa\x08"
HEAD_BYTES = 22
"""Key, reserved bytes and entry address."""
WORD_BYTES = 2


@dataclass(frozen=True)
class BootImage:
    """A boot image. reserved: its 16 reserved bytes. entry: word address. image: byte addresses, twice the word's."""

    reserved: bytes
    entry: int
    image: Image

    @property
    def head(self) -> bytes:
        """The first HEAD_BYTES of the stream."""
        return KEY + self.reserved + long(self.entry)

    def stream(self) -> bytes:
        """The byte stream for the boot loader."""
        blocks = b"".join(block(segment.address // 2, segment.content) for segment in self.image.segments)
        return self.head + blocks + b"\0\0"


def block(address: int, content: bytes) -> bytes:
    """`content` as blocks for the words from word address `address`, of at most 32768 words each."""
    most = 0x8000 * WORD_BYTES
    parts = [content[start : start + most] for start in range(0, len(content), most)]
    return b"".join(
        (len(part) // 2).to_bytes(2, "little") + long(address + index * 0x8000) + part
        for index, part in enumerate(parts)
    )


def long(value: int) -> bytes:
    """A 32-bit number: high word first, each word with its low byte first."""
    return (value >> 16).to_bytes(2, "little") + (value & 0xFFFF).to_bytes(2, "little")


def text(stream: bytes) -> str:
    """`stream` as hex2000 -a writes it, between STX and ETX."""
    lines = [stream[start : start + 24].hex(" ").upper() for start in range(0, len(stream), 24)]
    return "\x02\n" + "\n".join(lines) + "\n\x03\n"


def read(path: Path) -> BootImage:
    """Read a boot image. Raises ArtifactError for a file that is missing, of another format, or truncated."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _format_error(path, error.strerror or str(error)) from error
    try:
        stream = bytes.fromhex(content.decode("ascii").replace("\x02", " ").replace("\x03", " "))
    except ValueError as error:
        raise _format_error(path, "a file that is not hexadecimal text") from error
    return _parsed(path, stream)


def _parsed(path: Path, stream: bytes) -> BootImage:
    if len(stream) < HEAD_BYTES or not stream.startswith(KEY):
        raise _format_error(path, "a file that does not start with AA 08, the key of 8-bit SCI boot")
    segments, at = [], HEAD_BYTES
    while True:
        count = int.from_bytes(stream[at : at + 2], "little") * WORD_BYTES
        if len(stream) < at + 2 or (count and len(stream) < at + 6 + count):
            raise _format_error(path, f"a file that ends in the middle of a block, after {len(stream)} bytes")
        if not count:
            break
        segments.append(Segment(_long(stream[at + 2 : at + 6]) * WORD_BYTES, stream[at + 6 : at + 6 + count]))
        at += 6 + count
    if not segments or len(stream) != at + 2:
        raise _format_error(
            path, "a file without blocks" if not segments else f"{len(stream) - at - 2} bytes after the last"
        )
    return BootImage(stream[2:18], _long(stream[18:HEAD_BYTES]), Image(tuple(merged(path, segments))))


def _long(content: bytes) -> int:
    return int.from_bytes(content[:2], "little") << 16 | int.from_bytes(content[2:], "little")


def _format_error(path: Path, got: str) -> ArtifactError:
    hint = "write it with `hex2000 -boot -sci8 -a -o FILE.txt PROGRAM.out`"
    return ArtifactError(f"{path} should be a boot image of hex2000", got=got, hint=hint)
