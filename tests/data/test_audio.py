"""Recordings of any format, rate and number of channels: same length, same level, and what was changed is said."""

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekws.data import audio, wav
from edgekws.errors import DataError, MissingPackageError

RATE = 16_000
LOSSLESS = [("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "PCM_32"), ("WAV", "FLOAT"), ("WAV", "DOUBLE")]
LOSSLESS += [("FLAC", "PCM_16"), ("AIFF", "PCM_16"), ("AU", "PCM_16"), ("CAF", "ALAC_16"), ("W64", "PCM_16")]
CODED = [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")]


def tone(rate_hz, seconds=0.5, level=0.3):
    return level * np.sin(2 * np.pi * 440 * np.arange(round(rate_hz * seconds)) / rate_hz)


def level_db(samples):
    middle = samples[len(samples) // 4 : -len(samples) // 4].astype(float) / 32_768
    return 10 * np.log10(np.square(middle).mean())


@settings(max_examples=25)
@given(
    st.sampled_from(LOSSLESS),
    st.sampled_from([8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000]),
    st.integers(1, 3),
    st.floats(0.2, 0.8),
)
def test_length_and_level_stay(tmp_path_factory, kind, rate_hz, channels, seconds):
    path = tmp_path_factory.mktemp("audio") / "a"
    samples = tone(rate_hz, seconds)
    soundfile.write(path, np.stack([samples] * channels, 1), rate_hz, format=kind[0], subtype=kind[1])
    sound = audio.load(path, RATE)
    assert abs(len(sound.samples) / RATE - len(samples) / rate_hz) <= 0.001
    assert audio.length(path, RATE) == pytest.approx(len(sound.samples), abs=1)
    assert abs(level_db(sound.samples) - 10 * np.log10(0.3**2 / 2)) < 1
    assert (sound.rate_hz, sound.channels) == (rate_hz, channels)
    assert [text for text in sound.changed if text.startswith("resampled")] == (
        [f"resampled from {rate_hz:,} Hz"] if rate_hz != RATE else []
    )
    assert (audio.MIXED in sound.changed) == (channels > 1)


@pytest.mark.parametrize("kind", CODED)
def test_coded_formats_are_read(tmp_path, kind):
    rate_hz = 48_000
    soundfile.write(tmp_path / "a", tone(rate_hz), rate_hz, format=kind[0], subtype=kind[1])
    sound = audio.load(tmp_path / "a", RATE)
    assert abs(len(sound.samples) / RATE - 0.5) <= 0.001 and abs(level_db(sound.samples) - -13.5) < 1


def encode(path, codec, rate_hz, container, seconds=0.5):
    av = pytest.importorskip("av")
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate_hz)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(
            tone(rate_hz, seconds).astype(np.float32)[None], format="fltp", layout="mono"
        )
        frame.sample_rate = rate_hz
        size = stream.codec_context.frame_size or 1_024
        resampler = av.AudioResampler(stream.codec_context.format, "mono", rate_hz, frame_size=size)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            for packet in stream.encode(part):
                file.mux(packet)
        for packet in stream.encode(None):
            file.mux(packet)
    return path


@pytest.mark.parametrize(
    ("name", "codec", "rate_hz", "container"),
    [("a.m4a", "aac", 44_100, "mp4"), ("a.webm", "libopus", 48_000, "webm"), ("a.3gp", "aac", 16_000, "3gp")],
)
def test_formats_of_phones_are_read(tmp_path, name, codec, rate_hz, container):
    path = encode(tmp_path / name, codec, rate_hz, container)
    sound = audio.load(path, RATE)
    assert 0.5 <= len(sound.samples) / RATE < 0.65, "AAC adds a block before and after"
    assert abs(level_db(sound.samples[:8_000]) - -13.5) < 1
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r"cut off|unreadable"):
        audio.load(path, RATE)


def test_a_missing_decoder_is_named(tmp_path, monkeypatch):
    path = encode(tmp_path / "a.m4a", "aac", 44_100, "mp4")
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingPackageError, match=r"edgekws\[audio\]"):
        audio.load(path, RATE)


def test_mono_of_the_rate_is_what_the_strict_reader_gives(tmp_path):
    samples = np.random.default_rng(0).integers(-30_000, 30_000, 2_000).astype(np.int16)
    for number, kind in enumerate(LOSSLESS[:5]):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, samples if "PCM" in kind[1] else samples / 32_768, RATE, subtype=kind[1])
        assert np.array_equal(audio.read(path, RATE), wav.read(path, RATE))


@pytest.mark.parametrize(
    ("scale", "said"), [(32_768, audio.INTEGER_SCALE), (2**31, audio.INTEGER_SCALE), (9, audio.TOO_LOUD)]
)
def test_floats_beyond_full_scale_are_scaled_not_clipped(tmp_path, scale, said):
    soundfile.write(tmp_path / "a.wav", tone(RATE) * scale, RATE, subtype="DOUBLE")
    sound = audio.load(tmp_path / "a.wav", RATE)
    correlation = np.corrcoef(sound.samples, tone(RATE))[0, 1]
    assert sound.changed == (said,) and correlation > 0.9999


def test_channels_of_opposite_sign_do_not_cancel(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.stack([tone(RATE), -tone(RATE)], 1), RATE)
    sound = audio.load(tmp_path / "a.wav", RATE)
    assert sound.changed == (audio.CANCELLED,) and abs(level_db(sound.samples) - -13.5) < 1


def test_a_shorter_clip_is_centred_and_a_longer_one_cut():
    assert audio.fit(np.array([1, 2], np.int16), 6).tolist() == [0, 0, 1, 2, 0, 0]
    assert audio.fit(np.array([0, 0, 9, 9, 0], np.int16), 2).tolist() == [9, 9]
