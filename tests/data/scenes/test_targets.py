"""What a detector should say at each step: the keyword after its end, nothing certain while it is spoken."""

import numpy as np

from edgekws.data.scenes.targets import IGNORED, Heard, targets

RATE_HZ, WINDOW, SILENCE, UNKNOWN = 16_000, 23_840, 10, 11
ENDS = np.arange(160) * 640 + WINDOW


def answers(*heard):
    return targets(heard, ENDS, WINDOW, RATE_HZ, SILENCE, UNKNOWN)


def at(answer, seconds):
    return answer[round((seconds * RATE_HZ - WINDOW) / 640)]


def seconds(start, stop, label):
    return Heard(int(start * RATE_HZ), int(stop * RATE_HZ), label)


def test_a_keyword_is_the_answer_from_its_end_on():
    answer = answers(seconds(3.0, 3.5, 4))
    assert at(answer, 2.9) == SILENCE
    assert at(answer, 3.2) == UNKNOWN  # its beginning is no keyword yet
    assert at(answer, 3.45) == IGNORED
    assert all(at(answer, time) == 4 for time in (3.6, 3.7, 3.8, 3.9))
    assert at(answer, 4.2) == IGNORED  # still in the window
    assert at(answer, 5.5) == SILENCE


def test_other_speech_is_unknown_while_it_is_recent():
    answer = answers(seconds(3.0, 3.5, None))
    assert at(answer, 3.3) == UNKNOWN and at(answer, 4.0) == UNKNOWN
    assert at(answer, 3.1) == IGNORED  # too little of it
    assert at(answer, 4.6) == SILENCE


def test_two_keywords_in_one_window_have_no_answer():
    both = answers(seconds(3.0, 3.4, 4), seconds(3.5, 3.9, 5))
    assert at(both, 4.1) == IGNORED
    again = answers(seconds(3.0, 3.4, 4), seconds(3.5, 3.9, 4))
    assert at(again, 4.1) == 4


def test_what_follows_ends_the_answer():
    answer = answers(seconds(3.0, 3.5, 4), seconds(3.6, 4.5, None))
    assert at(answer, 3.6) == 4 and at(answer, 3.9) == IGNORED
