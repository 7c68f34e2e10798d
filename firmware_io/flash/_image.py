"""Images: the segments of an ELF, Intel HEX or binary file and their addresses."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekws.errors import ArtifactError, BoardError
from firmware_io.build import elf

BLANK = 0xFF


@dataclass(frozen=True)
class Segment:
    """`content` (not empty) is written to the byte address `address` and those after it."""

    address: int
    content: bytes

    @property
    def end(self) -> int:
        return self.address + len(self.content)


@dataclass(frozen=True)
class Image:
    """Segments sorted by address; they neither touch nor overlap."""

    segments: tuple[Segment, ...]

    @property
    def size(self) -> int:
        return sum(len(segment.content) for segment in self.segments)

    def describe(self) -> str:
        ranges = ", ".join(f"0x{segment.address:08x}..0x{segment.end - 1:08x}" for segment in self.segments)
        return f"{self.size} bytes at {ranges}"


def read(path: Path, origin: int = 0) -> Image:
    """Read an image: ELF (by its magic), Intel HEX (by its first character), or a .bin file, which goes to `origin`.

    ELF segments go to their load addresses (p_paddr). Raises ArtifactError for a file that is missing, empty, damaged
    or of another kind.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        hint = "build it first: edgekws flash"
        raise ArtifactError(f"{path} should be an image", got=error.strerror or str(error), hint=hint) from error
    if content.startswith(elf.MAGIC):
        segments = [Segment(address, part) for address, part in elf.loaded(path, content)]
    elif content[:1] == b":":
        segments = _hex(path, content)
    elif path.suffix == ".bin" and content:
        segments = [Segment(origin, content)]
    else:
        raise _format_error(path, "another kind of file" if content else "an empty file")
    return Image(tuple(merged(path, segments)))


def check_range(image: Image, origin: int, size: int, what: str) -> None:
    """Raises BoardError when `image` exceeds the `size` bytes at `origin`. what: the name of that memory."""
    for segment in image.segments:
        if segment.address < origin or segment.end > origin + size:
            raise BoardError(
                f"the image should lie in {what}, 0x{origin:08x}..0x{origin + size - 1:08x}",
                got=f"a segment at 0x{segment.address:08x}..0x{segment.end - 1:08x}",
                hint="build it for this board; nothing was written",
            )


def sectors(image: Image, sector_bytes: int) -> dict[int, bytes]:
    """Address -> content of each sector that the image touches; gaps are filled with the value of erased flash."""
    contents: dict[int, bytearray] = {}
    for segment in image.segments:
        for address in range(segment.address - segment.address % sector_bytes, segment.end, sector_bytes):
            sector = contents.setdefault(address, bytearray([BLANK]) * sector_bytes)
            first, last = max(address, segment.address), min(address + sector_bytes, segment.end)
            sector[first - address : last - address] = segment.content[first - segment.address : last - segment.address]
    return {address: bytes(content) for address, content in sorted(contents.items())}


def merged(path: Path, segments: list[Segment]) -> Iterator[Segment]:
    """Sorted by address, adjacent segments merged. Raises ArtifactError for an overlap."""
    waiting: Segment | None = None
    for segment in sorted(segments, key=lambda each: each.address):
        if waiting is None:
            waiting = segment
        elif segment.address == waiting.end:
            waiting = Segment(waiting.address, waiting.content + segment.content)
        elif segment.address < waiting.end:
            raise _format_error(path, f"two segments that overlap at 0x{segment.address:08x}")
        else:
            yield waiting
            waiting = segment
    if waiting:
        yield waiting


def _hex(path: Path, content: bytes) -> list[Segment]:
    import intelhex

    records = intelhex.IntelHex()
    try:
        records.loadhex(io.StringIO(content.decode("ascii")))
    except (intelhex.IntelHexError, UnicodeDecodeError) as error:
        raise _format_error(path, f"a damaged Intel HEX file ({error})") from error
    if b":00000001FF" not in content.upper():
        raise _format_error(path, "an Intel HEX file without its last record: it is cut off")
    segments = [Segment(start, records.tobinstr(start=start, end=end - 1)) for start, end in records.segments()]
    if not segments:
        raise _format_error(path, "an Intel HEX file without data")
    return segments


def _format_error(path: Path, got: str) -> ArtifactError:
    return ArtifactError(
        f"{path} should be an ELF, Intel HEX or .bin image", got=got, hint="build it again: edgekws flash"
    )
