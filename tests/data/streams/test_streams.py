"""Sound of any length and format in blocks: the same samples as of the whole recording, and its faults said."""

from __future__ import annotations

import struct
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgekws.data import audio, containers
from edgekws.data.streams import files, pipes
from edgekws.data.streams.conversion import Conversion
from edgekws.data.streams.source import Source, of_samples
from edgekws.errors import DataError

RATE = 16_000


def tone(seconds: float, rate: int = RATE, channels: int = 1, seed: int = 0) -> np.ndarray:
    """int16 [n, channels] of noise."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(int(seconds * rate), channels)) * 3000).astype(np.int16)


def write(path: Path, samples: np.ndarray, rate: int, subtype: str) -> None:
    """soundfile writes integers into a float file without scaling them."""
    soundfile.write(path, samples / 32_768 if subtype in ("FLOAT", "DOUBLE") else samples, rate, subtype=subtype)


def heard(source: Source) -> np.ndarray:
    return np.concatenate(list(source))


@pytest.mark.parametrize(("rate", "channels"), [(RATE, 1), (44_100, 1), (44_100, 2), (8_000, 1), (RATE, 2)])
@pytest.mark.parametrize("kind", [("wav", "PCM_16"), ("wav", "FLOAT"), ("flac", "PCM_24")])
def test_a_file_in_blocks_has_the_samples_of_the_whole(
    tmp_path: Path, rate: int, channels: int, kind: tuple[str, str]
) -> None:
    path = tmp_path / f"x.{kind[0]}"
    write(path, tone(1.7, rate, channels), rate, kind[1])
    source = files.opened(path, RATE)
    assert (heard(source) == audio.read(path, RATE)).all()
    assert (source.faults, source.own_rate_hz, source.channels) == ([], rate, channels)
    assert len(source.changes) == (rate != RATE) + (channels > 1)


def test_a_truncated_file_is_heard_to_its_end_and_said(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, tone(1), RATE)
    path.write_bytes(path.read_bytes()[:20_000])
    source = files.opened(path, RATE)
    assert len(heard(source)) == (20_000 - 44) // 2
    assert source.faults == [files.CUT_OFF]


def test_an_mp3_that_is_cut_off_is_said(tmp_path: Path) -> None:
    """It has no sizes, but its first frame declares how many there are."""
    path = tmp_path / "x.mp3"
    soundfile.write(path, tone(4), RATE)
    assert not heard_faults(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert heard_faults(path) == [files.CUT_OFF]


def mp3_of_unknown_length(path: Path) -> int:
    """Quiet, then loud: the bit rate rises. The frame that has the number of frames is removed. -> samples"""
    samples = np.concatenate([tone(3) // 1000, tone(3)])
    soundfile.write(path, samples, RATE, format="MP3", bitrate_mode="VARIABLE", compression_level=0.2)
    content = path.read_bytes()
    frame = max(content.find(name) for name in (b"Xing", b"Info"))
    path.write_bytes(content[content.index(content[:2], frame) :])
    return len(samples)


def test_an_mp3_that_does_not_say_its_length_is_heard_to_its_end(tmp_path: Path) -> None:
    pytest.importorskip("av")
    path = tmp_path / "x.mp3"
    count = mp3_of_unknown_length(path)
    assert soundfile.info(path).frames < 0.9 * count
    source = files.opened(path, RATE)
    assert count <= len(heard(source)) < count + 4000
    assert source.faults == []
    assert count <= len(audio.read(path, RATE)) < count + 4000
    assert audio.length(path, RATE) is None


def test_without_the_decoder_its_end_is_said_to_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.mp3"
    mp3_of_unknown_length(path)
    monkeypatch.setitem(sys.modules, "av", None)
    assert heard_faults(path) == [containers.GUESSED]
    assert containers.GUESSED in audio.load(path, RATE).changed


def heard_faults(path: Path) -> list[str]:
    source = files.opened(path, RATE)
    heard(source)
    return source.faults


def test_a_file_that_needs_another_decoder_is_a_stream_too(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "x.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44_100, layout="stereo")
        frame = av.AudioFrame.from_ndarray(tone(2, 44_100, 2).reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate = 44_100
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    source = files.opened(path, RATE)
    whole = audio.read(path, RATE)
    assert np.abs(heard(source).astype(int) - whole).max() <= 1
    assert source.faults == []


@pytest.mark.parametrize("content", [b"", b"not a recording at all"])
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(DataError):
        files.opened(tmp_path / "x.wav", RATE)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_a_wav_in_a_pipe_has_the_samples_of_the_file(tmp_path: Path, subtype: str) -> None:
    path = tmp_path / "x.wav"
    write(path, tone(0.9, 44_100, 2), 44_100, subtype)
    source = pipes.opened(BytesIO(path.read_bytes()), RATE)
    assert (heard(source) == heard(files.opened(path, RATE))).all()
    assert source.faults == []


def test_a_wav_of_unknown_length_lasts_to_the_end_of_the_pipe() -> None:
    samples = tone(0.3)[:, 0]
    head = b"RIFF\xff\xff\xff\xffWAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    source = pipes.opened(BytesIO(head + b"data\xff\xff\xff\xff" + samples.tobytes()), RATE)
    assert (heard(source) == samples).all()
    assert source.total is None


def test_a_pipe_that_stops_in_a_sample_says_so() -> None:
    samples = tone(0.3)[:, 0]
    source = pipes.opened(BytesIO(samples.tobytes()[:-1]), RATE, RATE)
    assert (heard(source) == samples[:-1]).all()
    assert source.faults == ["it stopped in the middle of a sample"]


def test_another_file_in_a_pipe_is_stored_first(tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    soundfile.write(path, tone(0.5), RATE)
    assert (heard(pipes.opened(BytesIO(path.read_bytes()), RATE)) == audio.read(path, RATE)).all()


@pytest.mark.parametrize("content", [b"", b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0WAVEfmt \x02\0\0\0ab"])
def test_a_pipe_without_a_recording_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match="standard input"):
        pipes.opened(BytesIO(content), RATE)


def test_clipping_is_said_once_with_its_place() -> None:
    samples = tone(2)[:, 0]
    samples[RATE : RATE + 40] = 32_767
    source = of_samples(samples, RATE, "x")
    heard(source)
    assert source.faults == ["clipped: 39 samples at full scale, the first at 1.00 s; turn it down"]


def test_channels_that_cancel_out_are_said() -> None:
    conversion, samples = Conversion("x", RATE, RATE), tone(1)
    conversion.push(np.concatenate([samples, -samples], axis=1))
    assert ["cancel out" in fault for fault in conversion.faults()] == [True]


@pytest.mark.parametrize("value", [np.nan, np.inf, 30_000.0])
def test_floats_that_are_no_sound_are_refused(value: float) -> None:
    with pytest.raises(DataError, match="should h"):
        Conversion("x", RATE, RATE).push(np.full((10, 1), value))
