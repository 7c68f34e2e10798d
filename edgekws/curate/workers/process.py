"""Processes of this computer: the default. One worker means this process itself."""

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

_WAITING = 2
"""Tasks per worker that are handed out ahead: their arguments are all that is held."""


@contextmanager
def start(workers: int) -> Iterator[Engine]:
    """workers: processes. Raises EdgeKwsError when one is ended from outside."""
    if workers == 1:
        yield _Here()
        return
    context = multiprocessing.get_context("spawn")  # threads of BLAS and torch do not survive a fork
    ours, theirs = context.Pipe()
    pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(theirs,))
    try:
        yield _Pool(pool, workers)
    except BaseException:
        ours.close()  # nobody waits for tasks that are not wanted any more
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        ours.close()
        theirs.close()


class _Here:
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
                while len(running) < _WAITING * self.workers and (entry := next(queue, None)) is not None:
                    running[self._pool.submit(_work, function, entry[1])] = entry[0]
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    index = running.pop(future)
                    result, process, peak = future.result()
                    self._peaks[process] = max(peak, self._peaks.get(process, 0))
                    yield index, result
        except BrokenProcessPool as error:
            raise worker_lost("a worker that was ended from outside, most likely for want of memory") from error
        finally:
            for future in running:
                future.cancel()

    def peak_bytes(self) -> int:
        return sum(self._peaks.values())


def _begin(parent: Connection) -> None:
    """In a worker: one thread of BLAS; it hears of Ctrl-C by its parent, and ends with it."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: Connection) -> None:
    """Returns never: the other end is closed when the parent wants no more, or is gone."""
    parent.poll(None)
    os._exit(1)


def _work(function: Callable[[Task], Partial], task: Task) -> tuple[Partial, int, int]:
    return function(task), os.getpid(), own_peak_bytes()
