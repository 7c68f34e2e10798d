"""Worker engines: they run the tasks of a large job. An engine is one file here, or in the folder
`workers` of another package (edgekws/plugins.py).

A module has one function

    start(workers: int) -> ContextManager[Engine]

An engine maps a pure function over small task descriptions and yields the results in any order, each with the index of
its task. It keeps no state, so methods give the same result on every engine; results are merged by an associative and
commutative operation.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from types import ModuleType
from typing import Any, Protocol, cast

from edgekws import plugins
from edgekws.errors import EdgeKwsError

_KIND = "workers"

Task = Any
Partial = Any


class Engine(Protocol):
    """workers: number of concurrent tasks."""

    workers: int

    def map(self, function: Callable[[Task], Partial], tasks: Iterable[Task]) -> Iterator[tuple[int, Partial]]:
        """(index of the task, its result) as they come. An EdgeKwsError of the function is raised here."""

    def peak_bytes(self) -> int:
        """Peak memory of all workers, added up; 0 when the tasks ran in this process."""


def names() -> list[str]:
    """The available engines, sorted."""
    return plugins.names(_KIND)


def load(name: str) -> ModuleType:
    """Raises ConfigError that lists the engines there are."""
    return plugins.load(_KIND, name)


def start(name: str, workers: int) -> AbstractContextManager[Engine]:
    """Raises ConfigError that lists the engines there are, or names the package that is missing."""
    return cast(AbstractContextManager[Engine], load(name).start(workers))


def worker_lost(got: str) -> EdgeKwsError:
    """The error of an engine whose worker ended before its task."""
    return EdgeKwsError(
        "every worker should finish its task",
        got=got,
        hint="run the same command again with fewer --workers, or with less --memory or a smaller --batch; what was "
        "done is kept",
    )


def own_peak_bytes() -> int:
    """Peak resident memory of this process, shared pages included."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
