"""Blocks of any rate and number of channels -> int16 [n] of one channel at one rate; the same for any size of blocks.

Channels are averaged and rates converted by soxr (HQ), as edgekws.data.audio does it with a whole recording.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgekws.data import audio
from edgekws.errors import DataError

if TYPE_CHECKING:
    import soxr

_FULL_SCALE = 32_767
_CLIPPED_SHARE = 1e-5
"""Of the samples, pairs of neighbours at full scale beyond which a stream is called clipped: one in six seconds."""
_CANCELLED_SHARE = 0.01
_LOUDEST_FLOAT = 16.0
"""Floats beyond this were written in units of an integer format."""


class Conversion:
    """One stream. own_hz, rate_hz: of what is given and of what comes out."""

    def __init__(self, name: str, own_hz: int, rate_hz: int) -> None:
        self._name, self._own_hz, self._rate_hz = name, own_hz, rate_hz
        self._resampler: soxr.ResampleStream | None = None
        if own_hz != rate_hz:
            import soxr

            self._resampler = soxr.ResampleStream(own_hz, rate_hz, 1, dtype="float32", quality="HQ")
        self._samples = self._clipped = 0
        self._first_clipped = -1
        self._was_full = False
        self._energies = np.zeros(2)

    def push(self, block: np.ndarray) -> np.ndarray:
        """int16, or floats in +-1, [n, channels] -> int16 [m]. Raises DataError for NaN, infinity and wild floats."""
        if block.dtype.kind == "f":
            self._require_sound(block)
        self._count_clipped(block)
        mono = block[:, 0] if block.shape[1] == 1 else self._mixed(audio.as_floats(block))
        if self._resampler is not None:
            mono = self._resampler.resample_chunk(np.ascontiguousarray(audio.as_floats(mono), np.float32))
        return audio.int16(mono)

    def finish(self) -> np.ndarray:
        """int16 [m]: what the resampler still holds."""
        if self._resampler is None:
            return np.zeros(0, np.int16)
        return audio.int16(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))

    def faults(self) -> list[str]:
        """What a listener should know of the sound so far."""
        said = []
        if self._clipped > max(self._samples * _CLIPPED_SHARE, 1):
            at = self._first_clipped / self._own_hz
            said.append(f"clipped: {self._clipped:,} samples at full scale, the first at {at:.2f} s; turn it down")
        if self._energies[1] and self._energies[0] < _CANCELLED_SHARE * self._energies[1]:
            said.append("its channels cancel out, and nearly nothing is left of their mean: give one of them")
        return said

    def _require_sound(self, block: np.ndarray) -> None:
        if not np.isfinite(block).all():
            raise DataError(f"{self._name} should hold numbers", got="NaN or infinity")
        peak = float(np.abs(block).max(initial=0))
        if peak > _LOUDEST_FLOAT:
            hint = "scale its samples to -1..1"
            raise DataError(f"{self._name} should have float samples of -1 to 1", got=f"{peak:.3g}", hint=hint)

    def _count_clipped(self, block: np.ndarray) -> None:
        """Samples at full scale whose neighbour is there too: one alone may be a peak."""
        limit = _FULL_SCALE if block.dtype == np.int16 else _FULL_SCALE / 32_768
        full = np.asarray((block >= limit).any(axis=1) | (block <= -limit).any(axis=1))
        if not len(full):
            return
        pairs = np.flatnonzero(full & np.concatenate([[self._was_full], full[:-1]]))
        if len(pairs) and self._first_clipped < 0:
            self._first_clipped = self._samples + int(pairs[0])
        self._clipped += len(pairs)
        self._samples += len(block)
        self._was_full = bool(full[-1])

    def _mixed(self, scaled: np.ndarray) -> np.ndarray:
        mean = scaled.mean(axis=1)
        self._energies += (np.square(mean).sum(), np.square(scaled).sum() / scaled.shape[1])
        return np.asarray(mean)
