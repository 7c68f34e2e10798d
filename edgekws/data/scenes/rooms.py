"""Rooms: impulse responses, recorded or drawn, that begin with the direct sound."""

from __future__ import annotations

import numpy as np

_LONGEST_S = 0.8
_RT60_S = (0.15, 0.7)
_DIRECT_DB = (-2.0, 12.0)
_GAP_MS = (1.0, 8.0)


def drawn(rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """A response float32 [n] of direct sound 1 and reverberation: noise that decays by 60 dB in 0.15 to 0.7 s.

    Polack's model of late reverberation (J.-D. Polack, doctoral thesis, Le Mans 1988), with a gap before it and a ratio
    of direct to reverberant energy of -2 to 12 dB.
    """
    rt60_s = rng.uniform(*_RT60_S)
    count = int(rate_hz * min(rt60_s, _LONGEST_S))
    decay = np.exp(-np.log(1000.0) * np.arange(count) / (rt60_s * rate_hz))
    tail = rng.standard_normal(count) * decay
    tail[: int(rng.uniform(*_GAP_MS) * rate_hz / 1000)] = 0
    return _with_direct(tail, rng.uniform(*_DIRECT_DB))


def varied(response: np.ndarray, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """A recorded response int16 or float [n] from its highest sample on, with another ratio of direct to reverberant
    energy and a shorter decay, float32 [m].
    """
    direct = int(np.abs(response.astype(np.float32)).argmax())
    tail = response[direct + 1 :][: int(_LONGEST_S * rate_hz)].astype(np.float64)
    tail = tail * np.exp(-np.arange(len(tail)) / rate_hz * rng.uniform(0, 8))
    return _with_direct(np.concatenate([[0.0], tail]), rng.uniform(*_DIRECT_DB))


def _with_direct(tail: np.ndarray, direct_db: float) -> np.ndarray:
    energy = float(np.square(tail).sum())
    response = tail * np.sqrt(10 ** (-direct_db / 10) / energy) if energy > 0 else tail.copy()
    response[0] = 1.0
    return response.astype(np.float32)


def heard_in(response: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """samples float32 [n] in the room, float32 [n]: what rings on after the end is cut off."""
    from scipy.signal import fftconvolve

    return np.asarray(fftconvolve(samples, response)[: len(samples)], np.float32)
