"""Processes of this computer: the default engine. One worker means this process itself."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import Connection

from edgekws.curate.workers import Engine, Partial, Task, own_peak_bytes, worker_lost

_QUEUED_PER_WORKER = 2
"""Tasks submitted ahead per worker; only their arguments are held in memory."""


@contextmanager
def start(workers: int) -> Iterator[Engine]:
    """workers: number of processes. Raises EdgeKwsError when one is killed."""
    if workers == 1:
        yield _InProcess()
        return
    context = multiprocessing.get_context("spawn")  # threads of BLAS and torch do not survive a fork
    own_end, worker_end = context.Pipe()
    pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(worker_end,))
    try:
        yield _Pool(pool, workers)
    except BaseException:
        own_end.close()  # do not wait for the remaining tasks
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        own_end.close()
        worker_end.close()


class _InProcess:
    workers = 1

    def map(self, function: Callable[[Task], Partial], tasks: Iterable[Task]) -> Iterator[tuple[int, Partial]]:
        for index, task in enumerate(tasks):
            yield index, function(task)

    def peak_bytes(self) -> int:
        return 0


class _Pool:
    def __init__(self, pool: ProcessPoolExecutor, workers: int) -> None:
        self.workers = workers
        self._pool = pool
        self._peaks: dict[int, int] = {}

    def map(self, function: Callable[[Task], Partial], tasks: Iterable[Task]) -> Iterator[tuple[int, Partial]]:
        queue = iter(enumerate(tasks))
        running: dict[Future[tuple[Partial, int, int]], int] = {}
        try:
            while True:
                while len(running) < _QUEUED_PER_WORKER * self.workers and (entry := next(queue, None)) is not None:
                    running[self._pool.submit(_work, function, entry[1])] = entry[0]
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    index = running.pop(future)
                    result, process, peak = future.result()
                    self._peaks[process] = max(peak, self._peaks.get(process, 0))
                    yield index, result
        except BrokenProcessPool as error:
            raise worker_lost("a worker that was killed, most likely for lack of memory") from error
        finally:
            for future in running:
                future.cancel()

    def peak_bytes(self) -> int:
        return sum(self._peaks.values())


def _begin(parent: Connection) -> None:
    """In a worker: one BLAS thread; Ctrl-C is handled by the parent, and the worker ends with it."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, args=(parent,), daemon=True).start()


def _exit_with_parent(parent: Connection) -> None:
    """Never returns: the other end is closed when the parent is done or has died."""
    parent.poll(None)
    os._exit(1)


def _work(function: Callable[[Task], Partial], task: Task) -> tuple[Partial, int, int]:
    return function(task), os.getpid(), own_peak_bytes()
