"""Download of the Speech Commands archives: resumable, checked by SHA-256, unpacked, then renamed.

FOLDER/downloads/<archive>.part      grows; a second run continues it
FOLDER/downloads/<archive>           complete and checked
FOLDER/<archive's folder>            unpacked under a temporary name, then renamed
"""

from __future__ import annotations

import shutil
import tarfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edgekws.errors import DataError
from edgekws.files import sha256_file
from edgekws.files.os_errors import FAULTS, unwritable
from edgekws.types import Progress

MAIN, TEST_ARCHIVE = "speech_commands_v0.02", "speech_commands_test_set_v0.02"
"""Folders of the recordings and of the test set."""
_BASE = "http://download.tensorflow.org/data/"
_BLOCK = 1 << 20
_TIMEOUT_S = 20
_PARTIAL_CONTENT = 206


@dataclass(frozen=True)
class Archive:
    """A .tar.gz and the folder its content goes to."""

    url: str
    size_bytes: int
    sha256: str
    folder: str

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[1]


ARCHIVES = (
    Archive(
        f"{_BASE}speech_commands_v0.02.tar.gz",
        2_428_923_189,
        "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
        MAIN,
    ),
    Archive(
        f"{_BASE}speech_commands_test_set_v0.02.tar.gz",
        112_563_277,
        "cc2a00c1147c2254e9be3fa0f779d8c17421dc349b86366567a8edfa9acd51df",
        TEST_ARCHIVE,
    ),
)
"""Sizes and hashes as torchaudio and TensorFlow Datasets state them."""


def download(folder: Path, progress: Progress, archives: tuple[Archive, ...] = ARCHIVES) -> Path:
    """Fetch and unpack what is missing; return `folder`, ready for speech_commands.scan.

    Raises DataError when the network, the disk or a checksum fails; a partial download is kept.
    """
    for archive in archives:
        if not (folder / archive.folder).is_dir():
            _unpack(_fetch(archive, folder / "downloads", progress), folder, archive, progress)
    return folder


def _fetch(archive: Archive, folder: Path, progress: Progress) -> Path:
    complete, partial = folder / archive.name, folder / f"{archive.name}.part"
    if complete.exists():
        return complete
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _continue(archive, partial, progress)
    except OSError as error:  # URLError, HTTPError and time-outs are OSErrors too
        if error.errno in FAULTS:
            raise unwritable(partial, error, untouched=False) from error
        raise DataError(
            f"{archive.url} should be downloadable",
            got=str(getattr(error, "reason", error)),
            hint="run the same command again to continue, or give a folder of recordings with --root",
        ) from error
    _verify(archive, partial)
    return partial.rename(complete)


def _continue(archive: Archive, partial: Path, progress: Progress) -> None:
    size = partial.stat().st_size if partial.exists() else 0
    if size >= archive.size_bytes:
        return
    request = urllib.request.Request(archive.url, headers={"Range": f"bytes={size}-"} if size else {})
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:
        continues = response.status == _PARTIAL_CONTENT
        size = size if continues else 0
        with partial.open("ab" if continues else "wb") as file:
            while block := response.read(_BLOCK):
                file.write(block)
                size += len(block)
                progress(f"download {archive.name}", size, archive.size_bytes)


def _verify(archive: Archive, partial: Path) -> None:
    size = partial.stat().st_size
    if size < archive.size_bytes:
        raise DataError(
            f"{archive.name} should have {archive.size_bytes} bytes",
            got=f"{size}, the connection ended early",
            hint="run the same command again: it continues where it stopped",
        )
    digest = sha256_file(partial)
    if digest != archive.sha256:
        partial.unlink()
        raise DataError(
            f"{archive.name} should have the SHA-256 {archive.sha256}",
            got=digest,
            hint="the damaged download was removed; run the same command again",
        )


def _require_safe(member: tarfile.TarInfo) -> None:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or not (member.isfile() or member.isdir()):
        raise tarfile.TarError(f"{member.name} does not belong in this archive")


def _unpack(path: Path, folder: Path, archive: Archive, progress: Progress) -> None:
    unfinished = folder / f".{archive.folder}.unpacking"
    shutil.rmtree(unfinished, ignore_errors=True)
    size = path.stat().st_size
    try:
        with path.open("rb") as raw, tarfile.open(fileobj=raw, mode="r|gz") as tar:
            tar.extraction_filter = lambda member, _: member  # Debian 12's Python has no filters: `_require_safe`
            for member in tar:
                _require_safe(member)
                tar.extract(member, unfinished, set_attrs=False)
                progress(f"unpack {archive.name}", raw.tell(), size)
        unfinished.rename(folder / archive.folder)
    except tarfile.TarError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        hint = "delete that file and download it again"
        raise DataError(f"{path} is damaged", got=str(error), hint=hint) from error
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise unwritable(folder / archive.folder, error) from error
