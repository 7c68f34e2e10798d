"""One recording as another voice, in a room, in pieces."""

import numpy as np
import pytest

from edgekws.data.phrase import effects

RATE_HZ = 16_000


def tone(hz, seconds, level=0.3):
    return (level * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE_HZ)) / RATE_HZ)).astype(np.float32)


def pitch_hz(samples):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * RATE_HZ / len(samples))


def test_silence_around_a_sound_is_trimmed():
    silence = np.zeros(RATE_HZ // 2, np.float32)
    trimmed = effects.trimmed(np.concatenate([silence, tone(300, 0.4), silence]), RATE_HZ)
    assert 0.4 <= len(trimmed) / RATE_HZ <= 0.5


def test_stretching_keeps_the_pitch_and_resampling_does_not():
    sound = tone(400, 0.5)
    longer = effects.stretched(sound, 1.3, RATE_HZ)
    assert len(longer) / len(sound) == pytest.approx(1.3, abs=0.06)
    assert pitch_hz(longer) == pytest.approx(400, rel=0.03)
    assert pitch_hz(effects.resampled(sound, 1.3)) == pytest.approx(520, rel=0.03)


def test_another_vocal_tract_keeps_the_tempo():
    rng = np.random.default_rng(3)
    other = [effects.spoken_otherwise(tone(400, 0.5), RATE_HZ, rng, tract=0.2, tempo=0.0) for _ in range(8)]
    assert all(len(sound) / RATE_HZ == pytest.approx(0.5, abs=0.06) for sound in other)
    assert np.ptp([pitch_hz(sound) for sound in other]) > 40


def test_scrambled_is_neither_the_clip_nor_another_length():
    rng, clip = np.random.default_rng(0), np.linspace(0.1, 1, 8000).astype(np.float32)
    for _ in range(20):
        other = effects.scrambled(clip, RATE_HZ, rng)
        assert len(other) == len(clip)
        assert np.corrcoef(other, clip)[0, 1] < 0.95


def test_a_cut_clip_is_a_beginning_or_an_end():
    rng, clip = np.random.default_rng(0), np.arange(1000, dtype=np.float32)
    for _ in range(10):
        part = effects.cut(clip, rng)
        assert 300 <= len(part) <= 600
        assert part[0] == 0 or part[-1] == 999
