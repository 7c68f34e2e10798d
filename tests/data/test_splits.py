"""Splits of small sets: every word has validation and test clips, speakers stay in one split, and rarely move."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws.data import splits
from edgekws.data.listing import SPLITS, Recording


def recordings(speakers, words=("a", "b")):
    return [Recording(f"{word}/{who}", word, who, Path(who)) for word in words for who in speakers]


@given(st.integers(0, 500), st.integers(8, 40))
def test_each_word_of_eight_speakers_has_clips_in_each_split(first, count):
    items = recordings([f"speaker{first + number}" for number in range(count)])
    assigned = splits.assign(items)
    assert sorted(item.id for each in assigned.values() for item in each) == sorted(item.id for item in items)
    for word in ("a", "b"):
        counts = {name: sum(item.label == word for item in assigned[name]) for name in SPLITS}
        assert min(counts.values()) >= min(3, max(1, count // 10)) and counts["train"] >= 3
    where = Counter(who for name in SPLITS for who in {item.speaker for item in assigned[name]})
    assert set(where.values()) == {1}


@given(st.integers(0, 500), st.integers(8, 30), st.integers(1, 30))
def test_added_recordings_move_no_speaker_between_validation_and_test(first, count, more):
    names = [f"speaker{first + number}" for number in range(count + more)]
    before, after = splits.assign(recordings(names[:count])), splits.assign(recordings(names))
    home = {item.speaker: name for name in SPLITS for item in after[name]}
    for name in ("validation", "test"):
        for item in before[name]:
            if splits.split_of(item.speaker) == name:
                assert home[item.speaker] == name


@pytest.mark.parametrize("speakers", [["one"], ["one", "two"]])
def test_few_speakers_stay_where_the_hash_puts_them(speakers):
    items = [Recording(f"a/{who}-{n}", "a", who, Path(who)) for who in speakers for n in range(20)]
    assigned = splits.assign(items)
    assert all(splits.split_of(item.speaker) == name for name in SPLITS for item in assigned[name])
