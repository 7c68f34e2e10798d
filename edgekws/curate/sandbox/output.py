"""What a foreign program leaves in its output folder: measured while it runs, and removed, whatever it is."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def written(folder: Path, most: int) -> tuple[int, int]:
    """(bytes, files and folders) below `folder`; stops at the first entry beyond `most`.

    A folder that vanishes meanwhile is none. Raises OSError for one that cannot be looked into.
    """
    total = entries = 0
    folders = [os.fspath(folder)]
    for place in folders:  # grows while it is read: nothing recurses, however deep it goes
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(place) as found:
            for entry in found:
                entries += 1
                if entries > most:
                    return total, entries
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    with suppress(FileNotFoundError):
                        total += entry.stat(follow_symlinks=False).st_size
    return total, entries


def deleted(processes: Iterable[int], folder: Path) -> int:
    """Bytes of files on the folder's file system that have no name any more and that these processes hold open."""
    device, sizes = folder.stat().st_dev, {}
    for pid in processes:
        with suppress(OSError):
            for held in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    found = held.stat()
                    if stat.S_ISREG(found.st_mode) and not found.st_nlink and found.st_dev == device:
                        sizes[found.st_ino] = found.st_blocks * 512
    return sum(sizes.values())


def emptied(folder: Path) -> None:
    """Remove all that is in it. Not by shutil.rmtree, which recurses: a thousand folders deep it gives up."""
    _system("chmod", "-R", "u+rwx", "--", os.fspath(folder))
    names = [entry.path for entry in os.scandir(folder)]
    for start in range(0, len(names), 1000):
        _system("rm", "-rf", "--", *names[start : start + 1000])


def _system(*command: str) -> None:
    subprocess.run(command, env={"PATH": os.defpath}, capture_output=True, check=False)
