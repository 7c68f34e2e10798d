"""Phonemes of a phrase, and what nearly sounds like it."""

import shutil

import numpy as np
import pytest

from edgekws.data.phrase import phonemes
from edgekws.errors import ConfigError

needs_espeak = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")
COMPUTER = ["k", "@", "m", "p", "j", "'u:", "t#", "3"]


@needs_espeak
def test_a_phrase_has_phonemes():
    assert phonemes.of(["computer", "view glass"]) == [COMPUTER, ["v", "j", "'u:", "g", "l", "'aa", "s"]]


@needs_espeak
def test_punctuation_is_no_word():
    assert phonemes.of(["computer!", "com, puter."])[0] == COMPUTER
    with pytest.raises(ConfigError, match="can be said"):
        phonemes.of(["?!"])


@needs_espeak
def test_the_nearest_words_come_first_and_the_phrase_itself_never():
    words = ["banana", "commuter", "computers", "computer", "pewter", "sky"]
    assert phonemes.nearest(COMPUTER, words, 2) == ["commuter", "pewter"]


def test_the_distance_is_an_edit_distance_without_stress():
    assert phonemes.distance(COMPUTER, COMPUTER) == 0
    assert phonemes.distance(["'u:", "t"], ["u:", "t"]) == 0
    assert phonemes.distance(["a", "b", "c", "d"], ["a", "b", "x", "d"]) == 0.25
    assert phonemes.distance(["a"], ["b", "c"]) == 1


def test_altered_phrases_lose_at_least_a_third_of_their_sounds():
    rng = np.random.default_rng(0)
    for text in phonemes.altered(COMPUTER, 50, rng):
        kept = sum(each.strip("'") in text for each in ("k", "mp", "ju:", "t#3"))
        assert text != "".join(COMPUTER)
        assert kept < 4


def test_parts_are_beginnings_and_ends():
    assert phonemes.parts(["s", "n", "'oU", "b", "OI"]) == ["sn", "'oUbOI", "sn'oU", "bOI"]


def test_syllables_are_vowels():
    assert phonemes.syllables(COMPUTER) == 3
    assert phonemes.syllables(["s"]) == 1
