"""Our own: clean the pool, cover it, then exchange clip by clip for what predicts the rest of the pool best.

1. An out-of-fold probe says how far each clip is what its label says. The lower part of each class can neither be
   chosen nor judge.
2. Facility location and herding in each class give candidates, in two orders of which every beginning is a good
   selection by itself.
3. From the best of these, over several shares of the targets, a search exchanges one clip at a time, for one of its
   class or another, when a quick stand-in of the scorer then predicts the judges better. No test clip is ever seen.

A selection of more than SEARCHED clips is left to `difficulty`: the search would take a time that grows with the cube
of the size, where no single clip decides any more.

In use, and in DataPerf's test sets by their construction, other words are far more frequent than in the pool: a
target brings a quarter as many clips to the test as to the pool, other words three times as many. Judges of other
words count accordingly, so that false alarms get their due.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.geometry import facility, herded, scaled, thinned
from edgekws.curate.select.pool import generator, groups, labels, quotas, selection
from edgekws.curate.select.probe import self_confidence
from edgekws.curate.select.proxy import Proxy
from edgekws.curate.select.selectors import difficulty
from edgekws.curate.select.selectors.filtered import upper

SEARCHED = 200
KEPT, JUDGING = 0.6, 0.8
SHARES = (0.2, 0.3, 0.4, 0.5, 0.6)
OTHERS = 12.0
CANDIDATES, JUDGES = 60, 3000
PASSES, OWN_TRIES, OTHER_TRIES = 4, 24, 12


@dataclass(frozen=True)
class _Ranked:
    """Places (see Proxy) of one class's candidates: all, and in the order of each way to cover the class."""

    places: np.ndarray
    orders: tuple[np.ndarray, np.ndarray]


def select(pool: Pool, size: int, seed: int) -> Selection:
    return _searched(pool, size, seed) if size <= SEARCHED else difficulty.select(pool, size, seed)


def _searched(pool: Pool, size: int, seed: int) -> Selection:
    rng, truth = generator(seed, "honed"), labels(pool)
    counts = [quotas(pool, size, share) for share in SHARES]
    proxy, ranked = _prepare(pool, [max(column) for column in zip(*counts, strict=True)], rng)
    starts = [
        np.concatenate([group.orders[way][:count] for group, count in zip(ranked, taken, strict=True)])
        for taken in counts
        for way in (0, 1)
    ]
    found = _exchanged(proxy, max(starts, key=proxy.score), [group.places for group in ranked], rng)
    rows = proxy.candidates[found]
    return selection(pool, [rows[truth[rows] == label] for label in range(len(pool.targets) + 1)])


def _prepare(pool: Pool, most: list[int], rng: np.random.Generator) -> tuple[Proxy, list[_Ranked]]:
    """most: clips of each class that any start takes."""
    vectors, truth = scaled(pool.vectors), labels(pool)
    sure = self_confidence(pool.vectors, truth, rng)
    ranked: list[_Ranked] = []
    candidates: list[np.ndarray] = []
    judges: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    for rows, count in zip(groups(pool), most, strict=True):
        kept = thinned(upper(rows, sure, max(count, int(np.ceil(KEPT * len(rows))))), rng)
        wanted = min(len(kept), max(CANDIDATES, 2 * count))
        orders = facility(vectors[kept], wanted), herded(vectors[kept], wanted)
        either = np.unique(np.concatenate(orders))
        offset = sum(len(one) for one in candidates)
        places = [offset + np.searchsorted(either, order) for order in orders]
        ranked.append(_Ranked(offset + np.arange(len(either)), (places[0], places[1])))
        candidates.append(kept[either])
        reliable = upper(rows, sure, int(np.ceil(JUDGING * len(rows))))
        judges.append(thinned(reliable, rng, JUDGES))
        weights.append(np.full(len(judges[-1]), len(reliable) / len(judges[-1])))
    if len(weights) > len(pool.targets):
        weights[-1] *= OTHERS
    order = np.argsort(np.concatenate(judges))
    judging = np.concatenate(judges)[order], np.concatenate(weights)[order]
    return Proxy(vectors, truth, np.concatenate(candidates), *judging), ranked


def _exchanged(proxy: Proxy, places: np.ndarray, classes: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """The selection after passes of exchanges, until a pass gains next to nothing."""
    score = proxy.score(places)
    for _ in range(PASSES):
        before = score
        for at in rng.permutation(len(places)):
            tries = _tries(proxy, places, at, classes, rng)
            if len(tries):
                values = proxy.with_replaced(places, at, tries)
                best = int(np.argmax(values))
                if values[best] > score + 1e-6:
                    places, score = places.copy(), float(values[best])
                    places[at] = tries[best]
        if score - before < 1e-3:
            break
    return places


def _tries(
    proxy: Proxy, places: np.ndarray, at: int, classes: list[np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Some free candidates of the clip's own class; of other classes too unless it is the last one of its class."""
    label = proxy.labels[places[at]]
    own = rng.permutation(np.setdiff1d(classes[label], places))[:OWN_TRIES]
    if np.count_nonzero(proxy.labels[places] == label) == 1:
        return own
    others = np.concatenate([group for other, group in enumerate(classes) if other != label])
    return np.concatenate([own, rng.permutation(np.setdiff1d(others, places))[:OTHER_TRIES]])
