"""Selections of hundreds: every class and word has its share, wrong names are left out, large words go part by part."""

import numpy as np
import pytest

from edgekws.select import covered, honed
from tests.select.pools import OTHERS, chosen_rows, planted


def test_classes_and_words_have_equal_shares():
    clips, _ = planted(each=60)
    rows = chosen_rows(clips, covered.select(clips, 90, 0))
    words, counts = np.unique(np.array(clips.words)[rows], return_counts=True)
    found = dict(zip(words.tolist(), counts.tolist(), strict=True))
    assert found == {"stop": 30, "jalapeño": 30, **dict.fromkeys(OTHERS, 10)}


def test_clips_with_a_wrong_name_are_left_out_first():
    clips, wrong = planted(each=200, wrong=0.04, apart=2.0)
    rows = chosen_rows(clips, covered.select(clips, 240, 0))
    targets = rows[clips.classes[rows] >= 0]  # another word under the name of another is in its class all the same
    assert wrong[targets].mean() < wrong[clips.classes >= 0].mean() / 4


def test_a_choice_covers_more_than_chance_does():
    clips, _ = planted(each=120, wrong=0.0)
    rows = chosen_rows(clips, covered.select(clips, 90, 0))
    rng, table = np.random.default_rng(0), ((clips.vectors[:, None] - clips.vectors[None]) ** 2).sum(axis=2)
    chance = [table[:, rng.choice(len(table), len(rows), replace=False)].min(axis=1).mean() for _ in range(20)]
    assert table[:, rows].min(axis=1).mean() < min(chance)


def test_a_word_of_many_clips_is_covered_part_by_part(monkeypatch):
    clips, _ = planted(each=100)
    monkeypatch.setattr(covered, "LARGEST", 30)
    rows = chosen_rows(clips, covered.select(clips, 150, 0))
    assert len(set(rows.tolist())) == 150
    monkeypatch.setattr(covered, "facility", lambda vectors, count: pytest.fail("a part is too large")
                        if len(vectors) > 30 else np.arange(count))  # fmt: skip
    assert covered.select(clips, 150, 0).size == 150


def test_honed_leaves_large_selections_to_it():
    clips, _ = planted(each=100)
    large = honed.SEARCHED + 1
    assert honed.select(clips, large, 3) == covered.select(clips, large, 3)
