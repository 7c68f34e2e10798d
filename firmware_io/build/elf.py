"""What an ELF file puts into the memory of a device."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable
from pathlib import Path

from edgekws.errors import ArtifactError

MAGIC = b"\x7fELF"


def loaded(path: Path, content: bytes) -> list[tuple[int, bytes]]:
    """(load address, bytes) of each part of the ELF file `path` that is loaded, sorted by address (p_paddr).

    content: of the file. Raises ArtifactError for a damaged file, and for one without anything to load.
    """
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        headers = list(ELFFile(io.BytesIO(content)).iter_segments("PT_LOAD"))
        parts = [(header["p_paddr"], header["p_filesz"], header.data()) for header in headers if header["p_filesz"]]
    except (ELFError, ValueError, KeyError, OverflowError) as error:
        raise _damaged(path, f"a damaged ELF file ({error})") from error
    if any(len(data) != size for _, size, data in parts):
        raise _damaged(path, "an ELF file that ends in the middle of a segment")
    if not parts:
        raise _damaged(path, "an ELF file without anything to load")
    return sorted((address, data) for address, _, data in parts)


def crc32(parts: Iterable[bytes]) -> int:
    """CRC-32 (zlib) over the parts of an image in ascending order of addresses: the firmware's answer to `image`."""
    result = 0
    for part in parts:
        result = zlib.crc32(part, result)
    return result


def _damaged(path: Path, got: str) -> ArtifactError:
    hint = "build it again: edgekws flash"
    return ArtifactError(f"{path} should be an ELF, Intel HEX or .bin image", got=got, hint=hint)
