"""All classes alike, the least believed left out, each word covered by facility location. For hundreds and thousands.

A network that learns from a selection this large is told by no single clip: what counts is that no class and no word
is rare, that few labels are wrong, and that the ways to say a word are all there.
"""

from __future__ import annotations

import numpy as np

from edgekws.select import Pool, Selection
from edgekws.select._geometry import LARGEST, facility, scaled
from edgekws.select._pool import generator, groups, labels, quotas, selection
from edgekws.select._probe import self_confidence
from edgekws.select.balanced import in_turn
from edgekws.select.filtered import upper

KEPT = 0.95


def select(pool: Pool, size: int, seed: int) -> Selection:
    rng, targets = generator(seed, "covered"), len(pool.targets)
    vectors, words = scaled(pool.vectors), np.array(pool.words)
    sure = self_confidence(pool.vectors, labels(pool), rng)
    chosen = []
    for rows, count in zip(groups(pool), quotas(pool, size, targets / (targets + 1)), strict=True):
        kept = upper(rows, sure, max(count, int(np.ceil(KEPT * len(rows)))))
        orders = [_covering(kept[words[kept] == word], vectors, count, rng) for word in np.unique(words[kept])]
        either = np.concatenate(orders)
        chosen.append(in_turn(either, words[either])[:count])
    return selection(pool, chosen)


def _covering(rows: np.ndarray, vectors: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """At most `most` of the rows, the one that covers most of them first. Many rows are covered part by part."""
    parts = np.array_split(rng.permutation(rows), -(-len(rows) // LARGEST))
    each = -(-most // len(parts))
    orders = [_covered(np.sort(part), vectors, min(each, len(part))) for part in parts]
    return in_turn(np.concatenate(orders), np.repeat(np.arange(len(parts)), [len(order) for order in orders]))[:most]


def _covered(rows: np.ndarray, vectors: np.ndarray, count: int) -> np.ndarray:
    return np.asarray(rows[facility(vectors[rows], count)])
