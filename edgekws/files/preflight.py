"""Whether results can be written, asked before the work that makes them."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from edgekws.files.os_errors import existing_parent, unwritable

ROOM_BYTES = 4 << 20
"""More than a run of a thousand clips writes."""


def require_folder(path: Path, room_bytes: int = ROOM_BYTES) -> None:
    """Raises ArtifactError unless files of `room_bytes` can be written into the folder, which need not exist yet."""
    try:
        if path.exists() and not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        with tempfile.TemporaryFile(dir=path if path.is_dir() else existing_parent(path), buffering=0) as probe:
            left = memoryview(bytes(room_bytes))
            while left:
                left = left[probe.write(left) :]
            os.fsync(probe.fileno())
    except OSError as error:
        raise unwritable(path, error) from error


def require_file(path: Path, room_bytes: int = ROOM_BYTES) -> None:
    """Raises ArtifactError unless the file can be written, or replaced."""
    try:
        if path.exists():
            path.open("ab").close()
    except OSError as error:
        raise unwritable(path, error, "another file") from error
    require_folder(path.parent, room_bytes)
