"""What becomes of a recording before a model sees it; and which are refused, in which words."""

import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from edgekws.curate.embed import audio
from edgekws.data import decoding
from edgekws.data.listing import Recording
from edgekws.errors import DataError
from tests.curate.embed.embed_recordings import RATE_HZ, write_noise


def test_samples_of_16_bits_are_exact(tmp_path):
    noise = write_noise(tmp_path / "a.wav", 0)
    samples, rate = audio.read(tmp_path / "a.wav")
    assert rate == RATE_HZ and samples.dtype == np.float32
    assert (samples * 32_768 == noise[:, 0]).all()


def test_channels_are_averaged(tmp_path):
    noise = write_noise(tmp_path / "a.wav", 0, channels=2)
    samples, _ = audio.read(tmp_path / "a.wav")
    assert np.allclose(samples * 32_768, noise.mean(axis=1))


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 48_000])
def test_resampling_keeps_a_tone(tmp_path, rate_hz):
    time = np.arange(rate_hz) / rate_hz
    soundfile.write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 440 * time), rate_hz)
    samples = audio.fitted(*audio.read(tmp_path / "a.wav"), RATE_HZ, RATE_HZ)
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE_HZ) / RATE_HZ)
    inner = slice(500, -500)  # the filter sees zeros beyond the ends
    assert samples.shape == (RATE_HZ,)
    assert np.abs(samples[inner] - expected[inner]).max() < 5e-3


def test_resampling_removes_frequencies_above_the_new_band():
    time = np.arange(48_000) / 48_000
    high = audio.resampled(np.sin(2 * np.pi * 12_000 * time).astype(np.float32), 48_000, RATE_HZ)
    assert np.abs(high[500:-500]).max() < 0.01


@given(samples=st.integers(1, 3_000), clip_samples=st.integers(1, 2_000), seed=st.integers(0, 99))
def test_clips_are_fitted_as_the_prepared_data_set_does(tmp_path_factory, samples, clip_samples, seed):
    path = tmp_path_factory.mktemp("fit") / "a.wav"
    write_noise(path, seed, samples)
    ours, rate = audio.read(path)
    if np.abs(ours - ours.mean()).max() < audio.SILENT_PEAK:
        return
    theirs = decoding.decode(Recording("a", "a", "a", path), RATE_HZ, clip_samples)
    assert (audio.fitted(ours, rate, RATE_HZ, clip_samples) * 32_768 == theirs).all()


def test_whole_recordings_keep_their_length():
    samples = np.random.default_rng(0).uniform(-1, 1, 777).astype(np.float32)
    assert (audio.fitted(samples, RATE_HZ, RATE_HZ, None) == samples).all()


def test_overshoot_of_the_filter_is_clipped():
    square = np.sign(np.sin(np.arange(48_000) / 20)).astype(np.float32)
    assert np.abs(audio.resampled(square, 48_000, RATE_HZ)).max() > 1
    assert np.abs(audio.fitted(square, 48_000, RATE_HZ, None)).max() == 1


def reason(path):
    with pytest.raises(DataError) as caught:
        audio.fitted(*audio.read(path), RATE_HZ, RATE_HZ)
    return str(caught.value)


@pytest.mark.parametrize("kept", [44, 45, 1_000, 32_043])
def test_a_wav_that_was_cut_off_is_refused(tmp_path, kept):
    write_noise(tmp_path / "a.wav", 0)
    whole = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(whole[:kept])
    assert f"{kept - 44} of 32000 bytes of sound: it is cut off" in reason(tmp_path / "a.wav")


@pytest.mark.parametrize("suffix", ["ogg", "flac"])
def test_compressed_recordings_are_read_whole_or_not_at_all(tmp_path, suffix):
    tone = np.sin(np.arange(2 * RATE_HZ) / 20) * 0.5
    soundfile.write(tmp_path / f"a.{suffix}", tone, RATE_HZ)
    whole = (tmp_path / f"a.{suffix}").read_bytes()
    assert np.abs(audio.read(tmp_path / f"a.{suffix}")[0] - tone).max() < 0.1
    for share in (0.3, 0.6, 0.95):
        (tmp_path / f"cut.{suffix}").write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(DataError):
            audio.read(tmp_path / f"cut.{suffix}")


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_wav_without_a_size_in_its_header_is_read(tmp_path, size):
    write_noise(tmp_path / "a.wav", 0)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    struct.pack_into("<I", content, 40, size)
    (tmp_path / "a.wav").write_bytes(content)
    try:
        samples, _ = audio.read(tmp_path / "a.wav")
    except DataError as error:
        assert "of sound: it is cut off" not in str(error)
    else:
        assert len(samples) in (0, RATE_HZ)


def test_unusable_recordings_are_refused_with_a_reason(tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("no sound at all")
    soundfile.write(tmp_path / "none.wav", np.zeros(0, np.int16), RATE_HZ)
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE_HZ, np.int16), RATE_HZ)
    soundfile.write(tmp_path / "offset.wav", np.full(RATE_HZ, 900, np.int16), RATE_HZ)
    broken = np.full(RATE_HZ, 0.1, np.float32)
    broken[7] = np.nan
    soundfile.write(tmp_path / "nan.wav", broken, RATE_HZ, subtype="FLOAT")
    assert "an empty file" in reason(tmp_path / "empty.wav")
    assert "something unreadable" in reason(tmp_path / "text.wav")
    assert "no samples" in reason(tmp_path / "none.wav")
    assert "silence" in reason(tmp_path / "silent.wav")
    assert "silence" in reason(tmp_path / "offset.wav")
    assert "NaN or infinity" in reason(tmp_path / "nan.wav")
    assert "No such file" in reason(tmp_path / "absent.wav")


def test_a_header_that_claims_too_much_is_refused(tmp_path):
    write_noise(tmp_path / "a.wav", 0)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    struct.pack_into("<I", content, 24, 3)
    (tmp_path / "slow.wav").write_bytes(content)
    assert "its rate should be 1,000 to 384,000 Hz. Got: 3 Hz" in reason(tmp_path / "slow.wav")
    soundfile.write(tmp_path / "a.flac", np.zeros(RATE_HZ), RATE_HZ)
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21] |= 0x0F  # STREAMINFO's 36 bits of total samples begin here
    (tmp_path / "long.flac").write_bytes(content)
    assert "at most 268,435,456 samples" in reason(tmp_path / "long.flac")


@pytest.fixture(scope="module")
def wholes(tmp_path_factory):
    home = tmp_path_factory.mktemp("wholes")
    tone = np.sin(np.arange(2_000) / 20) * 0.5
    for suffix in ("wav", "flac", "ogg"):
        soundfile.write(home / f"a.{suffix}", tone, RATE_HZ)
    return {path.suffix: path.read_bytes() for path in home.iterdir()}


@given(suffix=st.sampled_from([".wav", ".flac", ".ogg"]), data=st.data())
def test_damaged_files_give_finite_numbers_or_a_reason(tmp_path_factory, wholes, suffix, data):
    content = bytearray(wholes[suffix])
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, min(len(content) - 1, 400)))
        content[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / f"damaged{suffix}"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        samples = audio.fitted(*audio.read(path), RATE_HZ, 1_000)
    except DataError:
        return
    assert len(samples) == 1_000 and np.isfinite(samples).all() and np.abs(samples).max() <= 1
