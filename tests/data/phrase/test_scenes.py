"""Scenes: where the phrase ends, what is silent, and that a seed says everything."""

import numpy as np
import pytest

from edgekws.data.phrase import scenes
from edgekws.data.phrase.bank import Bank

RATE_HZ, SAMPLES, EARLIEST = 16_000, 39_200, 20_000


def bank(count, samples, seed):
    rng = np.random.default_rng(seed)
    return Bank(tuple((rng.normal(size=samples) * 3000).astype(np.int16) for _ in range(count)), ("x",) * count)


@pytest.fixture(scope="module")
def material():
    quiet = scenes.Strength(noisy=0, reverberant=0, neighbours=0, babble=0, level_dbfs=(-20, -20))
    return scenes.Material(bank(3, 9000, 0), near=bank(2, 8000, 1), rate_hz=RATE_HZ, strength=quiet)


def test_the_phrase_ends_where_the_scene_says(material):
    for seed in range(6):
        scene = scenes.scene(material, scenes.PHRASE, SAMPLES, EARLIEST, np.random.default_rng(seed))
        assert scene.samples.dtype == np.int16
        assert EARLIEST <= scene.end < SAMPLES
        loud = np.abs(scene.samples[scene.end - 2000 : scene.end].astype(float)).mean()
        after = np.abs(scene.samples[scene.end + 1200 :].astype(float)).mean()
        assert loud > 4 * after


@pytest.mark.parametrize("kind", [scenes.NEAR, scenes.SPEECH, scenes.NOISE])
def test_other_scenes_have_no_phrase(material, kind):
    scene = scenes.scene(material, kind, SAMPLES, EARLIEST, np.random.default_rng(0))
    assert scene.end == -1
    assert len(scene.samples) == SAMPLES


def test_the_same_seed_gives_the_same_scene(material):
    one, two = (scenes.scene(material, scenes.PHRASE, SAMPLES, EARLIEST, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one.samples, two.samples)


def test_a_phrase_that_is_longer_than_its_scene_keeps_its_end():
    long = scenes.Material(bank(2, 60_000, 0), rate_hz=RATE_HZ)
    scene = scenes.scene(long, scenes.PHRASE, 20_000, 16_000, np.random.default_rng(0))
    assert 0 < scene.end < 20_000


def test_recordings_alone_are_enough():
    recorded = scenes.Material(Bank((), ()), recorded=bank(3, 9000, 0), rate_hz=RATE_HZ)
    for kind in (scenes.PHRASE, scenes.NEAR, scenes.SPEECH, scenes.NOISE):
        scenes.scene(recorded, kind, SAMPLES, EARLIEST, np.random.default_rng(1))
