"""The confidence in each clip's label, from sums alone.

The mean direction of every word is a sum over clips, so partial sums merge; the mean without a fold is the total minus
the fold's sum. A clip is compared with means that do not include its fold:

    margin = cosine to its own word's mean - cosine to the nearest other word's mean

A clip whose word has no clip in any other fold has no margin and ranks last within its word.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekws.curate.shards.arithmetic import cosines, inverse_norms, quantize, shuffled
from edgekws.curate.shards.run import Run
from edgekws.curate.shards.store import Store
from edgekws.errors import ConfigError

FOLDS = 5
_FOLD_SEED = 20230516
UNKNOWN = np.float32(-4)
Sums = dict[str, np.ndarray]
"""keys: int64 [g], word * FOLDS + fold, sorted; sums: int64 [g, d]"""


@dataclass(frozen=True)
class _Task:
    store: Store
    part: int
    means: np.ndarray | None = None
    """int8 [FOLDS, words, d]"""


def margins(run: Run) -> np.ndarray:
    """float32 [rows]. Raises ConfigError for a single word and when the means of all words do not fit the memory."""
    _check(run.store, run.plan.memory_bytes)
    partials = run.map_parts(sums_of_part, lambda part: _Task(run.store, part), "sums of words")
    total: Sums | None = None
    for part in sorted(partials):
        total = partials[part] if total is None else merge(total, partials[part])
    assert total is not None
    means = _means(total, len(run.store.words))
    values = run.map_parts(_margins_of_part, lambda part: _Task(run.store, part, means), "self-confidence")
    return np.concatenate([values[part] for part in range(len(run.store.parts))])


def _check(store: Store, memory_bytes: int) -> None:
    needed = len(store.words) * FOLDS * store.dimensions * 8 * 3
    if len(store.words) < 2:
        raise ConfigError("self-confidence needs clips of two words or more", got=f"{len(store.words)} word")
    if needed > memory_bytes // 2:
        raise ConfigError(
            f"the means of {len(store.words):,} words need {2 * needed / 1e6:,.0f} MB of --memory",
            got=f"{memory_bytes / 1e6:,.0f} MB",
            hint="choose from one language, or one group of words, at a time",
        )


def folds(places: np.ndarray) -> np.ndarray:
    """int64 [n], 0..FOLDS-1. places: uint64 [n], the hashes of the clips."""
    return (shuffled(places, _FOLD_SEED) % np.uint64(FOLDS)).astype(np.int64)


def sums_of_part(task: _Task) -> Sums:
    """Sums of vectors of the part's clips, by word and fold."""
    store, part = task.store, task.part
    keys = store.word_numbers(part).astype(np.int64) * FOLDS + folds(store.places(part))
    total: Sums | None = None
    for start, stop in store.blocks(part):
        order = np.argsort(keys[start:stop], kind="stable")
        values, first = np.unique(keys[start:stop][order], return_index=True)
        rows = store.read(part, start, stop)[order].astype(np.int32)
        block = {"keys": values, "sums": np.add.reduceat(rows, first, axis=0).astype(np.int64)}
        total = block if total is None else merge(total, block)
    return total or {"keys": np.empty(0, np.int64), "sums": np.empty((0, store.dimensions), np.int64)}


def merge(one: Sums, other: Sums) -> Sums:
    """The sum of two partial results; associative and commutative."""
    keys = np.union1d(one["keys"], other["keys"])
    sums = np.zeros((len(keys), one["sums"].shape[1]), np.int64)
    for partial in (one, other):
        sums[np.searchsorted(keys, partial["keys"])] += partial["sums"]
    return {"keys": keys, "sums": sums}


def _means(total: Sums, words: int) -> np.ndarray:
    """int8 [FOLDS, words, d]: directions without each fold; zeros where nothing is left."""
    d = total["sums"].shape[1]
    dense = np.zeros((words * FOLDS, d), np.int64)
    dense[total["keys"]] = total["sums"]
    by_word = dense.reshape(words, FOLDS, d)
    whole = by_word.sum(axis=1)
    return np.stack([quantize((whole - by_word[:, fold]).astype(np.float32)) for fold in range(FOLDS)])


def _margins_of_part(task: _Task) -> np.ndarray:
    store, part = task.store, task.part
    assert task.means is not None
    words, fold = store.word_numbers(part), folds(store.places(part))
    result = np.empty(len(words), np.float32)
    means = [_nonzero_means(task.means[number]) for number in range(FOLDS)]
    for start, stop in store.blocks(part):
        rows = store.read(part, start, stop)
        for number, (nonzero, vectors, inverse) in enumerate(means):
            inside = np.flatnonzero(fold[start:stop] == number)
            similar = cosines(rows[inside], vectors, inverse_norms(rows[inside]), inverse)
            result[start + inside] = _margin(similar, nonzero, words[start + inside])
    return result


def _nonzero_means(means: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    nonzero = np.flatnonzero(means.any(axis=1))
    vectors = means[nonzero].astype(np.float32)
    return nonzero, vectors, inverse_norms(vectors)


def _margin(similar: np.ndarray, nonzero: np.ndarray, words: np.ndarray) -> np.ndarray:
    """similar: float32 [n, known words]; words: int32 [n]"""
    column = np.searchsorted(nonzero, words)
    there = (column < len(nonzero)) & (nonzero[np.minimum(column, len(nonzero) - 1)] == words)
    n = np.flatnonzero(there)
    result = np.full(len(words), UNKNOWN)
    own = similar[n, column[n]].copy()
    similar[n, column[n]] = -2
    result[n] = own - similar[n].max(axis=1, initial=-2)
    return result
