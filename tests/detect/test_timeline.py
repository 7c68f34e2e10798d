"""A timeline's memory does not grow, and its columns hold the highest posteriors."""

from __future__ import annotations

import numpy as np

from edgekws.detect.timeline import Envelope, clock_text, lines
from edgekws.types import Detection


def test_the_highest_posterior_of_any_length_is_kept() -> None:
    envelope, posteriors = Envelope(2), np.random.default_rng(0).integers(0, 900, (9_000, 2))
    posteriors[7_777, 1] = 1000
    for part in np.array_split(posteriors, 7):
        envelope.push(part)
    columns = envelope.columns(60)
    assert columns.shape == (60, 2)
    assert columns.max(axis=0).tolist() == posteriors.max(axis=0).tolist()
    assert abs(int(columns[:, 1].argmax()) - 60 * 7_777 / 9_000) < 1


def test_a_short_stream_has_a_column_for_each_step() -> None:
    envelope = Envelope(1)
    assert not len(envelope.columns(60))
    envelope.push(np.array([[100], [900]]))
    assert envelope.columns(60).tolist() == [[100], [900]]


def test_the_drawing_has_a_line_for_each_word_and_marks_events() -> None:
    envelope = Envelope(2)
    envelope.push(np.repeat([[0, 300]], 50, axis=0))
    drawn = lines(envelope, [Detection("yes", 16_000, 900)], ("yes", "no"), 2.0, 16_000, 50)
    assert drawn[0] == "yes " + "·" * 25 + "█" + "·" * 24
    assert drawn[1] == " no " + "▃" * 50
    assert drawn[2].split() == ["0:00", "0:02"]


def test_times_are_read_at_a_glance() -> None:
    assert clock_text(62.5) == "1:02"
    assert clock_text(3_723.456, 2) == "1:02:03.45"
