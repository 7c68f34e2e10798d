"""Large selections: hard classes get more clips, words alternate, likely label errors are left out."""

import numpy as np
import pytest

from edgekws.curate.select import Pool
from edgekws.curate.select.selectors import difficulty, proxy_exchange
from tests.curate.select.pools import OTHERS, chosen_rows, planted


def with_twins():
    """`wait` and `late` overlap; `stop` and the other word are far from all others."""
    rng, names = np.random.default_rng(3), ("wait", "late", "stop", "dog")
    words = np.repeat(names, 150)
    places = dict(zip(names, (0.0, 0.3, 8.0, -8.0), strict=True))
    vectors = (np.array([places[word] for word in words])[:, None] + rng.normal(size=(600, 6))).astype(np.float32)
    classes = np.repeat([0, 1, 2, -1], 150)
    ids = tuple(f"{word}/{row}.wav" for row, word in enumerate(words))
    return Pool(names[:3], ids, classes, vectors, tuple(words.tolist()))


def test_a_class_with_a_higher_error_rate_gets_more_clips():
    chosen = difficulty.select(with_twins(), 120, 0)
    assert min(len(chosen.targets["wait"]), len(chosen.targets["late"])) > 2 * len(chosen.targets["stop"]) > 0


def test_other_words_are_balanced():
    clips, _ = planted(each=60)
    rows = chosen_rows(clips, difficulty.select(clips, 90, 0))
    counts = [np.count_nonzero(np.array(clips.words)[rows] == word) for word in OTHERS]
    assert max(counts) - min(counts) <= 1


def test_mislabelled_clips_are_left_out_first():
    clips, wrong = planted(each=200, wrong=0.04, apart=2.0)
    rows = chosen_rows(clips, difficulty.select(clips, 240, 0))
    targets = rows[clips.classes[rows] >= 0]  # mislabelled other words are still other words
    assert wrong[targets].mean() < wrong[clips.classes >= 0].mean() / 4


def test_error_rates_assume_a_uniform_class_prior():
    truth = np.array([0] * 8 + [1] * 2)
    guess = np.full((10, 2), (0.7, 0.3))  # 0.3 exceeds the class frequency of 0.2
    assert difficulty.error_rates(guess, truth) == [1.0, difficulty.MIN_ERROR_RATE]


@pytest.mark.parametrize(
    ("room", "weights", "size", "counts"),
    [
        ([100, 100, 100], [0.4, 0.2, 0.2], 40, [20, 10, 10]),
        ([5, 100, 100], [0.4, 0.2, 0.2], 45, [5, 20, 20]),
        ([2, 1, 3], [0.9, 0.1, 0.5], 100, [2, 1, 3]),
        ([9, 9], [0.1, 0.9], 2, [1, 1]),
    ],
)
def test_clips_are_allocated_in_proportion_up_to_the_class_size(room, weights, size, counts):
    assert difficulty.allocate(room, weights, size) == counts


def test_proxy_exchange_delegates_large_selections():
    clips, _ = planted(each=100)
    large = proxy_exchange.MAX_SEARCHED_SIZE + 1
    assert proxy_exchange.select(clips, large, 3) == difficulty.select(clips, large, 3)
