"""Shards on processes: each loads the model once; a result is a file, so that nothing is done twice after kill -9."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from edgekws.embed import _parts
from edgekws.embed._model import Model, ModelSpec, open_model
from edgekws.embed._shard import Settings, embed_clips, one_thread
from edgekws.embed._source import Shard, Source
from edgekws.errors import EdgeKwsError

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


def embedded(work: Work, shards: Iterable[Shard], model: Model, workers: int) -> Iterator[Shard]:
    """Each shard once its file is written, in any order. One worker is this process."""
    if workers == 1:
        with one_thread():
            for shard in shards:
                work.do(shard, model)
                yield shard
        return
    context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
    with ProcessPoolExecutor(workers, context, initializer=_begin) as pool:
        try:
            yield from _bounded(lambda shard: pool.submit(_do, work, shard), shards, workers * _QUEUED)
        except BrokenProcessPool as error:
            raise EdgeKwsError(
                "every worker should live to the end of its work",
                got="a worker that was ended from outside, most likely for want of memory",
                hint="run the same command again with fewer --workers or a smaller --batch; what was done is kept",
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _bounded(submit: Callable[[Shard], Future[Shard]], shards: Iterable[Shard], most: int) -> Iterator[Shard]:
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
    ExitStack().enter_context(one_thread())


def _end_with_parent() -> None:
    """Workers of a killed process would otherwise wait for their next shard for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do(work: Work, shard: Shard) -> Shard:
    work.do(shard, _loaded(json.dumps(asdict(work.spec), sort_keys=True)))
    return shard


@cache
def _loaded(spec: str) -> Model:
    """In a worker, which serves one run."""
    return open_model(ModelSpec(**json.loads(spec)))
