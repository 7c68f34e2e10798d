"""Why a serial port could not be opened, and what to do about it."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

from edgekws.errors import BoardError

_BUSY = (errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK)


def refused(url: str, error: Exception) -> BoardError:
    """The error for `url`, a path or a pyserial URL, that could not be opened because of `error`."""
    wanted, number, path = f"{url} should be a port that can be opened", _number(error), Path(url)
    if number in _BUSY or "exclusively lock" in str(error):
        return in_use(url, holders(Path(url)))
    if number in (errno.EACCES, errno.EPERM):
        got, hint = _permission(path)
        return BoardError(wanted, got=got, hint=hint)
    if number == errno.ENOENT:
        got, hint = "there is no such port", "plug the board in, switch it on, and run `edgekws ports`"
        return BoardError(wanted, got=got, hint=hint)
    if url.startswith("socket:"):
        hint = "check host and port, and that the program there which passes the serial line on is running"
        return BoardError(wanted, got=str(error).removeprefix(f"Could not open port {url}: "), hint=hint)
    return BoardError(wanted, got=str(error), hint="check the cable and the name, and run `edgekws ports`")


def in_use(url: str, by: list[str]) -> BoardError:
    who = ", ".join(by) if by else "another program, which cannot be seen from here"
    return BoardError(
        f"{url} should be free", got=f"it is in use by {who}", hint="end that program, or choose another port"
    )


def holders(path: Path, proc: Path = Path("/proc")) -> list[str]:
    """Programs that have `path` open, "name (pid 7)"; only those that this user may look into, and only on Linux."""
    target = os.path.realpath(path)
    found = []
    for folder in sorted(proc.glob("[0-9]*"), key=lambda folder: int(folder.name)):
        if _has_open(folder, target):
            found.append(f"{_name(folder)} (pid {folder.name})")
    return found


def _has_open(folder: Path, target: str) -> bool:
    try:
        return any(str(link.readlink()) == target for link in (folder / "fd").iterdir())
    except OSError:
        return False  # ended meanwhile, or is somebody else's


def _name(folder: Path) -> str:
    if folder.name == str(os.getpid()):
        return "this very program"
    try:
        return (folder / "comm").read_text().strip()
    except OSError:
        return "a program"


def _number(error: Exception) -> int:
    return int(getattr(error, "errno", None) or getattr(error.__cause__, "errno", None) or 0)


def _permission(path: Path) -> tuple[str, str]:
    """(what is so, what to do) about a port that this user may not open."""
    if sys.platform == "win32":
        return "access is denied: mostly, another program holds it", "close the terminal that holds it"
    import grp

    try:
        state = path.stat()
        group = grp.getgrgid(state.st_gid).gr_name
    except (OSError, KeyError):
        return "no permission", f"look at its owner: ls -l {path}"
    got = f"no permission: it belongs to the group {group}, mode {stat.filemode(state.st_mode)}"
    if group == "root" or not state.st_mode & stat.S_IWGRP:
        return got, f"allow it for this once with `sudo chmod a+rw {path}`, or for good with a udev rule"
    return got, f"join the group with `sudo usermod -aG {group} $USER`, then log in again"
