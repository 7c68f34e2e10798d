"""Scenes: words at known places, levels and signal-to-noise ratios, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from edgekws.detect.evaluation import scenes
from edgekws.detect.evaluation.scenes import Condition, Room, Spoken

RATE = 16_000


def recording(keyword: int, number: int, onset: int = 5_000, count: int = 6_000) -> Spoken:
    """A second with a buzz in it."""
    rng = np.random.default_rng(number)
    samples = rng.normal(0, 3, RATE)
    samples[onset : onset + count] += 4_000 * np.sin(np.arange(count) * 0.2) * np.hanning(count) ** 0.2
    return Spoken(keyword, samples.astype(np.int16), f"s{number}", f"{number}.wav")


WORDS = [recording(number % 2, number) for number in range(12)]
NOISES = [np.random.default_rng(7).normal(0, 500, 40_000).astype(np.int16)]
HALL = Room("hall", np.concatenate([np.zeros(30), [1.0], 0.2 * 0.999 ** np.arange(3_000)]))


def composed(each: list[Condition], seed: int = 0) -> list[scenes.Scene]:
    return list(scenes.compose(WORDS, NOISES, each, RATE, seed))


def test_every_recording_is_one_word_and_conditions_are_dealt_in_turn() -> None:
    each = scenes.conditions((None, 10.0), [HALL])
    assert [condition.name for condition in each] == ["clean", "10 dB", "clean, hall", "10 dB, hall"]
    made = composed(each)
    assert [len(scene.words) for scene in made] == [3, 3, 3, 3]
    assert sorted(word.clip for scene in made for word in scene.words) == sorted(word.name for word in WORDS)
    assert {(word.snr_db, word.room) for word in made[3].words} == {(10.0, "hall")}


def test_the_same_seed_gives_the_same_samples() -> None:
    each = [Condition(10.0)]
    assert (composed(each)[0].samples == composed(each)[0].samples).all()
    assert len(composed(each, 1)[0].samples) != len(composed(each)[0].samples)


def test_words_are_where_they_are_said_to_be() -> None:
    scene = composed([Condition(None)])[0]
    loud = np.abs(scene.samples.astype(int)) > 60
    for word in scene.words:
        assert abs(word.end - word.onset - 6_000) < 640
        assert loud[word.onset + 300 : word.end - 300].mean() > 0.8
        assert loud[word.end + 800 : word.end + 2_000].mean() < 0.05
    assert scene.located == len(scene.words) == 12


@pytest.mark.parametrize("snr", [20.0, 0.0])
def test_the_ratio_of_word_and_noise_is_the_condition(snr: float) -> None:
    noisy, clean = composed([Condition(snr)])[0], composed([Condition(None)])[0]
    for word in noisy.words[1:-1]:
        where = slice(word.onset, word.end)
        speech = clean.samples[where].astype(float)
        noise = noisy.samples[where] - speech
        ratio = 20 * np.log10(np.sqrt(np.mean(speech**2)) / np.sqrt(np.mean(noise**2)))
        assert ratio == pytest.approx(snr, abs=1.5)


def test_a_room_keeps_the_direct_sound_in_place_and_rings_on() -> None:
    dry = np.zeros(100)
    dry[10] = 1
    wet = scenes.convolved(dry, HALL.response)
    assert wet[:10] == pytest.approx(np.zeros(10), abs=1e-12)
    assert wet[10:14] == pytest.approx([1.0, 0.2, 0.1998, 0.1996002])
    made, plain = composed([Condition(None, HALL)])[0], composed([Condition(None)])[0]
    assert [word[1:3] for word in made.words] == [word[1:3] for word in plain.words]


def test_a_word_that_does_not_stand_out_counts_from_end_to_end() -> None:
    flat = Spoken(0, np.random.default_rng(0).normal(0, 900, RATE).astype(np.int16), "", "x")
    scene = next(iter(scenes.compose([flat], [], [Condition(None)], RATE, 0)))
    assert (scene.located, scene.words[0].end - scene.words[0].onset) == (0, RATE)
