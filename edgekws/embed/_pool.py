"""Shards on processes: each loads the model once; a result is a file, so that nothing is done twice after kill -9."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from edgekws.embed import _parts
from edgekws.embed._model import Model, ModelSpec, open_model
from edgekws.embed._shard import Settings, embed_clips, one_thread
from edgekws.embed._source import Shard, Source
from edgekws.errors import EdgeKwsError

PROCESS = "process"
_QUEUED = 2
"""Shards per worker that are handed out ahead."""


@dataclass(frozen=True)
class Work:
    """What a worker needs besides a shard."""

    source: Source
    spec: ModelSpec
    settings: Settings
    folder: Path

    def do(self, shard: Shard, model: Model) -> None:
        part = embed_clips(self.source, shard.ids, model, self.settings)
        _parts.write(_parts.path_of(self.folder, shard), part)


def embedded(work: Work, shards: Sequence[Shard], model: Model, workers: int, engine: str) -> Iterator[Shard]:
    """Each shard once its file is written, in any order.

    engine: "process", where one worker is this process, or another of edgekws.scale.engines. Its workers read the
    recordings and write their parts under the same paths as this process.
    """
    if engine != PROCESS:
        yield from _elsewhere(work, shards, workers, engine)
    elif workers == 1:
        with one_thread():
            for shard in shards:
                work.do(shard, model)
                yield shard
    else:
        yield from _on_processes(work, shards, workers)


def _elsewhere(work: Work, shards: Sequence[Shard], workers: int, engine: str) -> Iterator[Shard]:
    engines = importlib.import_module("edgekws.scale.engines")
    with engines.start(engine, workers) as running:
        for _, shard in running.map(_do, ((work, shard) for shard in shards)):
            yield shard


def _on_processes(work: Work, shards: Sequence[Shard], workers: int) -> Iterator[Shard]:
    context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
    with ProcessPoolExecutor(workers, context, initializer=_begin) as pool:
        try:
            yield from _bounded(lambda shard: pool.submit(_do, (work, shard)), shards, workers * _QUEUED)
        except BrokenProcessPool as error:
            raise EdgeKwsError(
                "every worker should live to the end of its work",
                got="a worker that was ended from outside, most likely for want of memory",
                hint="run the same command again with fewer --workers or a smaller --batch; what was done is kept",
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _bounded(submit: Callable[[Shard], Future[Shard]], shards: Sequence[Shard], most: int) -> Iterator[Shard]:
    """A map over all would hold all."""
    left = iter(shards)
    running = {submit(shard) for shard in islice(left, most)}
    while running:
        done, running = wait(running, return_when=FIRST_COMPLETED)
        running |= {submit(shard) for shard in islice(left, len(done))}
        for future in done:
            yield future.result()


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says that it stops, once
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Workers of a killed process would otherwise wait for their next shard for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do(task: tuple[Work, Shard]) -> Shard:
    """In a worker of any engine."""
    work, shard = task
    with one_thread():
        work.do(shard, _loaded(json.dumps(asdict(work.spec), sort_keys=True)))
    return shard


@cache
def _loaded(spec: str) -> Model:
    """Once in the life of a worker, which serves one run."""
    return open_model(ModelSpec(**json.loads(spec)))
