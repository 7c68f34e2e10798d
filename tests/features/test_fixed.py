"""The fixed-point front end: near the float64 reference, the same in a stream, and inside the proven ranges."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekws.errors import ConfigError, DataError
from edgekws.features import fixed
from edgekws.features.mfcc import mfcc, to_network
from edgekws.features.spec import FeatureSpec
from tests.features import scalar_front_end as scalar

SPEC = FeatureSpec(arithmetic="fixed")
STREAM = replace(SPEC, level="stream", clip_samples=2_080, input_scale=(0.12,) * 10, input_zero_point=(0,) * 10)
OTHERS = (
    replace(STREAM, fft_samples=1024, window_samples=1024, hop_samples=512, high_hz=8_000.0),
    replace(STREAM, fft_samples=256, window_samples=200, hop_samples=160, mel_bands=23, coefficients=13,
            input_scale=(0.1,) * 13, input_zero_point=(3,) * 13),
)  # fmt: skip


def scales(count):
    return {"input_scale": (1.0,) * count, "input_zero_point": (0,) * count}


@pytest.fixture
def rng():
    return np.random.default_rng(17)


def shapes(samples, rng):
    """int16 [n, samples]: what an ordinary recording does not have."""
    time = np.arange(samples)
    step, peak = np.where(time < samples // 2, -32768, 32767), np.zeros(samples)
    peak[samples // 3] = -32768
    rows = [
        0 * time, 0 * time - 1, 0 * time - 32768, 0 * time + 32767, step, peak, -peak - 1,
        np.where(time % 2, 32767, -32768), np.where(time // 32 % 2, 32767, -32768), time % 2,
        32767 * np.sin(2 * np.pi * time / 16), rng.integers(-32768, 32768, samples), rng.integers(-2, 3, samples),
    ]  # fmt: skip
    return np.stack(rows).astype(np.int16)


def test_within_two_steps_of_float64_on_recordings(prepared):
    clips = np.asarray(prepared.splits["test"].samples[::20])
    exact = to_network(SPEC, mfcc(SPEC, clips, "float64"))
    steps = fixed.quantized(SPEC, clips)
    differing = np.rint(exact) != steps
    assert differing.mean() < 0.01
    assert np.abs(exact - steps).max() <= 2


@pytest.mark.parametrize("spec", [STREAM, *OTHERS])
def test_steps_stay_near_the_float_features(spec, rng):
    loud = rng.integers(-9_000, 9_000, (4, spec.clip_samples)).astype(np.int16)
    assert (
        np.abs(to_network(spec, mfcc(spec, loud, "float64")) - fixed.to_network(spec, fixed.cepstra(spec, loud))).max()
        < 0.1
    )


@pytest.mark.parametrize("spec", [STREAM, *OTHERS])
def test_every_value_of_extreme_samples_fits_into_int32(spec, rng):
    samples = shapes(spec.clip_samples, rng)[:: 1 if spec == STREAM else 3]
    found = fixed.cepstra(spec, samples)
    for clip, rows in zip(samples, found, strict=True):
        at = (spec.frames // 3) * spec.hop_samples
        expected = scalar.cepstrum(fixed.plan(spec), clip[at : at + spec.window_samples], spec.stream_peak)
        assert rows[spec.frames // 3].tolist() == expected


@given(st.lists(st.integers(0, 700), max_size=12), st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_blocks_of_any_size_give_the_rows_of_the_whole(sizes, seed):
    rng = np.random.default_rng(seed)
    samples = rng.integers(-32768, 32768, STREAM.clip_samples).astype(np.int16)
    front = fixed.FrontEnd(STREAM)
    rows = [front.push(part) for part in np.split(samples, np.cumsum(sizes))]
    assert np.array_equal(np.concatenate(rows), fixed.quantized(STREAM, samples[None])[0])


def test_a_hop_longer_than_the_window_skips_samples(rng):
    spec = replace(STREAM, window_samples=100, hop_samples=300)
    samples = rng.integers(-999, 999, spec.clip_samples).astype(np.int16)
    front = fixed.FrontEnd(spec)
    rows = np.concatenate([front.push(samples[at : at + 70]) for at in range(0, len(samples), 70)])
    assert np.array_equal(rows, fixed.quantized(spec, samples[None])[0])


@pytest.mark.parametrize("spec", [SPEC, STREAM, *OTHERS])
def test_every_stage_is_proved_to_fit(spec):
    assert all(row.bits <= 32 for row in fixed.check(spec))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"fft_samples": 500}, "fft_samples"),
        ({"window_samples": 481}, "window_samples"),
        ({"high_hz": 9_000.0}, "high_hz"),
        ({"coefficients": 41, **scales(41)}, "coefficients"),
        ({"log_floor": 0.0}, "log_floor"),
        ({"log_floor": 1e9}, "log_floor"),
        ({"stream_peak": 40_000}, "stream_peak"),
        ({"input_scale": (1e-9,) * 10}, "input_scale"),
        ({"low_hz": 101.0, "high_hz": 102.0}, "mel band"),
        ({"fft_samples": 2048, "mel_bands": 2, "coefficients": 2, **scales(2)}, "bins"),
        ({"input_zero_point": (40_000,) * 10}, "input_zero_point"),
    ],
)
def test_what_it_cannot_do_is_refused_by_name(change, name):
    with pytest.raises(ConfigError, match=name):
        fixed.check(replace(SPEC, **change))


def test_a_stream_cannot_have_the_level_of_a_clip():
    with pytest.raises(ConfigError, match="level"):
        fixed.FrontEnd(SPEC)


@pytest.mark.parametrize("samples", [np.zeros((1, 16_000)), np.zeros((1, 9), np.int16), np.zeros(16_000, np.int16)])
def test_other_samples_are_refused(samples):
    with pytest.raises(DataError, match="int16"):
        fixed.quantized(SPEC, samples)


def test_rounding_toward_zero_is_exact_about_zero(rng):
    spec = replace(STREAM, rounding="toward-zero", input_scale=(0.7,) * 10)
    samples = rng.integers(-32768, 32768, (8, spec.clip_samples)).astype(np.int16)
    cepstra = fixed.cepstra(spec, samples)
    steps = fixed.to_network(replace(spec, rounding="nearest"), cepstra)
    assert np.array_equal(fixed.quantize(spec, cepstra), np.trunc(steps.astype(np.float64)))
