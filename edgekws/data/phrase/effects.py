"""What makes one recording into many: other vocal tracts and tempos, rooms, microphones. float32 in, float32 out."""

from __future__ import annotations

import numpy as np

from edgekws.data.reject import noise

_PART_S, _MARGIN_S = 0.01, 0.03
_FLOOR_DB = -33.0


def trimmed(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    """[n] -> [m]: without what comes before and after the sound, but for 30 ms on each side."""
    first, last = active(samples, rate_hz)
    margin = int(_MARGIN_S * rate_hz)
    return samples[max(0, first - margin) : last + margin]


def active(samples: np.ndarray, rate_hz: int) -> tuple[int, int]:
    """First and last sample of the sound: where 10 ms parts are within 33 dB of the loudest one, clicks aside."""
    part = int(_PART_S * rate_hz)
    count = len(samples) // part
    if count < 3:
        return 0, len(samples)
    power = np.square(samples[: count * part].astype(np.float64)).reshape(count, part).mean(axis=1)
    smooth = np.convolve(power, np.ones(3) / 3, "same")
    floor = np.percentile(smooth, 10) * 4 if count > 20 else 0.0
    loud = np.flatnonzero(smooth >= max(smooth.max() * 10 ** (_FLOOR_DB / 10), min(floor, smooth.max() / 30)))
    return int(loud[0]) * part, (int(loud[-1]) + 1) * part


def resampled(samples: np.ndarray, factor: float) -> np.ndarray:
    """Played `factor` times as fast: pitch and formants rise with it. Linear interpolation."""
    positions = np.arange(0, len(samples) - 1, factor)
    return np.asarray(np.interp(positions, np.arange(len(samples)), samples), np.float32)


def stretched(samples: np.ndarray, factor: float, rate_hz: int) -> np.ndarray:
    """`factor` times as long at the same pitch: WSOLA (Verhelst and Roelands, ICASSP 1993) with windows of 30 ms."""
    half = int(0.015 * rate_hz)
    search = half // 2
    if len(samples) < 6 * half or abs(factor - 1) < 0.01:
        return samples
    window = np.hanning(2 * half).astype(np.float32)
    count = int(len(samples) * factor) // half
    padded = np.pad(samples, (search, 4 * half + search)).astype(np.float32)
    result, at = np.zeros((count + 2) * half, np.float32), search
    for number in range(count):
        result[number * half : (number + 2) * half] += window * padded[at : at + 2 * half]
        ideal = int((number + 1) * half / factor) + search
        follows = padded[at + half : at + 2 * half]
        low = max(0, min(ideal - search, len(padded) - 3 * half - 2 * search))
        lags = np.correlate(padded[low : low + half + 2 * search], follows, "valid")
        at = low + int(np.argmax(lags))
    return result[: count * half]


def spoken_otherwise(
    samples: np.ndarray, rate_hz: int, rng: np.random.Generator, tract: float, tempo: float
) -> np.ndarray:
    """By another vocal tract, up to `tract` longer or shorter (a share), and up to `tempo` faster or slower."""
    factor, speed = 1 + rng.uniform(-tract, tract), 1 + rng.uniform(-tempo, tempo)
    return stretched(resampled(samples, factor), factor / speed, rate_hz)


def in_a_room(samples: np.ndarray, rate_hz: int, rng: np.random.Generator, reverberant: bool) -> np.ndarray:
    """A room's tail (where `reverberant`) and a microphone's frequency response. [n] -> [n]."""
    tail = _tail(rate_hz, rng) if reverberant else np.ones(1)
    return filtered(samples, tail, rate_hz, rng)


def filtered(samples: np.ndarray, tail: np.ndarray, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """`samples` in the room of the impulse response `tail`, by a microphone with a response drawn at random."""
    size = noise.fast_length(len(samples) + len(tail))
    spectrum = np.fft.rfft(samples, size) * np.fft.rfft(tail, size)
    hz = np.fft.rfftfreq(size, 1 / rate_hz)
    gains_db = np.interp(np.log2(hz + 60), np.linspace(6, 13, 7), rng.normal(0, 3.5, 7))
    return np.fft.irfft(spectrum * 10 ** (gains_db / 20), size)[: len(samples)].astype(np.float32)


def _tail(rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """The direct sound, then noise that decays exponentially: 60 dB in 0.1 to 0.8 s."""
    reverberation_s = rng.uniform(0.1, 0.8)
    time = np.arange(int(0.7 * reverberation_s * rate_hz)) / rate_hz
    late = rng.normal(size=len(time)) * np.exp(-6.9 * time / reverberation_s)
    late *= rng.uniform(0.1, 0.9) / np.sqrt(np.sum(late**2))
    late[: int(0.002 * rate_hz)] *= 0.2
    late[0] += 1
    return np.asarray(late)


def scrambled(samples: np.ndarray, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """The sounds of a clip in another order, or backwards: its voice and its room without its words."""
    if rng.random() < 0.3:
        return samples[::-1]
    pieces = np.array_split(samples, int(rng.integers(3, 6)))
    order = rng.permutation(len(pieces))
    if (np.diff(order) > 0).all():
        order = order[::-1]
    ramp = np.minimum(1, np.arange(1, len(pieces[0]) + 1) / (0.005 * rate_hz))
    shaped = [pieces[at] * ramp[: len(pieces[at])] * ramp[: len(pieces[at])][::-1] for at in order if len(pieces[at])]
    return np.concatenate(shaped).astype(np.float32) if all(map(len, shaped)) else samples[::-1]


def cut(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The beginning or the end of a clip: 30 to 60 % of it."""
    length = int(len(samples) * rng.uniform(0.3, 0.6))
    return samples[:length] if rng.random() < 0.5 else samples[-length:]
