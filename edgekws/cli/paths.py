"""Paths as people type them: `~`, and a blank at the end that came with a pasted line."""

from __future__ import annotations

import errno
import functools
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from edgekws.errors import UsageError

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def user_path(path: Path) -> Path:
    """`path` without blanks around it, its leading `~` or `~user` replaced.

    Raises UsageError for an unknown user, and for a path that is too long for any file.
    """
    try:
        expanded = Path(str(path).strip()).expanduser()
        expanded.lstat()
    except RuntimeError as error:
        raise UsageError(f"{path} should begin with the home of a user", got=str(error)) from error
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            shown = f"{str(path)[:_SHOWN]}..."
            raise UsageError(f"the path {shown} is too long for this file system", hint="give a shorter one") from error
    return expanded


_SHOWN = 60


def expanding(command: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """The function of a command; every path among its arguments goes through `user_path`."""

    @functools.wraps(command)
    def called(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
        for name, value in kwargs.items():
            kwargs[name] = _expanded(value)
        return command(*args, **kwargs)

    return called


def _expanded(value: object) -> object:
    if isinstance(value, Path):
        return user_path(value)
    if isinstance(value, list | tuple):
        return type(value)(_expanded(item) for item in value)
    return value
