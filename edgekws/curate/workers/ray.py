"""Ray Data: on the cluster that RAY_ADDRESS names, else on a local one that is started and stopped here.

    tasks -> windows -> Dataset, a block a task -> map_batches, at most `workers` at once -> results, in any order

A window bounds what Ray holds at once: there may be many tasks, and their descriptions may carry vectors. On a
cluster, every node has edgekws and sees the working folders under the same path. When a node dies, Ray runs its tasks
again elsewhere; they are pure.
"""

from __future__ import annotations

import logging
import os
import platform
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from edgekws.curate.workers import Engine, Partial, Task, own_peak_bytes, worker_lost
from edgekws.errors import ConfigError, EdgeKwsError

if TYPE_CHECKING:
    from pyarrow import Table

_WINDOW = 8
"""Tasks per worker in one Dataset."""
_RETRIES = 3
"""Retries of a task whose worker died. Ray Data would retry forever."""
_OBJECT_STORE_BYTES = 128 << 20
"""Results are small; Ray would take 30 % of the memory for them."""
_MESSAGE_CHARACTERS = 300


@contextmanager
def start(workers: int) -> Iterator[Engine]:
    """workers: concurrent tasks. Raises ConfigError when Ray is not installed or its cluster does not answer."""
    try:
        import ray
    except ImportError as error:
        raise ConfigError(
            "--engine ray needs the package ray", got=str(error), hint="pip install 'edgekws[ray]', or --engine process"
        ) from error
    ours = not ray.is_initialized()
    try:
        if ours:
            _connect(ray, workers)
        yield _Ray(ray, _data(), workers)
    finally:
        if ours:
            ray.shutdown()


def _connect(ray: ModuleType, workers: int) -> None:
    address = os.environ.get("RAY_ADDRESS")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry from a local cluster
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    local = {"num_cpus": workers, "include_dashboard": False, "object_store_memory": _OBJECT_STORE_BYTES}
    try:
        ray.init(**quiet, **({"address": address} if address else local))
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        hint = (
            "see that the cluster runs and that this computer has its token (RAY_AUTH_MODE=token), or unset RAY_ADDRESS"
        )
        raise ConfigError(
            f"Ray should start ({address or 'a local cluster'})",
            got=str(error)[:_MESSAGE_CHARACTERS],
            hint=hint if address else "",
        ) from error


def _data() -> ModuleType:
    """Ray Data without output: progress and errors are reported by us."""
    with _ignored_warnings():
        from ray import data

        context = data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL + 1)
    silent: ModuleType = data
    return silent


@contextmanager
def _ignored_warnings() -> Iterator[None]:
    """Hide deprecation warnings, which users cannot act on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


class _Ray:
    def __init__(self, ray: ModuleType, data: ModuleType, workers: int) -> None:
        self.workers = workers
        self._ray, self._data = ray, data
        self._peaks: dict[str, int] = {}

    def map(self, function: Callable[[Task], Partial], tasks: Iterable[Task]) -> Iterator[tuple[int, Partial]]:
        left = enumerate(tasks)
        while window := list(islice(left, _WINDOW * self.workers)):
            try:
                for row in self._rows(function, window):
                    yield row["index"], self._result(row["result"])
            except self._ray.exceptions.UserCodeException:
                raise  # a bug in the function
            except self._ray.exceptions.RayError as error:
                raise worker_lost(str(error)[:_MESSAGE_CHARACTERS]) from error

    def _rows(self, function: Callable[[Task], Partial], window: list[tuple[int, Task]]) -> Iterable[dict[str, Any]]:
        dumps, here = self._ray.cloudpickle.dumps, str(Path.cwd())
        rows = [{"index": index, "task": dumps((here, function, task))} for index, task in window]
        tasks = self._data.from_items(rows, override_num_blocks=len(rows))
        pool = self._data.TaskPoolStrategy(size=min(self.workers, len(rows)))
        how = {"batch_size": None, "batch_format": "pyarrow", "num_cpus": 1, "max_retries": _RETRIES, "compute": pool}
        with _ignored_warnings():  # of max_retries, for Ray 2.64; we allow none that lacks it
            results: Iterable[dict[str, Any]] = tasks.map_batches(_work, **how).iter_rows()
        return results

    def _result(self, content: bytes) -> Partial:
        result, worker, peak = self._ray.cloudpickle.loads(content)
        if isinstance(result, EdgeKwsError):
            raise result
        self._peaks[worker] = max(peak, self._peaks.get(worker, 0))
        return result

    def peak_bytes(self) -> int:
        return sum(self._peaks.values())


def _work(batch: Table) -> Table:
    """In a worker: binary `task` -> binary `result`. An EdgeKwsError is returned as a result, or Ray would log it."""
    import pyarrow

    results = pyarrow.array(map(_run_task, batch["task"].to_pylist()), pyarrow.binary())
    return pyarrow.table({"index": batch["index"], "result": results})


def _run_task(content: bytes) -> bytes:
    from ray import cloudpickle
    from threadpoolctl import threadpool_limits

    folder, function, task = cloudpickle.loads(content)
    try:
        _enter(folder)
        with threadpool_limits(1):
            result = function(task)
    except EdgeKwsError as error:
        result = error
    done: bytes = cloudpickle.dumps((result, f"{platform.node()}:{os.getpid()}", own_peak_bytes()))
    return done


def _enter(folder: str) -> None:
    """Change to the folder where the run was started, so that relative paths of a task are valid."""
    try:
        os.chdir(folder)
    except OSError as error:
        hint = "start the run in a folder that all computers of the cluster share"
        raise ConfigError(f"{folder} should be a folder on {platform.node()}", got=str(error), hint=hint) from error
