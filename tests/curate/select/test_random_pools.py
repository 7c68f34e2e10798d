"""Random pools, from classes of one clip to sizes beyond the pool: selections are valid and reproducible."""

import numpy as np
import pytest

from edgekws.curate import select
from edgekws.curate.select import Pool
from edgekws.curate.select.run import run


def drawn(seed):
    """(pool, size): few and many clips per class, equal and tied vectors, large values, float32 and float64."""
    rng = np.random.default_rng(seed)
    targets = int(rng.integers(1, 5))
    counts = rng.choice([1, 1, 2, 3, 5, 20], targets + int(rng.choice([1, 2, 5])))
    names = [f"word{n}" for n, count in enumerate(counts) for _ in range(count)]
    classes = np.array([n if n < targets else -1 for n, count in enumerate(counts) for _ in range(count)])
    vectors = rng.normal(size=(len(names), int(rng.choice([1, 2, 8]))))
    vectors = [vectors, np.ones_like(vectors), np.round(vectors), vectors * 1e4 + 1e5][seed % 4]
    order = rng.permutation(len(names))
    ids = tuple(f"{names[row]}/{row}.wav" for row in order)
    kind = (np.float32, np.float64)[seed // 4 % 2]
    words = tuple(names[row] for row in order)
    targets_named = tuple(f"word{n}" for n in range(targets))
    pool = Pool(targets_named, ids, classes[order], vectors[order].astype(kind), words)
    return pool, int(rng.integers(targets + 1, len(ids) + 6))


@pytest.mark.parametrize("name", select.names())
def test_a_selection_is_valid_full_and_reproducible(name):
    for seed in range(8):
        pool, size = drawn(seed)
        chosen = run(name, pool, size, seed)  # run() checks it
        assert chosen.size == min(size, len(pool.ids)), (seed, size)
        assert run(name, pool, size, seed) == chosen, seed
