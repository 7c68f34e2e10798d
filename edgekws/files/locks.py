"""Locks between processes: one at a time works in a folder or on a board.

The operating system ends a lock with its process, however that ends. Beside the lock a note says who holds it.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from edgekws.errors import ConfigError, EdgeKwsError
from edgekws.files import write_json, writing


@contextmanager
def held(lock: Path, busy: str, hint: str, error: type[EdgeKwsError] = ConfigError) -> Iterator[None]:
    """Hold the file `lock` for a `with` block.

    busy, hint: of the `error` that is raised, with process and command of the holder, while another process holds it.
    Raises ArtifactError where the lock cannot be written.
    """
    from filelock import FileLock, Timeout

    handle, note = FileLock(lock, timeout=0), lock.with_name(f"{lock.name}.json")
    with writing(lock):
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle.acquire()
        except Timeout:
            raise error(busy, got=_holder(note), hint=hint) from None
    try:
        write_json(note, {"pid": os.getpid(), "command": _command(), "since": f"{datetime.now():%H:%M:%S}"})
        yield
    finally:
        with suppress(OSError):  # a note without a lock misleads nobody
            note.unlink(missing_ok=True)
        handle.release()


@contextmanager
def exclusive(folder: Path, lock: Path | None = None) -> Iterator[None]:
    """Hold a lock, so that one run at a time works in `folder`.

    lock: its file, `folder`/.lock if not given. Raises ConfigError while another run holds it.
    """
    hint = "wait for it, or give another folder"
    with held(lock or folder / ".lock", f"another run is working in {folder}", hint):
        yield


def user_folder() -> Path:
    """Where the locks of this user's devices are: of this computer, whatever the working folder."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    return Path(tempfile.gettempdir()) / f"edgekws-locks-{user}"


def _holder(note: Path) -> str:
    try:
        value = json.loads(note.read_text("utf-8"))
        return f"process {int(value['pid'])} since {value['since']}, `{value['command']}`"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that does not say what it is"  # it has just begun, or just ended


def _command() -> str:
    program = Path(sys.argv[0]).name
    return shlex.join(["edgekws" if program == "__main__.py" else program, *sys.argv[1:]])
