"""Scoring of the streaming wake word, by hand-made pulses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekws.errors import DataError
from edgekws.mlperf import sww01
from edgekws.mlperf.sww01 import Counts

WORDS = ((1.0, 1.6), (4.0, 4.8))


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([], Counts(0, 2, 0)),
        ([1.2, 1.232, 1.264, 4.9], Counts(2, 0, 0)),
        ([3.6, 6.8], Counts(2, 0, 0)),  # 2 s after their ends: the second counts twice in the benchmark
        ([3.7, 6.9], Counts(0, 2, 2)),
        ([0.9, 4.1], Counts(1, 1, 1)),
        ([10.0, 10.5, 11.0, 11.1, 12.2], Counts(0, 2, 3)),  # 1 s from the first of each
    ],
)
def test_pulses_are_words_or_false(times: list[float], expected: Counts) -> None:
    assert sww01.counts(times, WORDS) == expected


def test_a_pulse_belongs_to_the_first_word_that_takes_it() -> None:
    assert sww01.counts([1.5], ((0.5, 1.0), (1.2, 1.8))) == Counts(1, 1, 0)


def test_a_pulse_is_a_score_above_the_threshold() -> None:
    scores = np.array([[115, 0, 0], [116, 0, 0], [-128, 127, 0], [127, 0, 0]], np.int8)
    np.testing.assert_allclose(sww01.pulses(scores, 30), [31 * 0.032, 33 * 0.032])


def test_words_are_read(tmp_path: Path) -> None:
    path = tmp_path / "words.json"
    path.write_text("[[1.0, 1.6], [4, 4.8]]")
    assert sww01.read_windows(path) == WORDS


@pytest.mark.parametrize("content", ["[[1.0, 0.5]]", "[[1.0]]", "[1, 2]", "{", '[["a", 2]]'])
def test_other_files_are_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "words.json"
    path.write_text(content)
    with pytest.raises(DataError):
        sww01.read_windows(path)
