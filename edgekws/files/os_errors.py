"""What the operating system refused, said so that a person can act on it: which path, why, and what to do."""

from __future__ import annotations

import errno
import getpass
import os
import stat
from pathlib import Path
from typing import TypeVar

from edgekws.errors import ArtifactError, EdgeKwsError, SystemFaultError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DENIED = (errno.EACCES, errno.EPERM)
_BUSY = (errno.EMFILE, errno.ENFILE)
_TOO_MANY = "close other programs, or raise the limit with `ulimit -n`, then run the same command again"
FAULTS = {*_FULL, *_DENIED, *_BUSY, errno.EROFS, errno.EIO, errno.ENOMEM, errno.ENODEV}
"""What the operating system refuses whatever the user named: exit code 12. A file that is not there is not one."""
_Error = TypeVar("_Error", bound=EdgeKwsError)


def unreadable(kind: type[_Error], path: Path, what: str, error: OSError, hint: str = "") -> _Error | SystemFaultError:
    """The error to raise where `path` cannot be read: of class `kind`, or one of the system when that refuses it.

    what: what was expected, with its article.
    """
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return kind(f"there is no file {path}; {what} is expected there", hint=hint)
    if isinstance(error, IsADirectoryError):
        return kind(f"{path} is a folder; {what} is expected there", hint=hint)
    if error.errno == errno.ENAMETOOLONG:
        return kind(f"the path {_short(path)} is too long for this file system", hint="give a shorter one")
    if error.errno in FAULTS:
        return _refused_read(path, error)
    return kind(f"{path} could not be read; {what} is expected there", got=_reason(error), hint=hint)


def _refused_read(path: Path, error: OSError) -> SystemFaultError:
    if error.errno in _DENIED:
        hint = "change its permissions, or give another file"
        return SystemFaultError(f"{path} is not readable", got=ownership(path), hint=hint)
    hint = _TOO_MANY if error.errno in _BUSY else "check the disk"
    return SystemFaultError(f"{path} could not be read", got=_reason(error), hint=hint)


def unwritable(
    path: Path, error: OSError, elsewhere: str = "another output folder", untouched: bool = True
) -> ArtifactError:
    """The error to raise where `path` could not be written: a SystemFaultError where the system refuses it.

    elsewhere: what to give instead, with its article. untouched: what was there before is still there.
    """
    place = _refusing(path)
    if error.errno in _FULL:
        hint = f"free some space or give {elsewhere}, then run the same command again"
    elif error.errno in _DENIED:
        hint = f"give {elsewhere}, or change the permissions of this one"
        expected = f"{path} could not be written: {place} is not writable"
        return SystemFaultError(expected, got=ownership(place), hint=hint)
    elif error.errno == errno.EROFS:
        hint = f"give {elsewhere} on another disk"
    elif error.errno in _BUSY:
        hint = _TOO_MANY
    elif error.errno == errno.ENAMETOOLONG:
        return ArtifactError(f"the path {_short(path)} is too long for this file system", hint="give a shorter one")
    elif isinstance(error, NotADirectoryError | FileExistsError):
        hint = f"give {elsewhere}, or move that file away"
        return ArtifactError(f"{path} could not be written: {place} is not a folder", got="a file", hint=hint)
    else:
        hint = f"give {elsewhere}, then run the same command again"
    rest = "; what was there before is untouched" if untouched else ""
    refused = SystemFaultError if error.errno in FAULTS else ArtifactError
    return refused(f"{path} could not be written{rest}", got=_reason(error), hint=hint)


def no_temporary_files(folder: Path, error: OSError) -> ArtifactError:
    """The error to raise where a build cannot write its temporary files into `folder`."""
    return unwritable(folder, error, "another folder for temporary files in TMPDIR", untouched=False)


def fault(error: OSError) -> SystemFaultError | None:
    """The error to show for one that nothing else turned into words; None unless the system refused something."""
    if error.errno not in FAULTS:
        return None
    named = [name for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
    path = Path(os.fsdecode(named[0])) if named else None
    if error.errno in _DENIED and path is not None:
        hint = "change the permissions, or give another file or folder"
        return SystemFaultError(f"{path} may not be read or written", got=ownership(path), hint=hint)
    hints = dict.fromkeys(_FULL, "free some space") | dict.fromkeys(_BUSY, _TOO_MANY)
    expected = f"{path} could not be read or written" if path else "the operating system refused a file"
    return SystemFaultError(expected, got=_reason(error), hint=hints.get(error.errno, "check the disk"))


def _refusing(path: Path) -> Path:
    """What refuses to be written: `path` where it exists in a folder that is writable, else the nearest folder."""
    parent = existing_parent(path)
    return path if os.access(path, os.F_OK) and os.access(parent, os.W_OK) else parent


def existing_parent(path: Path) -> Path:
    """The nearest path above `path` that is there: what decides whether `path` may be made."""
    for parent in path.absolute().parents:
        try:
            if parent.exists():
                return parent
        except PermissionError:
            continue  # a folder above it may not even be entered
    return Path(path.absolute().anchor)


def ownership(path: Path) -> str:
    """Who owns `path`, its mode, and who asks; as far as this system says."""
    try:
        status = path.stat()
    except OSError as error:
        return _reason(error)
    return f"it is owned by {_user(status.st_uid)} (mode {stat.S_IMODE(status.st_mode):03o}), and you are {_me()}"


def _me() -> str:
    return _user(os.getuid()) if hasattr(os, "getuid") else getpass.getuser()


def _user(uid: int) -> str:
    """The user's name; a number where the system knows none, as in many containers."""
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ModuleNotFoundError, KeyError):
        return f"user {uid}"


def _short(path: Path) -> str:
    text = str(path)
    return text if len(text) <= 2 * _SHOWN else f"{text[:_SHOWN]}...{text[-_SHOWN:]}"


_SHOWN = 40


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
