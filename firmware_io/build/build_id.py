"""The build id of a firmware: 16 bytes by which a device says which image it runs.

    id = the first 16 bytes of SHA-256 over the image file (ELF), in which the 16 bytes of the id are zero

The id follows a marker that occurs once in the image (firmware/app/build_id.c). It is written after linking. The file
also holds the hash of the generated C, so the id covers both the image and the memory plan, and `recomputed` needs
nothing but the file. The same sources and the same compiler give the same id in any folder.

On macOS the edited program has to be signed again, and the signature is part of the file: there the id still says
which build it is, but it cannot be recomputed. Not tested: we have no Mac.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from edgekws.errors import ArtifactError
from edgekws.files.os_errors import unreadable
from firmware_io import tools
from firmware_io.build import elf

MARKER = b"edgekws-buildid\0"
ID_BYTES = 16
STREAM_FILE = "ekw_config.h"
"""Only a model that listens to a stream has it: its firmware is another one, firmware/listen."""
_NONE = bytes(ID_BYTES)
_MACH_O = b"\xcf\xfa\xed\xfe"


def plan_sha256(model: Mapping[str, bytes]) -> str:
    """The hash of the generated C, which depends on the graph and the memory plan: of model.h, then model.c.

    Of a model that listens to a stream: of all its files, by name.
    """
    names = sorted(model) if STREAM_FILE in model else ("model.h", "model.c")
    return hashlib.sha256(b"".join(model[name] for name in names)).hexdigest()


def write(image: Path) -> str:
    """Compute the id of a linked image and write it into the file; returns it as 32 hexadecimal digits.

    Raises ArtifactError unless the file can be read and the marker occurs exactly once.
    """
    content = _read(image)
    at = _position(content)
    if at is None:
        raise ArtifactError(f"{image.name} should contain the marker of the build id", got="none", hint=_HINT)
    number = bytes.fromhex(_hash(content, at))
    image.write_bytes(content[:at] + number + content[at + ID_BYTES :])
    if content.startswith(_MACH_O):
        codesign = tools.require("codesign", "signing the edited program")
        tools.run([codesign, "--force", "--sign", "-", str(image)], "codesign should sign the firmware", "update it")
    return number.hex()


def of_content(content: bytes) -> str:
    """The id in the bytes of an image, 32 hexadecimal digits; "" when it has none.

    Raises ArtifactError when the marker occurs more than once.
    """
    at = _position(content)
    number = b"" if at is None else content[at : at + ID_BYTES]
    return "" if number in (b"", _NONE) else number.hex()


def recomputed(content: bytes) -> str:
    """The id that an image file should have, from its bytes; "" for a file without the marker."""
    at = _position(content)
    return "" if at is None else _hash(content, at)


def of_file(image: Path) -> str:
    """The id of an ELF file; "" for the firmware of others, which has none.

    Raises ArtifactError for a file that cannot be read, and for one that was changed after it was built: then the id
    in it is not the one of its bytes.
    """
    content = _read(image)
    number, expected = of_content(content), recomputed(content)
    if number not in ("", expected) and not content.startswith(_MACH_O):
        raise ArtifactError(
            f"{image} should have the build id of its bytes, {expected}",
            got=f"{number}: it was changed after it was built",
            hint="build it again: edgekws flash",
        )
    return number


def require_unchanged(image: Path) -> None:
    """Raises ArtifactError for an ELF file that was changed after it was built, and for one that cannot be read.

    An image of another format is not checked: its id is the hash of the ELF file that it was made of.
    """
    if _read(image).startswith(elf.MAGIC):
        of_file(image)


_HINT = "build it with edgekws: edgekws flash"


def _read(image: Path) -> bytes:
    try:
        return image.read_bytes()
    except OSError as error:
        raise unreadable(ArtifactError, image, "a firmware (ELF)", error, _HINT) from error


def _position(content: bytes) -> int | None:
    """Where the id begins; None without a marker. Raises ArtifactError for more than one, or a cut-off id."""
    first = content.find(MARKER)
    if first < 0:
        return None
    at = first + len(MARKER)
    if content.find(MARKER, at) >= 0 or len(content) < at + ID_BYTES:
        got = "more than one" if content.find(MARKER, at) >= 0 else "a file that ends within it"
        raise ArtifactError("an image should have one build id", got=got, hint=_HINT)
    return at


def _hash(content: bytes, at: int) -> str:
    digest = hashlib.sha256(content[:at])
    digest.update(_NONE)
    digest.update(content[at + ID_BYTES :])
    return digest.hexdigest()[: 2 * ID_BYTES]
