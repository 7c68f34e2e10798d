"""The front end of the streaming wake word: its definition in integers against the float reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks._front_end import extremes, speech_like
from edgekws.errors import ConfigError
from edgekws.features import extract, fixed, mfcc, sww01, sww01_fixed
from edgekws.features.presets import SWW01_FIXED_POINT, SWW01_FLOAT
from edgekws.features.spec import FeatureSpec


def reference(frame: np.ndarray, before: float) -> np.ndarray:
    """A frame of 1024 samples, step by step with loops, as the benchmark's text says it."""
    last = np.concatenate([[before], frame[:-1]])
    sharp = (frame - 0.96875 * last) / 32768 * np.hamming(1024)
    power = np.abs(np.fft.fft(sharp)[:513]) ** 2 / 1024
    mel = 1127 * np.log1p(np.arange(513) * 8000 / 512 / 700)
    edges = np.linspace(0, 1127 * np.log1p(8000 / 700), 42)
    sums = np.zeros(40)
    for b in range(40):
        for k in range(1, 513):
            if edges[b] < mel[k] < edges[b + 2]:
                below = mel[k] <= edges[b + 1]
                far = mel[k] - edges[b] if below else edges[b + 2] - mel[k]
                sums[b] += power[k] * far / (edges[1] - edges[0])
    return np.clip((10 * np.log10(sums) + 52) / 64, 0, 1)


def test_the_float_reference_is_what_the_benchmark_says():
    samples = speech_like(SWW01_FLOAT.clip_samples)
    made = extract.features(SWW01_FLOAT, samples[None])[0]
    assert made.shape == (30, 40)
    for row in (0, 7):
        start = 512 * row
        frame = samples[start : start + 1024].astype(float)
        np.testing.assert_allclose(made[row], reference(frame, samples[start - 1] if row else 0), atol=1e-5)


def test_integers_are_within_one_step_of_the_float_reference():
    samples = speech_like(SWW01_FLOAT.clip_samples)[None]
    exact = extract.quantized(SWW01_FLOAT, samples).astype(int)
    apart = np.abs(fixed.quantized(SWW01_FIXED_POINT, samples) - exact)
    assert apart.max() <= 1
    assert (apart > 0).mean() < 0.03
    assert exact.std() > 10


def test_a_stream_has_the_rows_of_the_whole():
    samples = speech_like(SWW01_FIXED_POINT.clip_samples)
    front_end = fixed.FrontEnd(SWW01_FIXED_POINT)
    parts = [front_end.push(samples[at : at + 300]) for at in range(0, len(samples), 300)]
    np.testing.assert_array_equal(np.concatenate(parts), fixed.quantized(SWW01_FIXED_POINT, samples[None])[0])


def test_every_stage_fits_and_powers_stay_in_their_range():
    ranges = {row.stage: row for row in fixed.check(SWW01_FIXED_POINT)}
    assert max(row.bits for row in ranges.values()) <= 32
    for samples in extremes(2_048):
        sharp = sww01_fixed.emphasized(samples[None], np.zeros(1, np.int16))[0, :1024]
        up = (sww01_fixed.scale_bits(1024) - int(sww01_fixed.energies(sharp[None])[0])) >> 1
        power = np.abs(np.fft.rfft(sharp * sww01.window(1024))[1:512]) ** 2 * 4.0 ** (up - 16)
        assert power.sum() < ranges["powers of all bins"].high


def test_silence_is_the_lowest_step():
    assert (fixed.quantized(SWW01_FIXED_POINT, np.zeros((1, 15_872), np.int16)) == -128).all()


def test_files_hold_the_definition():
    assert FeatureSpec.from_json(SWW01_FIXED_POINT.to_json()) == SWW01_FIXED_POINT
    assert "definition" not in FeatureSpec().to_json()


@pytest.mark.parametrize("change", [{"level": "clip"}, {"mel_bands": 41}, {"window_samples": 1_000}])
def test_what_it_has_not_is_refused(change):
    with pytest.raises(ConfigError, match="front end of sww01"):
        fixed.check(replace(SWW01_FIXED_POINT, **change))


def test_features_of_mfcc_are_not_made_of_it():
    with pytest.raises(ConfigError, match="MFCC"):
        mfcc.mfcc(SWW01_FLOAT, np.zeros((1, 15_872), np.int16))
