"""Every kind of .wav file that programs write, and every kind of damage."""

import struct

import numpy as np
import pytest
import soundfile

from edgekws.curate.embed import audio
from edgekws.data import decoding, listing, truncation, wav
from edgekws.errors import DataError

RATE = 16_000
SAMPLES = np.random.default_rng(0).integers(-30_000, 30_000, 2_000).astype(np.int16)


def chunk(name, content):
    return struct.pack("<4sI", name, len(content)) + content + b"\0" * (len(content) % 2)


def riff(*chunks):
    body = b"WAVE" + b"".join(chunks)
    return struct.pack("<4sI", b"RIFF", len(body)) + body


FORMAT = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16))
DATA = chunk(b"data", SAMPLES.tobytes())


def read(tmp_path, content):
    (tmp_path / "a.wav").write_bytes(content)
    return wav.read(tmp_path / "a.wav", RATE)


@pytest.mark.parametrize(
    ("kind", "most"),
    [
        ({"subtype": "PCM_16"}, 0),
        ({"subtype": "PCM_24"}, 0),
        ({"subtype": "PCM_32"}, 0),
        ({"subtype": "FLOAT"}, 0),
        ({"subtype": "DOUBLE"}, 0),
        ({"subtype": "PCM_16", "format": "WAVEX"}, 0),
        ({"subtype": "FLOAT", "format": "WAVEX"}, 0),
        ({"subtype": "PCM_16", "format": "RF64"}, 0),
        ({"subtype": "PCM_16", "endian": "BIG"}, 0),
        ({"subtype": "PCM_U8"}, 256),
        ({"subtype": "ULAW"}, 1_024),
    ],
)
def test_samples_are_those_that_were_written(tmp_path, kind, most):
    """A float file, read as integers by libsndfile, would be silence."""
    given = SAMPLES / 32_768 if kind["subtype"] in ("FLOAT", "DOUBLE") else SAMPLES
    soundfile.write(tmp_path / "a.wav", given, RATE, **{"format": "WAV", **kind})
    read_back = wav.read(tmp_path / "a.wav", RATE)
    assert read_back.dtype == np.int16 and np.abs(read_back.astype(int) - SAMPLES).max() <= most
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(content[:1_000])
    with pytest.raises(DataError, match="it is cut off"):
        wav.read(tmp_path / "a.wav", RATE)


def test_floats_beyond_full_scale_are_clipped_and_nan_is_refused(tmp_path):
    for samples, expected in ((np.float32([2, -2, 0.5]), [32_767, -32_768, 16_384]), (np.float32([0, np.nan]), None)):
        soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
        if expected:
            assert wav.read(tmp_path / "a.wav", RATE).tolist() == expected
            continue
        with pytest.raises(DataError, match="NaN or infinity"):
            wav.read(tmp_path / "a.wav", RATE)


@pytest.mark.parametrize("size", [3, 26, 70_001])
def test_other_chunks_before_the_samples_are_skipped(tmp_path, size):
    """Odd sizes, which are padded, and sizes beyond the first read."""
    listed = chunk(b"LIST", b"INFO" + bytes(size))
    assert (read(tmp_path, riff(FORMAT, listed, DATA)) == SAMPLES).all()
    assert (read(tmp_path, riff(FORMAT, DATA, listed)) == SAMPLES).all()
    with pytest.raises(DataError, match="it is cut off"):
        read(tmp_path, riff(FORMAT, listed, DATA)[:-1_000])


@pytest.mark.parametrize(
    ("kind", "container"),
    [("GSM610", "WAV"), ("MS_ADPCM", "WAV"), ("IMA_ADPCM", "WAV"), ("NMS_ADPCM_32", "WAV"), ("G721_32", "AU")],
)
def test_coded_sound_is_read_where_it_cannot_be_seeked(tmp_path, kind, container):
    path, tone = tmp_path / "a.wav", np.sin(np.arange(3_200) / 10).astype(np.float32) / 2
    soundfile.write(path, tone, RATE, subtype=kind, format=container)
    samples = wav.read(path, RATE)
    assert np.corrcoef(samples[:3_200], tone[: len(samples)])[0, 1] > 0.95
    assert (samples.astype(np.float32) / 32_768 == audio.read(path)[0]).all()


def test_a_header_that_claims_more_than_there_can_be(tmp_path):
    """FLAC has the number of samples in 36 bits: 64 GiB would be asked for."""
    path = tmp_path / "a.wav"
    soundfile.write(path, SAMPLES, RATE, format="FLAC")
    content = bytearray(path.read_bytes())
    content[21] |= 0x0F
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.wav should have at most 268,435,456 samples. Got: 64,424,511,440"):
        wav.read(path, RATE)


def test_a_file_that_is_shorter_than_its_header_says_is_refused(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.tile(SAMPLES, 10), RATE, format="MP3")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"a\.wav should be complete. Got: \d+ of 20000 samples"):
        wav.read(path, RATE)


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0x7FFFFF00, 0x80000000, 0xFFFFFFFF])
def test_sizes_of_programs_that_write_to_a_pipe(tmp_path, size):
    sound = struct.pack("<4sI", b"data", size) + SAMPLES.tobytes()
    (tmp_path / "a.wav").write_bytes(riff(FORMAT, sound))
    truncation.require(tmp_path / "a.wav")
    if size:
        assert (wav.read(tmp_path / "a.wav", RATE) == SAMPLES).all()


@pytest.mark.parametrize("content", [b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"\0" * 99, riff(FORMAT), riff(DATA)])
def test_what_is_not_a_recording_is_refused(tmp_path, content):
    with pytest.raises(DataError, match=r"a\.wav should be a"):
        read(tmp_path, content)


def test_an_odd_number_of_bytes_loses_the_last(tmp_path):
    content = riff(FORMAT, chunk(b"data", SAMPLES.tobytes() + b"\x01"))
    assert (read(tmp_path, content) == SAMPLES).all()


def test_ten_minutes_become_the_loudest_second(tmp_path):
    long = np.zeros(600 * RATE, np.int16)
    long[300 * RATE : 300 * RATE + 2_000] = SAMPLES
    (tmp_path / "no").mkdir()
    soundfile.write(tmp_path / "no" / "long.wav", long, RATE)
    item = listing.recording(tmp_path / "no" / "long.wav", "no", tmp_path)
    clip = decoding.decode(item, RATE, RATE)
    assert clip.shape == (RATE,) and np.abs(clip.astype(int)).sum() == np.abs(SAMPLES.astype(int)).sum()
