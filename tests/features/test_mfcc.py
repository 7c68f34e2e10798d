"""The front end against the formula of the reference, written out independently in float64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws.errors import ArtifactError, DataError
from edgekws.features import cache
from edgekws.features.mfcc import mfcc, quantize, to_network
from edgekws.features.spec import FeatureSpec

SPEC = FeatureSpec()


def reference(clip):
    """One clip, float64 [16000] -> [49, 10], step by step with an FFT and an explicit DCT-II."""
    clip = clip / clip.max()
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(480) / 480)
    hz = np.arange(257) * 16_000 / 512
    mel = 1127 * np.log(1 + hz / 700)
    edges = np.linspace(1127 * np.log(1 + 20 / 700), 1127 * np.log(1 + 4000 / 700), 42)
    bands = np.zeros((257, 40))
    for band in range(40):
        low, centre, high = edges[band : band + 3]
        for k in range(1, 257):
            bands[k, band] = max(0.0, min((mel[k] - low) / (centre - low), (high - mel[k]) / (high - centre)))
    out = np.zeros((49, 10))
    for frame in range(49):
        magnitude = np.abs(np.fft.rfft(clip[frame * 320 : frame * 320 + 480] * hann, 512))
        log_mel = np.log(magnitude @ bands + 1e-6)
        for order in range(10):
            wave = np.cos(np.pi * order * (2 * np.arange(40) + 1) / 80)
            out[frame, order] = 2 * (log_mel * wave).sum() / np.sqrt(80)
    return out


def test_within_a_thousandth_of_the_reference_on_recordings(prepared):
    clips = np.asarray(prepared.splits["test"].samples[::20])
    clips = clips[clips.max(axis=1) > 0]
    expected = np.stack([reference(clip.astype(np.float64)) for clip in clips])
    assert np.abs(mfcc(SPEC, clips) - expected).max() < 1e-3


def test_loudness_does_not_matter(prepared):
    clip = np.asarray(prepared.splits["test"].samples[:1]).astype(np.float32)
    assert np.abs(mfcc(SPEC, clip) - mfcc(SPEC, clip / 4)).max() < 1e-4


def test_clips_without_a_positive_sample_stay_finite():
    clips = np.stack([np.zeros(16_000), np.full(16_000, -5.0)]).astype(np.float32)
    assert np.isfinite(mfcc(SPEC, clips)).all()


def test_other_lengths_are_refused():
    with pytest.raises(DataError, match="16000"):
        mfcc(SPEC, np.zeros((1, 8_000), np.int16))


@given(st.floats(-500, 500, allow_nan=False))
def test_quantization_is_the_rounded_clipped_network_input(value):
    features = np.full((1, *SPEC.shape), value, np.float32)
    ints = quantize(SPEC, features)
    assert ints.dtype == np.int8
    assert np.abs(ints - to_network(SPEC, features)).max() <= 0.5
    real = (ints[0, 0, 0].astype(float) - 83) * 0.5847029089927673
    inside = (-128 - 83) * 0.5847 < value < (127 - 83) * 0.5847
    assert not inside or abs(real - value) <= 0.5847 / 2 + 1e-3


def test_statistics_spread_each_coefficient_over_the_range(prepared):
    spec = cache.fit_spec(prepared, SPEC)
    ints = cache.int8_features(prepared, "train", spec).astype(float)
    deviation = ints.std(axis=(0, 1))
    assert np.all((deviation > 25) & (deviation < 35))
    assert np.abs(ints.mean(axis=(0, 1))).max() < 5


def test_features_are_cached_by_content(prepared):
    first = cache.features_of(prepared, "validation", SPEC)
    calls = []
    again = cache.features_of(prepared, "validation", SPEC, lambda *call: calls.append(call))
    assert np.array_equal(first, again) and not calls


def test_spec_survives_json_and_refuses_unknown_fields():
    assert FeatureSpec.from_json(SPEC.to_json()) == SPEC
    with pytest.raises(ArtifactError, match="hop"):
        FeatureSpec.from_json({**SPEC.to_json(), "hop": 1})
