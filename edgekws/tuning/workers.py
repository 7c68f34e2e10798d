"""The processes of a search: here, on this computer, or on a Ray cluster. They meet in the storage alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from typing import Any

from edgekws import machine
from edgekws.errors import ConfigError, MissingPackageError, unknown
from edgekws.tuning.search import Search, counted, study_of
from edgekws.tuning.trial import work
from edgekws.types import Progress

ENGINES = ("process", "ray")
_POLL_S = 1.0


def run(search: Search, jobs: int, engine: str, progress: Progress) -> None:
    """Run the search with so many trials at once. Raises ConfigError for an engine that is not known."""
    if engine not in ENGINES:
        raise ConfigError(unknown("--engine", engine, ENGINES))
    if engine == "ray":
        _on_ray(search, jobs, progress)
    elif jobs == 1:
        work(search, progress)
    else:
        _in_processes(search, jobs, progress)


def _in_processes(search: Search, jobs: int, progress: Progress) -> None:
    threads = max(1, machine.cores() // jobs)
    with ProcessPoolExecutor(jobs, get_context("spawn"), _with_threads, (threads,)) as pool:
        futures = [pool.submit(_work, search) for _ in range(jobs)]
        _follow(search, progress, lambda: wait(futures, _POLL_S).not_done)
        for future in futures:
            _result(future)


def _result(future: Future[None]) -> None:
    future.result()


def _with_threads(threads: int) -> None:
    """Processes that each take every core would wait for each other."""
    import torch

    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch.set_num_threads(threads)


def _work(search: Search) -> None:
    work(search, lambda *_: None)


def _on_ray(search: Search, jobs: int, progress: Progress) -> None:
    """Tasks on the cluster that RAY_ADDRESS names, else on a local one. Its nodes share `search.out` and the data."""
    try:
        import ray
    except ModuleNotFoundError as error:
        raise MissingPackageError("ray", "ray") from error
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry from a local cluster
    address = os.environ.get("RAY_ADDRESS")
    begun = {"address": address} if address else {"num_cpus": jobs, "include_dashboard": False}
    ray.init(log_to_driver=False, logging_level="error", ignore_reinit_error=True, **begun)
    try:
        tasks = [ray.remote(num_cpus=1, max_retries=1)(_work).remote(search) for _ in range(jobs)]
        _follow(search, progress, lambda: ray.wait(tasks, num_returns=jobs, timeout=_POLL_S)[1])
        ray.get(tasks)
    finally:
        ray.shutdown()


def _follow(search: Search, progress: Progress, left: Callable[[], Sequence[Any] | set[Any]]) -> None:
    """Report the trials that have begun until nothing is left to wait for."""
    study = study_of(search)
    while left():
        progress("trials", min(counted(study), search.trials), search.trials)
        time.sleep(0)
    progress("trials", min(counted(study), search.trials), search.trials)
