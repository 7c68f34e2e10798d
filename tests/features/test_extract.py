"""One way from samples to the network's input, whichever arithmetic and level a front end states."""

from dataclasses import replace

import numpy as np
import pytest

from edgekws.data.augment import AugmentSpec, mask_features
from edgekws.data.dataset import Dataset, Split
from edgekws.errors import DataError
from edgekws.features import cache, extract, fixed, mfcc
from edgekws.features.presets import MLPERF
from edgekws.features.spec import FeatureSpec
from edgekws.pipeline._train import _front_end as front_end
from edgekws.recipe import Recipe

FLOAT = FeatureSpec()
FIXED = replace(FLOAT, arithmetic="fixed")


@pytest.fixture
def clips():
    return np.random.default_rng(3).integers(-3000, 3000, (3, 16_000)).astype(np.int16)


def test_float_features_are_the_reference(clips):
    assert np.array_equal(extract.features(FLOAT, clips), mfcc.mfcc(FLOAT, clips))
    assert np.array_equal(extract.quantized(FLOAT, clips), mfcc.quantize(FLOAT, mfcc.mfcc(FLOAT, clips)))


@pytest.mark.parametrize("level", ["clip", "stream"])
def test_fixed_features_are_the_integers(clips, level):
    spec = replace(FIXED, level=level)
    assert np.array_equal(extract.quantized(spec, clips), fixed.quantized(spec, clips))
    assert np.abs(extract.steps(spec, clips) - fixed.quantized(spec, clips)).max() <= 0.5


@pytest.mark.parametrize("level", ["clip", "stream"])
@pytest.mark.parametrize("arithmetic", ["float", "fixed"])
def test_samples_of_unit_scale_give_the_features_of_the_recording(clips, arithmetic, level):
    spec = replace(FLOAT, arithmetic=arithmetic, level=level)
    unit = extract.recorded(spec, clips.astype(np.float32) / 32768)
    assert np.abs(extract.steps(spec, unit) - extract.steps(spec, clips)).max() < 1e-3


def test_recorded_samples_are_clipped_as_a_microphone_does():
    loud = np.array([[-1.5, -1.0, 0.5 / 32768, 1.0, 7.0]], np.float32)
    assert extract.recorded(FIXED, loud).tolist() == [[-32768, -32768, 0, 32767, 32767]]


def test_masks_keep_integers(clips):
    features = extract.features(FIXED, clips)
    hidden = mask_features(features, AugmentSpec(), np.random.default_rng(0))
    assert hidden.dtype == np.int32
    assert extract.to_network(FIXED, hidden).shape == features.shape


def test_a_recipe_states_the_front_end_key_by_key():
    given = {"preset": "mlperf", "arithmetic": "fixed", "level": "stream", "stream_peak": 4096, "clip_samples": 23_840}
    recipe = Recipe.model_validate({"features": given})
    expected = replace(MLPERF, arithmetic="fixed", level="stream", stream_peak=4096, clip_samples=23_840)
    assert front_end(recipe, None, None, lambda *_: None) == expected
    assert Recipe.model_validate(recipe.to_json()) == recipe
    assert set(Recipe.model_validate({"features": {"preset": "mlperf"}}).to_json()["features"]) == {"preset"}


def test_the_cache_keeps_every_bit(clips, tmp_path):
    split = Split("train", clips, np.zeros(3, np.int64), ("a", "b", "c"), ("", "", ""), "0")
    data = Dataset(tmp_path, "three", ("x",), 16_000, {"train": split}, np.zeros(0, np.int16), "0", (), "1")
    spec = cache.fit_spec(data, FIXED)
    assert np.array_equal(cache.int8_features(data, "train", spec), fixed.quantized(spec, clips))
    with pytest.raises(DataError, match=r"23840 samples.*Got: 16000.*clip_samples"):
        cache.features_of(data, "train", replace(FIXED, clip_samples=23_840))
    assert np.allclose(spec.input_scale, cache.fit_spec(data, FLOAT).input_scale, rtol=1e-3)
