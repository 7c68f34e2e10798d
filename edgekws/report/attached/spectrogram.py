"""The picture of a recording: its log-mel spectrogram as a bitmap, whose bytes depend on no library for pictures."""

from __future__ import annotations

import struct

import numpy as np

from edgekws.features.mfcc import mel_weights
from edgekws.features.spec import FeatureSpec
from edgekws.report.attached import ShownClip

BANDS, WINDOW_S, HOP_S = 48, 0.025, 0.01
RANGE_DB = 60.0
"""What lies further below the loudest place is as dark as silence."""
_MOST_COLUMNS = 300
_STOPS = ((0, (13, 17, 40)), (96, (71, 60, 150)), (160, (200, 80, 110)), (224, (250, 170, 60)), (255, (255, 245, 180)))
"""Brightness -> red, green, blue; between them the colours are interpolated."""


def bitmap(clip: ShownClip) -> bytes:
    """A BMP file with 256 colours: time to the right, mel bands from 20 Hz at the bottom to half the rate."""
    levels = log_mel(clip)
    height, width = levels.shape
    row = -(-width // 4) * 4  # rows are whole words
    padded = np.zeros((height, row), np.uint8)
    padded[:, :width] = levels
    start = 14 + 40 + 4 * 256
    head = struct.pack("<2sIHHI", b"BM", start + padded.size, 0, 0, start)
    about = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 0, padded.size, 2835, 2835, 256, 0)
    return head + about + _palette() + padded.tobytes()  # the lowest band first, as the format has its rows


def log_mel(clip: ShownClip) -> np.ndarray:
    """uint8 [BANDS, frames]: mel energy in dB below its maximum, 255 is the loudest."""
    window, hop = round(WINDOW_S * clip.rate_hz), max(1, round(HOP_S * clip.rate_hz))
    samples = np.pad(clip.samples.astype(np.float64), (0, max(0, window - len(clip.samples))))
    hop = max(hop, -(-(len(samples) - window) // _MOST_COLUMNS))
    frames = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop]
    fft = 1 << (window - 1).bit_length()
    power = np.abs(np.fft.rfft(frames * np.hanning(window), fft)) ** 2
    spec = FeatureSpec(rate_hz=clip.rate_hz, fft_samples=fft, mel_bands=BANDS, high_hz=clip.rate_hz / 2)
    level_db = 10 * np.log10(power @ mel_weights(spec) + 1.0)
    relative = np.clip(1 + (level_db - level_db.max()) / RANGE_DB, 0, 1)
    return np.asarray(np.rint(255 * relative.T), np.uint8)


def _palette() -> bytes:
    places = [place for place, _ in _STOPS]
    channels = [np.interp(np.arange(256), places, [colour[at] for _, colour in _STOPS]) for at in (2, 1, 0)]
    return np.stack([*channels, np.zeros(256)], axis=1).astype(np.uint8).tobytes()
