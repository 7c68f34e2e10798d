"""Recordings as phones and messengers leave them: other rates, channels, codecs and levels of the same sound."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Coding:
    """container: the file's ending; codec: as FFmpeg calls it; sample_format, rate_hz, channels, bit_rate: of it."""

    container: str
    codec: str
    sample_format: str
    rate_hz: int
    channels: int = 1
    bit_rate: int = 0


CODINGS = (
    Coding("m4a", "aac", "fltp", 44_100, 1, 64_000),  # voice memos
    Coding("m4a", "aac", "fltp", 44_100, 2, 128_000),
    Coding("webm", "libopus", "flt", 48_000, 1, 32_000),  # recorded in a browser
    Coding("ogg", "libopus", "flt", 48_000, 1, 16_000),  # voice messages
    Coding("mp3", "libmp3lame", "fltp", 44_100, 1, 64_000),
    Coding("3gp", "libopencore_amrnb", "s16", 8_000, 1, 12_200),  # old phones
    Coding("amr", "libopencore_amrnb", "s16", 8_000, 1, 7_950),
    Coding("wav", "pcm_s16le", "s16", 44_100, 2),
    Coding("wav", "pcm_f32le", "flt", 48_000, 1),
    Coding("flac", "flac", "s16", 48_000, 1),
)


def encode(path: Path, samples: np.ndarray, rate_hz: int, coding: Coding) -> None:
    """Write int16 [n] of `rate_hz` to `path` as `coding`. The path's ending is the container's."""
    import av
    import soxr

    sound = soxr.resample(samples.astype(np.float32) / 32_768, rate_hz, coding.rate_hz, "HQ")
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as file:
        stream = file.add_stream(coding.codec, rate=coding.rate_hz)
        stream.layout = "stereo" if coding.channels == 2 else "mono"
        stream.format = coding.sample_format
        if coding.bit_rate:
            stream.bit_rate = coding.bit_rate
        for packet in _packets(stream, sound, coding):
            file.mux(packet)


def _packets(stream, sound, coding):  # type: ignore[no-untyped-def]  # av's types differ between its versions
    import av

    layout = "stereo" if coding.channels == 2 else "mono"
    frame = av.AudioFrame.from_ndarray(np.tile(sound, (coding.channels, 1)).astype(np.float32), "fltp", layout)
    frame.sample_rate, frame.time_base, frame.pts = coding.rate_hz, Fraction(1, coding.rate_hz), 0
    size = stream.codec_context.frame_size or 1024
    converter = av.AudioResampler(coding.sample_format, layout, coding.rate_hz, frame_size=size)
    for part in [*converter.resample(frame), *converter.resample(None)]:
        yield from stream.encode(part)
    yield from stream.encode(None)
