"""Images: what an ELF, Intel HEX or binary file puts where; damage is one paragraph."""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws.errors import ArtifactError, BoardError
from firmware_io.flash._image import Image, Segment, check_range, read, sectors


def elf(*segments: tuple[int, bytes, int], kind: int = 1) -> bytes:
    """A 32-bit little-endian ELF: (load address, content, bytes in memory beyond it) for each segment."""
    offset = 52 + 32 * len(segments)
    headers, body = b"", b""
    for address, content, more in segments:
        at = offset + len(body)
        fields = (kind, at, 0x2000_0000, address, len(content), len(content) + more, 5, 4)
        headers += struct.pack("<8I", *fields)
        body += content
    head = b"\x7fELF\x01\x01\x01" + bytes(9)
    head += struct.pack("<HHIIIIIHHHHHH", 2, 40, 1, 0, 52, 0, 0, 52, 32, len(segments), 40, 0, 0)
    return head + headers + body


def test_segments_of_an_elf_go_to_their_load_addresses(tmp_path: Path) -> None:
    path = tmp_path / "fw.elf"
    path.write_bytes(elf((0x0800_0100, b"datadata", 0), (0x0800_0000, b"code" * 64, 0), (0x2000_0000, b"", 512)))
    assert read(path) == Image((Segment(0x0800_0000, b"code" * 64 + b"datadata"),))
    assert read(path).describe() == "264 bytes at 0x08000000..0x08000107"


def test_a_binary_goes_to_the_origin(tmp_path: Path) -> None:
    path = tmp_path / "fw.bin"
    path.write_bytes(b"1234")
    assert read(path, 0x100) == Image((Segment(0x100, b"1234"),))


@given(st.lists(st.tuples(st.integers(0, 200), st.binary(min_size=1, max_size=40)), min_size=1, max_size=6))
def test_intel_hex_equals_elf(parts: list[tuple[int, bytes]]) -> None:
    import intelhex

    at, placed = 0x0800_0000, []
    for gap, content in parts:
        placed.append((at + gap, content, 0))
        at += gap + len(content)
    records = intelhex.IntelHex()
    for address, content, _ in placed:
        records.puts(address, content)
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder) / "fw.hex", Path(folder) / "fw.elf"
        records.write_hex_file(str(first))
        second.write_bytes(elf(*placed))
        assert read(first) == read(second)


@given(st.lists(st.tuples(st.integers(0, 3000), st.binary(min_size=1, max_size=3000)), min_size=1, max_size=4))
def test_sectors_hold_the_image_and_blanks(parts: list[tuple[int, bytes]]) -> None:
    at, segments = 0, []
    for gap, content in parts:
        segments.append(Segment(at + gap + 1, content))
        at += gap + 1 + len(content)
    filled = sectors(Image(tuple(segments)), 1024)
    memory = bytearray(b"\xff" * (at + 1024))
    for segment in segments:
        memory[segment.address : segment.end] = segment.content
    assert list(filled) == sorted({byte // 1024 * 1024 for s in segments for byte in range(s.address, s.end)})
    assert all(content == bytes(memory[address:]).ljust(1024, b"\xff")[:1024] for address, content in filled.items())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("fw.elf", b"", "empty file"),
        ("fw.txt", b"hello", "another kind"),
        ("fw.elf", elf((0, b"1234", 0))[:20], "damaged ELF"),
        ("fw.elf", elf((0, b"1234", 0))[:-2], "in the middle of a segment"),
        ("fw.elf", elf((0, b"", 100)), "without anything to load"),
        ("fw.elf", elf((0, b"1234", 0), kind=4), "without anything to load"),
        ("fw.elf", elf((0, b"1234", 0), (2, b"1234", 0)), "overlap at 0x00000002"),
        ("fw.hex", b":0400000001020304F3\n:00000001FF\n", "damaged Intel HEX"),
        ("fw.hex", b":0400000001020304F2\n", "cut off"),
        ("fw.hex", b":00000001FF\n", "without data"),
        ("fw.hex", b":\xff", "damaged Intel HEX"),
    ],
)
def test_damaged_images(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=message):
        read(path)


def test_an_image_outside_of_its_memory() -> None:
    image = Image((Segment(0x100, bytes(16)),))
    check_range(image, 0x100, 16, "the flash")
    for origin, size in ((0x101, 100), (0, 0x10F)):
        with pytest.raises(BoardError, match=r"0x00000100\.\.0x0000010f.*nothing was written"):
            check_range(image, origin, size, "the flash")
