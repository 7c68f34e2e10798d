"""Small pools: each word is a cluster, and some clips are mislabelled."""

from __future__ import annotations

import numpy as np

from edgekws.curate.select import Pool

TARGETS = ("stop", "jalapeño")
OTHERS = ("cat", "dog", "tree")


def pool(each=24, dimensions=16, wrong=0.1, seed=0, apart=3.0):
    return planted(each, dimensions, wrong, seed, apart)[0]


def planted(each=24, dimensions=16, wrong=0.1, seed=0, apart=3.0):
    """(pool, bool [n]: mislabelled)."""
    rng = np.random.default_rng(seed)
    words = np.repeat(np.arange(len(TARGETS) + len(OTHERS)), each)
    places = rng.normal(size=(len(TARGETS) + len(OTHERS), dimensions)) * apart
    mislabelled = rng.random(len(words)) < wrong
    spoken = np.where(mislabelled, (words + rng.integers(1, len(places), len(words))) % len(places), words)
    vectors = (places[spoken] + rng.normal(size=(len(words), dimensions))).astype(np.float32)
    names = [(*TARGETS, *OTHERS)[word] for word in words]
    ids = tuple(f"{name}/clip_{row:04d}.wav" for row, name in enumerate(names))
    return Pool(TARGETS, ids, np.where(words < len(TARGETS), words, -1), vectors, tuple(names)), mislabelled


def chosen_rows(pool, selection):
    place = {name: row for row, name in enumerate(pool.ids)}
    blocks = [*(selection.targets[word] for word in pool.targets), selection.nontargets]
    return np.array([place[name] for block in blocks for name in block])
