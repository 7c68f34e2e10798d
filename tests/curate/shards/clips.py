"""Small data sets of embeddings, in any number of shards."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from edgekws.curate.shards import source
from edgekws.curate.shards.run import Plan, Run
from edgekws.curate.shards.store import Layout

SMALL = Layout(part_rows=64, block_rows=16)


def clips(count=300, dimensions=24, words=6, seed=0):
    """(ids, float32 [count, dimensions]): each word a noisy direction; words have different numbers of clips."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((words, dimensions))
    spoken = np.minimum(rng.geometric(0.35, count) - 1, words - 1)
    vectors = centres[spoken] + rng.standard_normal((count, dimensions)) * rng.uniform(0.3, 1.2, (count, 1))
    return [f"word{word}/clip{number}.wav" for number, word in enumerate(spoken)], vectors.astype(np.float32)


def shard(folder, ids, vectors, shards=1, order=None, group_rows=50):
    """Write the clips in `order` (default: the given one) into `shards` files of different sizes."""
    order = np.arange(len(ids)) if order is None else order
    bounds = np.unique(np.linspace(0, 1, shards + 1) ** 1.3 * len(ids)).astype(int)
    bounds[-1] = len(ids)
    for number, (start, stop) in enumerate(pairwise(bounds)):
        rows = order[start:stop]
        source.write(folder / f"shard{number}.parquet", [([ids[i] for i in rows], vectors[rows])], group_rows)
    return folder


def silent(*_):
    """A progress report that does nothing."""


class KilledError(Exception):
    """Raised in the middle of a run, in place of a kill."""


def until(moment):
    """A progress report that ends the run when it is called for the `moment`-th time."""
    calls = iter(range(1, moment))

    def progress(*_):
        if next(calls, None) is None:
            raise KilledError

    return progress


def run_of(store, engine, folder, cached_rows=1 << 15):
    folder.mkdir(exist_ok=True)
    return Run(store, engine, folder, Plan(1, cached_rows, 8192, 2_000_000_000), silent)
