"""The output folder of an untrusted program: its size while the program runs, and its safe removal."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def measure_output(folder: Path, most: int) -> tuple[int, int]:
    """(bytes, number of files and folders) below `folder`; stops at the first entry beyond `most`.

    Folders that vanish meanwhile are ignored. Raises OSError for one that cannot be listed.
    """
    total = entries = 0
    folders = [os.fspath(folder)]
    for place in folders:  # grows while it is read: no recursion, however deep the folders go
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(place) as content:
            for entry in content:
                entries += 1
                if entries > most:
                    return total, entries
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    with suppress(FileNotFoundError):
                        total += entry.stat(follow_symlinks=False).st_size
    return total, entries


def deleted_bytes(processes: Iterable[int], folder: Path) -> int:
    """Bytes of deleted files on the folder's file system that these processes still hold open."""
    device, sizes = folder.stat().st_dev, {}
    for pid in processes:
        with suppress(OSError):
            for held in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    status = held.stat()
                    if stat.S_ISREG(status.st_mode) and not status.st_nlink and status.st_dev == device:
                        sizes[status.st_ino] = status.st_blocks * 512
    return sum(sizes.values())


def empty_folder(folder: Path) -> None:
    """Remove everything in it. Not by shutil.rmtree, which recurses and fails at a thousand nested folders."""
    _run_quietly("chmod", "-R", "u+rwx", "--", os.fspath(folder))
    names = [entry.path for entry in os.scandir(folder)]
    for start in range(0, len(names), 1000):
        _run_quietly("rm", "-rf", "--", *names[start : start + 1000])


def _run_quietly(*command: str) -> None:
    subprocess.run(command, env={"PATH": os.defpath}, capture_output=True, check=False)
