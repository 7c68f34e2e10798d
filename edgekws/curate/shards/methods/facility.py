"""Facility location: the most representative clips. Greedy within random blocks, then among the winners.

    blocks of clips  --greedy-->  winners, each with the number of clips it represents  --greedy-->  ...  selection

The blocks are uniformly random subsets of the data, because a store is sorted by hash: this is randomized two-stage
greedy (GreeDi; Mirzasoleiman et al. 2013, Barbosa et al. 2015) with weights, and with as many stages as are needed
until the candidates fit one greedy run. Up to `greedy.FINAL_CLIPS` clips get plain greedy, which is within
1 - 1/e of the optimum. One more pass computes the exact value over all clips, and the number of clips that each
selected clip represents.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekws.curate.shards import greedy
from edgekws.curate.shards.arithmetic import GRID, grid_norms, shuffled, similarities
from edgekws.curate.shards.greedy import Summary, summarize
from edgekws.curate.shards.run import Picks, Run
from edgekws.curate.shards.store import Store

_MIN_WINNERS = 32
"""Minimum number of winners of a block."""


@dataclass(frozen=True)
class _Block:
    """rows: int64, of the store; weights: int64, number of clips that each represents."""

    store: Store
    rows: np.ndarray
    weights: np.ndarray
    winners: int


@dataclass(frozen=True)
class _Blocks:
    store: Store
    part: int
    rows: np.ndarray
    """int64, allowed rows of the part"""
    winners: int


@dataclass(frozen=True)
class _Value:
    store: Store
    part: int
    rows: np.ndarray
    vectors: np.ndarray


def choose(run: Run, size: int, seed: int) -> Picks:
    return among(run, np.ones(run.store.rows, bool), size, seed)


def among(run: Run, allowed: np.ndarray, size: int, seed: int) -> Picks:
    """Select from the allowed rows (bool [rows]); other clips need not be represented."""
    rows = np.flatnonzero(allowed)
    weights = np.ones(len(rows), np.int64)
    final = greedy.candidates(size)
    if len(rows) > final:
        rows, weights = _winners_of_parts(run, allowed, size, len(rows))
        while len(rows) > final:
            rows, weights = _winners(run, rows, weights, size)
    run.counts["candidates"] = len(rows)
    chosen = _final_selection(run, rows, weights, size, seed)
    value, counts = _evaluate(run, allowed, chosen)
    return Picks(chosen, "mean cosine of a clip to its nearest selected clip", value, counts)


def _share(size: int, clips: int, block: int) -> int:
    return max(_MIN_WINNERS, -(-greedy.SPARE * size * block // clips))


def _winners_of_parts(run: Run, allowed: np.ndarray, size: int, clips: int) -> tuple[np.ndarray, np.ndarray]:
    store = run.store
    winners = _share(size, clips, store.layout.block_rows)

    def task(part: int) -> _Blocks:
        start, stop = store.part_rows(part)
        return _Blocks(store, part, np.flatnonzero(allowed[start:stop]), winners)

    partials = run.map_kept(_part_winners, task, "winners", "facility location (blocks)")
    order = range(len(store.parts))
    return tuple(np.concatenate([partials[part][name] for part in order]) for name in ("rows", "weights"))  # type: ignore[return-value]


def _part_winners(task: _Blocks) -> dict[str, np.ndarray]:
    store, step = task.store, task.store.layout.block_rows
    partials = []
    for start in range(0, len(task.rows), step):
        rows = task.rows[start : start + step]
        block = _Block(store, rows + store.starts[task.part], np.ones(len(rows), np.int64), task.winners)
        partials.append(_block_winners(block))
    empty = {"rows": np.empty(0, np.int64), "weights": np.empty(0, np.int64)}
    return {name: np.concatenate([empty[name], *(block[name] for block in partials)]) for name in empty}


def _block_winners(task: _Block) -> dict[str, np.ndarray]:
    vectors = task.store.vectors(task.rows).astype(np.float32)
    summary = summarize(vectors, task.weights, task.winners, stored=True)
    order = np.argsort(task.rows[summary.picks])
    return {"rows": task.rows[summary.picks][order], "weights": summary.weights[order]}


def _winners(run: Run, rows: np.ndarray, weights: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """One more stage, over blocks of winners."""
    step = run.store.layout.block_rows
    count = min(step // 2, _share(size, len(rows), step))
    starts = range(0, len(rows), step)
    tasks = [_Block(run.store, rows[s : s + step], weights[s : s + step], count) for s in starts]
    partials = dict(run.engine.map(_block_winners, tasks))
    order = range(len(tasks))
    return tuple(np.concatenate([partials[index][name] for index in order]) for name in ("rows", "weights"))  # type: ignore[return-value]


def _final_selection(run: Run, rows: np.ndarray, weights: np.ndarray, size: int, seed: int) -> np.ndarray:
    """The greedy selection among the final candidates; the seed breaks ties."""
    known = run.saved("chosen")
    if known is not None:
        saved: np.ndarray = known["rows"]
        return saved
    order = np.argsort(shuffled(rows.astype(np.uint64), seed), kind="stable")
    rows, weights = rows[order], weights[order]
    run.progress("facility location (last stage)", 0, 1)
    vectors = run.store.vectors(rows).astype(np.float32)
    summary: Summary = summarize(vectors, weights, size, stored=len(rows) <= run.plan.stored_similarities)
    chosen: np.ndarray = rows[summary.picks]
    run.save("chosen", rows=chosen)
    return chosen


def _evaluate(run: Run, allowed: np.ndarray, chosen: np.ndarray) -> tuple[float, np.ndarray]:
    """(mean over allowed clips of the cosine to the nearest selected clip, int64 [k]: clips nearest to each)."""
    store, vectors = run.store, run.store.vectors(chosen)

    def task(part: int) -> _Value:
        start, stop = store.part_rows(part)
        return _Value(store, part, np.flatnonzero(allowed[start:stop]), vectors)

    partials = run.map_kept(_value, task, "value", "facility location (value)")
    total = sum(int(partial["total"]) for partial in partials.values())
    counts = sum((partial["counts"] for partial in partials.values()), np.zeros(len(chosen), np.int64))
    return total / GRID / int(allowed.sum()), counts


def _value(task: _Value) -> dict[str, np.ndarray]:
    centres = task.vectors.astype(np.float32)
    norms = grid_norms(centres)
    total, counts = 0, np.zeros(len(centres), np.int64)
    for start, stop in task.store.blocks(task.part):
        selected = task.rows[np.searchsorted(task.rows, start) : np.searchsorted(task.rows, stop)]
        rows = task.store.read(task.part, start, stop)[selected - start]
        similar = similarities(rows, centres, grid_norms(rows), norms)
        total += int(similar.max(axis=1, initial=-GRID).sum(dtype=np.int64))
        counts += np.bincount(similar.argmax(axis=1), minlength=len(centres))
    return {"total": np.array(total), "counts": counts}
