"""Selections of hundreds: hard classes have more clips, words take turns, likely wrong names are left out."""

import numpy as np
import pytest

from edgekws.curate.select import Pool
from edgekws.curate.select.selectors import difficulty, honed
from tests.curate.select.pools import OTHERS, chosen_rows, planted


def with_twins():
    """`wait` and `late` are next to each other; `stop` and the other word are far from all."""
    rng, names = np.random.default_rng(3), ("wait", "late", "stop", "dog")
    words = np.repeat(names, 150)
    places = dict(zip(names, (0.0, 0.3, 8.0, -8.0), strict=True))
    vectors = (np.array([places[word] for word in words])[:, None] + rng.normal(size=(600, 6))).astype(np.float32)
    classes = np.repeat([0, 1, 2, -1], 150)
    ids = tuple(f"{word}/{row}.wav" for row, word in enumerate(words))
    return Pool(names[:3], ids, classes, vectors, tuple(words.tolist()))


def test_a_class_that_is_mistaken_more_often_has_more_clips():
    found = difficulty.select(with_twins(), 120, 0)
    assert min(len(found.targets["wait"]), len(found.targets["late"])) > 2 * len(found.targets["stop"]) > 0


def test_other_words_take_turns():
    clips, _ = planted(each=60)
    rows = chosen_rows(clips, difficulty.select(clips, 90, 0))
    counts = [np.count_nonzero(np.array(clips.words)[rows] == word) for word in OTHERS]
    assert max(counts) - min(counts) <= 1


def test_clips_with_a_wrong_name_are_left_out_first():
    clips, wrong = planted(each=200, wrong=0.04, apart=2.0)
    rows = chosen_rows(clips, difficulty.select(clips, 240, 0))
    targets = rows[clips.classes[rows] >= 0]  # another word under the name of another is in its class all the same
    assert wrong[targets].mean() < wrong[clips.classes >= 0].mean() / 4


def test_a_class_counts_as_mistaken_when_all_classes_are_alike_frequent():
    truth = np.array([0] * 8 + [1] * 2)
    guess = np.full((10, 2), (0.7, 0.3))  # 0.3 is more than the pool's 2 of 10
    assert difficulty.errors(guess, truth) == [1.0, difficulty.LEAST_ERROR]


@pytest.mark.parametrize(
    ("room", "weights", "size", "counts"),
    [
        ([100, 100, 100], [0.4, 0.2, 0.2], 40, [20, 10, 10]),
        ([5, 100, 100], [0.4, 0.2, 0.2], 45, [5, 20, 20]),
        ([2, 1, 3], [0.9, 0.1, 0.5], 100, [2, 1, 3]),
        ([9, 9], [0.1, 0.9], 2, [1, 1]),
    ],
)
def test_clips_are_allotted_in_proportion_within_what_there_is(room, weights, size, counts):
    assert difficulty.allotted(room, weights, size) == counts


def test_honed_leaves_large_selections_to_it():
    clips, _ = planted(each=100)
    large = honed.SEARCHED + 1
    assert honed.select(clips, large, 3) == difficulty.select(clips, large, 3)
