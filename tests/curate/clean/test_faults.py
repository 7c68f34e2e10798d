"""Silent, clipped, cut off and duplicate recordings are detected; good recordings have no fault."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws.curate.clean import duplicates, faults, probe
from tests.curate.clean.conftest import RATE_HZ, clips_of, word


def quiet(*_):
    pass


def reasons(samples):
    return {reason: score for reason, score, _ in faults.of_clip(samples, RATE_HZ)}


def test_good_recordings_have_no_fault(spoken):
    samples, labels = spoken
    assert faults.find(clips_of(samples, labels), quiet) == []


@pytest.mark.parametrize("level", [0, 2, 20, 500])
def test_a_clip_without_speech_is_silent(level):
    noise = np.random.default_rng(1).normal(0, level, RATE_HZ).round().astype(np.int16)
    assert set(reasons(noise)) == {faults.SILENT}


def test_an_offset_does_not_count_as_level():
    assert faults.SILENT in reasons(np.full(RATE_HZ, 9_000, np.int16))


def test_an_overdriven_recording_is_clipped_and_a_loud_one_is_not():
    clip = word(1, np.random.default_rng(2)).astype(np.float64)
    loud = clip / np.abs(clip).max() * 32_767
    assert reasons(loud.astype(np.int16)) == {}
    mild, hard = (reasons(np.clip(loud * gain, -32_768, 32_767).astype(np.int16)) for gain in (1.12, 4))
    assert set(mild) == set(hard) == {faults.CLIPPED} and mild[faults.CLIPPED] < hard[faults.CLIPPED]


def test_clipping_below_full_scale_is_detected():
    """A recorder that clips before its volume is turned down."""
    clip = word(1, np.random.default_rng(2)).astype(np.float64) * 4
    assert faults.CLIPPED in reasons(np.clip(clip, -12_000, 12_000).astype(np.int16))


@pytest.mark.parametrize("where", ["start", "end"])
def test_a_word_without_its_end_is_cut_off(where):
    clip = word(2, np.random.default_rng(3))
    middle = int(np.convolve(clip.astype(float) ** 2, np.ones(400), "same").argmax())
    part = clip[middle:] if where == "start" else clip[:middle]
    ((reason, _, detail),) = faults.of_clip(part, RATE_HZ)
    assert reason == faults.CUT_OFF and where in detail
    padded = np.pad(part, (0, RATE_HZ - len(part)))  # as `data prepare` does
    assert faults.CUT_OFF in reasons(padded)


def test_silence_is_expected_to_be_silent(spoken):
    noise = np.random.default_rng(1).normal(0, 20, (1, RATE_HZ)).astype(np.int16)
    assert faults.find(clips_of(noise, [0], ("_silence_",)), quiet) == []
    assert faults.find(clips_of(noise, [0], ("yes",)), quiet)[0].reason == faults.SILENT


@given(st.lists(st.integers(-32_768, 32_767), min_size=0, max_size=400))
def test_any_samples_have_scores_between_0_and_1(values):
    for _, score, detail in faults.of_clip(np.array(values, np.int16), RATE_HZ):
        assert 0 < score <= 1 and detail


def reencoded(clip):
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, clip, RATE_HZ, format="WAV", subtype="ULAW")
    buffer.seek(0)
    return soundfile.read(buffer, dtype="int16")[0]


def test_only_copies_are_duplicates(spoken):
    samples, labels = spoken[0][:40].copy(), spoken[1][:40].copy()
    samples[30] = samples[3]
    samples[31] = np.roll(np.where(np.arange(RATE_HZ) < 12_000, samples[5], 0), 2_000)
    samples[5, 12_000:] = 0
    samples[32] = (samples[8] * 0.5).astype(np.int16)
    samples[33] = reencoded(samples[9])
    clips = clips_of(samples, labels, splits=("train",) * 33 + ("test",) * 7)
    pairs = duplicates.find(clips, probe.spectra(clips, quiet), np.ones(40, bool))
    assert {(pair.number, pair.original) for pair in pairs} == {(30, 3), (31, 5), (32, 8), (33, 9)}
    alike = {pair.number: pair.alike for pair in pairs}
    assert alike[30] == alike[31] == 1 and 0.8 < alike[32] < 1
    within, across = (duplicates.score(clips, next(p for p in pairs if p.number == n)) for n in (32, 33))
    assert across > within
    assert "middle in train" in duplicates.detail(clips, next(p for p in pairs if p.number == 33))


def test_clips_without_speech_are_not_compared_by_their_spectra():
    noise = np.random.default_rng(1).normal(0, 300, RATE_HZ).round().astype(np.int16)
    clips = clips_of(np.stack([noise, (noise * 0.5).astype(np.int16), noise]), [0, 0, 0])
    spectra = probe.spectra(clips, quiet)
    assert [(p.number, p.original) for p in duplicates.find(clips, spectra, np.zeros(3, bool))] == [(2, 0)]
