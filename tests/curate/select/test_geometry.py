"""Greedy selection against brute force, and the proxy's incremental scores against full evaluation."""

import itertools

import numpy as np
import pytest

from edgekws.curate.select import Pool
from edgekws.curate.select.geometry import facility_location, k_center, kernel_herding, scaled, squared_distances
from edgekws.curate.select.macro_f1 import macro_f1
from edgekws.curate.select.pool import generator, quotas, rows_by_class
from edgekws.curate.select.proxy import Proxy
from edgekws.curate.select.selectors.balanced import round_robin
from tests.curate.select.pools import pool


@pytest.fixture
def vectors():
    return scaled(np.random.default_rng(5).normal(size=(60, 8)).astype(np.float32))


def coverage(similar, places):
    return similar[places].max(axis=0).sum() if len(places) else 0.0


def test_scaled_distances_equal_the_scorers_kernel_exponents():
    x = np.random.default_rng(1).normal(3, 2, (20, 5)).astype(np.float32)
    gamma = 1 / (5 * x.var())
    plain = ((x[:, None] - x[None]) ** 2).sum(axis=2) * gamma
    assert np.allclose(squared_distances(scaled(x), scaled(x)), plain, atol=1e-4)


def test_lazy_greedy_equals_greedy(vectors):
    similar = np.exp(-squared_distances(vectors, vectors).astype(np.float64))
    chosen = facility_location(vectors, 12)
    assert len(set(chosen.tolist())) == 12
    for count in range(12):
        best = max(coverage(similar, [*chosen[:count], place]) for place in range(60))
        assert coverage(similar, chosen[: count + 1]) == pytest.approx(best, rel=1e-5)


def test_facility_location_meets_its_approximation_bound(vectors):
    """Nemhauser, Wolsey, Fisher 1978: never below 1 - 1/e of the best."""
    few = vectors[:12]
    similar = np.exp(-squared_distances(few, few))
    best = max(coverage(similar, list(places)) for places in itertools.combinations(range(12), 3))
    assert coverage(similar, facility_location(few, 3)) >= (1 - 1 / np.e) * best


def test_facility_location_respects_row_weights(vectors):
    weights = np.zeros(60)
    weights[17] = 1
    assert facility_location(vectors, 1, weights)[0] == 17


def test_k_center_is_within_twice_the_optimal_radius(vectors):
    few = vectors[:14]
    table = np.sqrt(squared_distances(few, few))

    def radius(places):
        return table[list(places)].min(axis=0).max()

    best = min(radius(places) for places in itertools.combinations(range(14), 3))
    assert radius(k_center(few, 3, 0)) <= 2 * best + 1e-6


def test_kernel_herding_approximates_the_mean_better_than_random(vectors):
    similar = np.exp(-squared_distances(vectors, vectors))

    def gap(places):
        inner = similar[np.ix_(places, places)].mean()
        return inner - 2 * similar[places].mean() + similar.mean()

    rng = np.random.default_rng(0)
    at_random = [gap(rng.choice(60, 8, replace=False)) for _ in range(50)]
    assert gap(kernel_herding(vectors, 8)) < min(at_random)


def test_incremental_scores_equal_full_scores():
    clips = pool(each=20)
    truth = np.where(clips.classes < 0, 2, clips.classes)
    candidates = np.arange(0, 100, 2)
    validation = np.arange(10, 90)
    proxy = Proxy(scaled(clips.vectors), truth, candidates, validation, np.linspace(1, 2, len(validation)))
    places, tries = np.array([0, 5, 12, 18, 22, 30, 41]), np.array([1, 3, 14, 25, 44])
    for at in range(len(places)):
        full = [proxy.score(np.r_[places[:at], new, places[at + 1 :]]) for new in tries]
        assert np.allclose(proxy.with_replaced(places, at, tries), full, atol=1e-5)


def test_a_clip_is_not_validated_on_itself():
    clips = pool(each=20, wrong=0.0)
    truth = np.where(clips.classes < 0, 2, clips.classes)
    rows = np.array([0, 25, 60])
    proxy = Proxy(scaled(clips.vectors), truth, rows, rows, np.ones(3))
    assert proxy.score(np.arange(3)) == 0


@pytest.mark.parametrize("size", [3, 4, 10, 25, 60, 119, 120, 500])
@pytest.mark.parametrize("share", [0.1, 0.6, 0.95])
def test_quotas_fill_the_size_and_include_every_class(size, share):
    clips = pool(each=24)
    counts = quotas(clips, size, share)
    assert sum(counts) == min(size, 120) and min(counts) >= 1
    assert all(count <= len(rows) for count, rows in zip(counts, rows_by_class(clips), strict=True))


def test_the_shortfall_of_a_small_target_goes_to_other_targets():
    clips = pool(each=24)
    small = clips.classes == 0
    kept = np.flatnonzero(~small | (np.cumsum(small) <= 4))
    fewer = Pool(
        clips.targets, tuple(clips.ids[row] for row in kept), clips.classes[kept], clips.vectors[kept],
        tuple(clips.words[row] for row in kept),
    )  # fmt: skip
    assert quotas(fewer, 30, 2 / 3) == [4, 16, 10]
    assert quotas(fewer, 60, 2 / 3) == [4, 24, 32], "no target has more"


def test_round_robin_alternates_words():
    words = np.array(["a"] * 5 + ["b"] * 2 + ["c"])
    order = round_robin(np.arange(8), words)
    assert sorted(order.tolist()) == list(range(8))
    assert set(words[order[:3]]) == {"a", "b", "c"} and set(words[order[3:5]]) == {"a", "b"}


def test_macro_f1_by_hand():
    truth, guess = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0])
    assert macro_f1(truth, guess, 3) == pytest.approx((2 * 1 / 4 + 2 * 1 / 3 + 0) / 3)


def test_random_numbers_of_different_purposes_differ():
    assert generator(1, "a").integers(1 << 60) != generator(1, "b").integers(1 << 60)
    assert generator(1, "a").integers(1 << 60) == generator(1, "a").integers(1 << 60)
