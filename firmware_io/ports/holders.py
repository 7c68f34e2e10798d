"""Why a serial port could not be opened, which processes hold it, and what to do about it."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

from edgekws.errors import BoardError

_BUSY = (errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK)


def open_error(url: str, error: Exception) -> BoardError:
    """The BoardError for `url`, a path or a pyserial URL, that could not be opened because of `error`."""
    expected, number, path = f"{url} should be a port that can be opened", _number(error), Path(url)
    if number in _BUSY or "exclusively lock" in str(error):
        return in_use_error(url, holders(Path(url)))
    if number in (errno.EACCES, errno.EPERM):
        got, hint = _permission(path)
        return BoardError(expected, got=got, hint=hint)
    if number == errno.ENOENT:
        got, hint = "there is no such port", "plug the board in, switch it on, and run `edgekws ports`"
        return BoardError(expected, got=got, hint=hint)
    if url.startswith("socket:"):
        hint = "check host and port, and that the program that serves the serial line there is running"
        return BoardError(expected, got=str(error).removeprefix(f"Could not open port {url}: "), hint=hint)
    return BoardError(expected, got=str(error), hint="check the cable and the name, and run `edgekws ports`")


def in_use_error(url: str, processes: list[str]) -> BoardError:
    """The BoardError for a port that `processes` (of `holders`) have open."""
    names = ", ".join(processes) if processes else "a program that is not visible to this user"
    return BoardError(
        f"{url} should be free", got=f"it is in use by {names}", hint="close that program, or choose another port"
    )


def holders(path: Path, proc: Path = Path("/proc")) -> list[str]:
    """Processes that have `path` open, as "name (pid 7)": only on Linux, and only those visible to this user."""
    target = os.path.realpath(path)
    folders = sorted(proc.glob("[0-9]*"), key=lambda folder: int(folder.name))
    return [f"{_name(folder)} (pid {folder.name})" for folder in folders if _has_open(folder, target)]


def _has_open(folder: Path, target: str) -> bool:
    try:
        return any(str(link.readlink()) == target for link in (folder / "fd").iterdir())
    except OSError:
        return False  # the process has ended, or belongs to another user


def _name(folder: Path) -> str:
    if folder.name == str(os.getpid()):
        return "this program itself"
    try:
        return (folder / "comm").read_text().strip()
    except OSError:
        return "a program"


def _number(error: Exception) -> int:
    return int(getattr(error, "errno", None) or getattr(error.__cause__, "errno", None) or 0)


def _permission(path: Path) -> tuple[str, str]:
    """(what is wrong, what to do) for a port that this user may not open."""
    if sys.platform == "win32":
        return "access is denied: usually another program holds it", "close the terminal that holds it"
    import grp

    try:
        state = path.stat()
        group = grp.getgrgid(state.st_gid).gr_name
    except (OSError, KeyError):
        return "no permission", f"check its owner: ls -l {path}"
    got = f"no permission: it belongs to the group {group}, mode {stat.filemode(state.st_mode)}"
    if group == "root" or not state.st_mode & stat.S_IWGRP:
        return got, f"allow it until it is unplugged with `sudo chmod a+rw {path}`, or permanently with a udev rule"
    return got, f"join the group with `sudo usermod -aG {group} $USER`, then log in again"
