"""Tasks of engines. In a module of their own: a worker imports it, and nothing else of the tests."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from edgekws.errors import DataError


def square(number: int) -> int:
    return number * number


def uneven(number: int) -> int:
    """The first task ends last."""
    time.sleep(0.3 if number == 0 else 0.0)
    return number


def refused(number: int) -> int:
    if number == 3:
        raise DataError("a task should not be the fourth", got=str(number), hint="give three")
    return number


def mistaken(number: int) -> float:
    return 1 / number


def killed(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def killed_once(path: Path) -> str:
    """Kills its process on the first call."""
    if not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def noted(task: tuple[Path, int]) -> int:
    """Leaves a file when it begins, and takes long."""
    folder, number = task
    (folder / f"{number}-{os.getpid()}").touch()
    time.sleep(0.0 if number == 0 else 60.0)
    return number
