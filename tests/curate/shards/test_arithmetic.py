"""The same numbers in any order and in any pieces."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws.curate.shards import arithmetic
from edgekws.errors import DataError

SEEDS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("dimensions", [1, 64, 1024, 1040, 1041, 4096, 65536])
def test_products_are_exact_for_the_largest_entries(dimensions):
    level = arithmetic.levels(dimensions)
    rows = np.full((3, dimensions), level, np.float32)
    rows[1, ::2] *= -1
    expected = rows.astype(np.int64) @ rows.astype(np.int64).T
    assert ((rows @ rows.T).astype(np.int64) == expected).all()
    assert expected.max() < 2**24


@given(SEEDS, st.integers(1, 40), st.integers(1, 20), st.integers(2, 300))
def test_cosines_do_not_depend_on_the_block_they_are_computed_in(seed, count, centres, dimensions):
    rng = np.random.default_rng(seed)
    rows = arithmetic.quantize(rng.standard_normal((count, dimensions)).astype(np.float32)).astype(np.float32)
    others = arithmetic.quantize(rng.standard_normal((centres, dimensions)).astype(np.float32)).astype(np.float32)
    norms, other_norms = arithmetic.inverse_norms(rows), arithmetic.inverse_norms(others)
    whole = arithmetic.cosines(rows, others, norms, other_norms)
    for i in range(count):
        for j in range(centres):
            one = arithmetic.cosines(rows[i : i + 1], others[j : j + 1], norms[i : i + 1], other_norms[j : j + 1])
            assert one[0, 0] == whole[i, j]
    assert (arithmetic.nearest(rows, others) == whole.max(axis=1)).all()
    grid = arithmetic.grid_norms(rows)
    similar = arithmetic.similarities(rows, rows, grid, grid)
    assert (similar == similar.T).all()
    assert (np.diag(similar) == arithmetic.GRID).all()
    exact = (rows @ others.T) / np.outer(np.linalg.norm(rows, axis=1), np.linalg.norm(others, axis=1))
    assert np.abs(whole - exact).max() < 1e-6


def test_quantized_vectors_keep_their_direction():
    vectors = np.random.default_rng(0).standard_normal((50, 1024)).astype(np.float32) * 37
    quantized = arithmetic.quantize(vectors).astype(np.float64)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    result = (unit * quantized).sum(axis=1) / np.linalg.norm(quantized, axis=1)
    assert result.min() > 0.9999
    assert np.abs(quantized).max() == 127


def test_zeros_stay_zeros_and_tiny_numbers_do_not_overflow():
    vectors = np.array([[0, 0], [1e-38, 0], [1e38, -1e38], [1e-20, 2e-20]], np.float32)
    assert arithmetic.quantize(vectors).tolist() == [[0, 0], [0, 0], [127, -127], [64, 127]]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(1, 70))
def test_the_lowest_are_those_of_a_stable_sort(keys, count):
    values = np.array(keys, np.uint64)
    assert arithmetic.lowest(values, count).tolist() == np.argsort(values, kind="stable")[:count].tolist()


def test_sort_keys_are_fixed_and_permuted_by_seeds():
    places = arithmetic.hashes([f"clip{i}" for i in range(1000)])
    assert int(places[0]) == int.from_bytes(__import__("hashlib").blake2b(b"clip0", digest_size=8).digest(), "big")
    orders = [np.argsort(arithmetic.shuffled(places, seed)).tolist() for seed in (0, 1, 2)]
    assert len({tuple(order) for order in orders}) == 3
    assert all(len(np.unique(arithmetic.shuffled(places, seed))) == 1000 for seed in (0, 1, -5, 2**70))


def test_vectors_with_too_many_dimensions_are_refused():
    with pytest.raises(DataError, match=r"65,536 numbers.*Got: 70,000"):
        arithmetic.check_dimensions(70_000, "x.parquet")
