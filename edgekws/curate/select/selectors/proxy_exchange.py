"""Proxy-guided exchange: filter the pool, cover it, then exchange single clips while a proxy of the scorer improves.

1. An out-of-fold probe gives the confidence in each label. The lowest-confidence clips of each class can neither be
   selected nor used for validation.
2. Facility location and kernel herding in each class give candidates in two orders; every prefix of either order is a
   good selection by itself.
3. From the best of these prefixes, over several target shares, a local search exchanges one clip at a time, for one of
   its class or another, when a proxy of the scorer then predicts the validation clips better. Test clips are never
   used.

For more than MAX_SEARCHED_SIZE clips `difficulty` is used instead: the time of the search grows with the cube of the
size, and single clips matter less and less.

In use, and by construction in DataPerf's test sets, other words are far more frequent than in the pool: a target has a
quarter as many clips in the test set as in the pool, other words have three times as many. Validation clips of other
words are weighted accordingly, so that false alarms have their real weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.geometry import facility_location, kernel_herding, scaled, subsample
from edgekws.curate.select.pool import generator, labels, quotas, rows_by_class, selection
from edgekws.curate.select.probe import self_confidence
from edgekws.curate.select.proxy import Proxy
from edgekws.curate.select.selectors import difficulty
from edgekws.curate.select.selectors.filtered import top_rows

MAX_SEARCHED_SIZE = 200
CANDIDATE_SHARE, VALIDATION_SHARE = 0.6, 0.8
TARGET_SHARES = (0.2, 0.3, 0.4, 0.5, 0.6)
NONTARGET_WEIGHT = 12.0
CANDIDATES, MAX_VALIDATION_CLIPS = 60, 3000
PASSES, OWN_TRIES, OTHER_TRIES = 4, 24, 12


@dataclass(frozen=True)
class _Candidates:
    """Candidates of one class, as indices for Proxy: all of them, and in the order of each covering method."""

    places: np.ndarray
    orders: tuple[np.ndarray, np.ndarray]


def select(pool: Pool, size: int, seed: int) -> Selection:
    return _search(pool, size, seed) if size <= MAX_SEARCHED_SIZE else difficulty.select(pool, size, seed)


def _search(pool: Pool, size: int, seed: int) -> Selection:
    rng, truth = generator(seed, "honed"), labels(pool)  # the former name: another text gives other random numbers
    counts = [quotas(pool, size, share) for share in TARGET_SHARES]
    proxy, ranked = _prepare(pool, [max(column) for column in zip(*counts, strict=True)], rng)
    initial = [
        np.concatenate([group.orders[order][:count] for group, count in zip(ranked, taken, strict=True)])
        for taken in counts
        for order in (0, 1)
    ]
    best = _exchange(proxy, max(initial, key=proxy.score), [group.places for group in ranked], rng)
    rows = proxy.candidates[best]
    return selection(pool, [rows[truth[rows] == label] for label in range(len(pool.targets) + 1)])


def _prepare(pool: Pool, most: list[int], rng: np.random.Generator) -> tuple[Proxy, list[_Candidates]]:
    """most: the largest number of clips of each class that any initial selection takes."""
    vectors, truth = scaled(pool.vectors), labels(pool)
    confidence = self_confidence(pool.vectors, truth, rng)
    ranked: list[_Candidates] = []
    candidates: list[np.ndarray] = []
    validation: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    for rows, count in zip(rows_by_class(pool), most, strict=True):
        kept = subsample(top_rows(rows, confidence, max(count, int(np.ceil(CANDIDATE_SHARE * len(rows))))), rng)
        ranked_rows = min(len(kept), max(CANDIDATES, 2 * count))
        orders = facility_location(vectors[kept], ranked_rows), kernel_herding(vectors[kept], ranked_rows)
        either = np.unique(np.concatenate(orders))
        offset = sum(len(one) for one in candidates)
        places = [offset + np.searchsorted(either, order) for order in orders]
        ranked.append(_Candidates(offset + np.arange(len(either)), (places[0], places[1])))
        candidates.append(kept[either])
        reliable = top_rows(rows, confidence, int(np.ceil(VALIDATION_SHARE * len(rows))))
        validation.append(subsample(reliable, rng, MAX_VALIDATION_CLIPS))
        weights.append(np.full(len(validation[-1]), len(reliable) / len(validation[-1])))
    if len(weights) > len(pool.targets):
        weights[-1] *= NONTARGET_WEIGHT
    order = np.argsort(np.concatenate(validation))
    validating = np.concatenate(validation)[order], np.concatenate(weights)[order]
    return Proxy(vectors, truth, np.concatenate(candidates), *validating), ranked


def _exchange(proxy: Proxy, places: np.ndarray, classes: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """The selection after passes of exchanges, until a pass improves the score by less than 1e-3."""
    score = proxy.score(places)
    for _ in range(PASSES):
        before = score
        for at in rng.permutation(len(places)):
            tries = _replacements(proxy, places, at, classes, rng)
            if len(tries):
                values = proxy.with_replaced(places, at, tries)
                best = int(np.argmax(values))
                if values[best] > score + 1e-6:
                    places, score = places.copy(), float(values[best])
                    places[at] = tries[best]
        if score - before < 1e-3:
            break
    return places


def _replacements(
    proxy: Proxy, places: np.ndarray, at: int, classes: list[np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Some unselected candidates of the clip's own class; of other classes too unless it is the last of its class."""
    label = proxy.labels[places[at]]
    own = rng.permutation(np.setdiff1d(classes[label], places))[:OWN_TRIES]
    if np.count_nonzero(proxy.labels[places] == label) == 1:
        return own
    others = np.concatenate([group for other, group in enumerate(classes) if other != label])
    return np.concatenate([own, rng.permutation(np.setdiff1d(others, places))[:OTHER_TRIES]])
