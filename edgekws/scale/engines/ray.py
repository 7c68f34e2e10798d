"""Tasks of Ray: a cluster when RAY_ADDRESS names one, else one that is started here and stopped again.

On a cluster the folder of work lies where every node reads and writes it under the same path, and edgekws is
installed on every node. A node that dies takes nothing along: Ray runs its tasks again, and they are pure.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from edgekws.errors import ConfigError, EdgeKwsError
from edgekws.scale.engines import Engine, Partial, Task, own_peak_bytes

if TYPE_CHECKING:
    from ray import ObjectRef

_WAITING = 2
_OBJECTS_BYTES = 128 << 20
"""Results are small; Ray would take 30 % of the memory for them."""


@contextmanager
def start(workers: int) -> Iterator[Engine]:
    """workers: tasks at once. Raises ConfigError when Ray is not installed or its cluster does not answer."""
    try:
        import ray
    except ImportError as error:
        raise ConfigError(
            "--engine ray needs the package ray", got=str(error), hint="pip install 'edgekws[ray]', or --engine process"
        ) from error
    ours = not ray.is_initialized()
    if ours:
        _connect(ray, workers)
    try:
        yield _Ray(ray, workers)
    finally:
        if ours:
            ray.shutdown()


def _connect(ray: ModuleType, workers: int) -> None:
    address = os.environ.get("RAY_ADDRESS")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    local = {"num_cpus": workers, "include_dashboard": False, "object_store_memory": _OBJECTS_BYTES}
    try:
        ray.init(**quiet, **({"address": address} if address else local))
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        raise ConfigError(f"Ray should start ({address or 'a local cluster'})", got=str(error)[:300]) from error


class _Ray:
    def __init__(self, ray: ModuleType, workers: int) -> None:
        self.workers = workers
        self._ray = ray
        self._peaks: dict[str, int] = {}

    def map(self, function: Callable[[Task], Partial], tasks: Iterable[Task]) -> Iterator[tuple[int, Partial]]:
        remote = self._ray.remote(num_cpus=1)(_work)
        queue = iter(enumerate(tasks))
        running: dict[ObjectRef, int] = {}
        while True:
            while len(running) < _WAITING * self.workers and (entry := next(queue, None)) is not None:
                running[remote.remote(function, entry[1])] = entry[0]
            if not running:
                return
            for done in self._ray.wait(list(running))[0]:
                index = running.pop(done)
                result, process, peak = self._result(done)
                self._peaks[process] = max(peak, self._peaks.get(process, 0))
                yield index, result

    def _result(self, done: ObjectRef) -> tuple[Partial, str, int]:
        try:
            result: tuple[Partial, str, int] = self._ray.get(done)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, EdgeKwsError):
                raise error.cause from error
            raise
        except self._ray.exceptions.RayError as error:
            raise ConfigError("every task of Ray should come to its end", got=str(error)[:300]) from error
        return result

    def peak_bytes(self) -> int:
        return sum(self._peaks.values())


def _work(function: Callable[[Task], Partial], task: Task) -> tuple[Partial, str, int]:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return function(task), f"{os.uname().nodename}:{os.getpid()}", own_peak_bytes()
