"""Noise that needs no recordings: synthesized from a kind and a seed, the same at every call.

Colours of noise are white noise with its spectrum multiplied by a power of the frequency. The other kinds imitate what
a microphone hears in a room without speech: mains hum, a motor, taps and clicks, rain, babble that has the rhythm of
speech and no words in it, cries and barks of animals. Each clip has its own level: some are very quiet.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

VERSION = 1
"""Increment when the samples change: it is part of each clip's id."""
_FULL_SCALE = 32_767
_LEVELS_DB = (-60.0, -3.0)
"""The peak of a clip, relative to full scale."""

Kind = Callable[[np.random.Generator, int, int], np.ndarray]
"""(generator, samples, rate in Hz) -> float64 [samples] at any level."""


def make(kind: str, seed: int, samples: int, rate_hz: int) -> np.ndarray:
    """int16 [samples] of one kind of KINDS, at a level drawn between -60 and -3 dB of full scale."""
    rng = np.random.default_rng([VERSION, list(KINDS).index(kind), seed])
    sound = KINDS[kind](rng, samples, rate_hz)
    peak = _FULL_SCALE * 10 ** (rng.uniform(*_LEVELS_DB) / 20)
    return np.asarray(np.round(sound / max(float(np.abs(sound).max()), 1e-9) * peak), np.int16)


def track(seconds: int, rate_hz: int) -> np.ndarray:
    """int16 [m]: every kind in turn, two seconds each at a common level, for augmentation to mix into clips."""
    names = [name for name in KINDS if name != "digital silence"]
    count = -(-seconds // 2)
    pieces = [_piece(names[number % len(names)], number, 2 * rate_hz, rate_hz) for number in range(count)]
    return np.concatenate(pieces)[: seconds * rate_hz]


def _piece(kind: str, seed: int, samples: int, rate_hz: int) -> np.ndarray:
    """At a root mean square of -20 dB of full scale, where peaks allow it."""
    sound = KINDS[kind](np.random.default_rng([VERSION, seed]), samples, rate_hz)
    sound = sound / max(float(np.sqrt(np.mean(sound**2))), 1e-9) * 0.1
    return np.asarray(np.clip(sound, -1, 1) * _FULL_SCALE, np.int16)


def coloured(rng: np.random.Generator, samples: int, exponent: float) -> np.ndarray:
    """White noise whose amplitude falls as frequency ** -exponent: 0 white, 0.5 pink, 1 brown. float64 [samples]."""
    size = fast_length(samples)
    spectrum = np.fft.rfft(rng.normal(size=size))
    spectrum *= np.maximum(np.arange(len(spectrum)), 8.0) ** -exponent
    return np.asarray(np.fft.irfft(spectrum, size)[:samples])


def fast_length(samples: int) -> int:
    """The next length whose Fourier transform is fast: a prime number takes a hundred times as long."""
    step = max(1, 1 << max(0, int(samples).bit_length() - 4))
    return -(-samples // step) * step


def band(rng: np.random.Generator, samples: int, rate_hz: int, low_hz: float, high_hz: float) -> np.ndarray:
    """White noise between two frequencies. float64 [samples]."""
    size = fast_length(samples)
    spectrum = np.fft.rfft(rng.normal(size=size))
    frequencies = np.fft.rfftfreq(size, 1 / rate_hz)
    return np.asarray(np.fft.irfft(spectrum * ((frequencies > low_hz) & (frequencies < high_hz)), size)[:samples])


def _colour(exponent: float) -> Kind:
    return lambda rng, samples, _: coloured(rng, samples, exponent)


def _digital_silence(_rng: np.random.Generator, samples: int, _rate_hz: int) -> np.ndarray:
    return np.zeros(samples)


def _last_bit(rng: np.random.Generator, samples: int, _rate_hz: int) -> np.ndarray:
    """What a muted microphone gives: only the last bit or two."""
    return np.asarray(np.round(rng.normal(0, 0.7, samples)))


def _hum(rng: np.random.Generator, samples: int, rate_hz: int) -> np.ndarray:
    """Mains and its harmonics over a floor of noise."""
    time, mains_hz = np.arange(samples) / rate_hz, rng.choice([50.0, 60.0])
    tones = sum(
        rng.uniform(0.2, 1) / number * np.sin(2 * np.pi * mains_hz * number * time + rng.uniform(0, 7))
        for number in range(1, int(rng.integers(4, 24)))
    )
    return np.asarray(tones + rng.uniform(0.05, 0.6) * _unit(coloured(rng, samples, 0.5)))


def _motor(rng: np.random.Generator, samples: int, rate_hz: int) -> np.ndarray:
    """Pulses of noise at the rate of an engine or a rotor, which drifts."""
    time = np.arange(samples) / rate_hz
    phase = np.cumsum(rng.uniform(8, 120) * (1 + 0.2 * np.sin(2 * np.pi * rng.uniform(0.2, 2) * time))) / rate_hz
    pulses = np.abs(np.sin(np.pi * phase)) ** rng.uniform(1, 8)
    return np.asarray((0.2 + pulses) * coloured(rng, samples, rng.uniform(0.2, 1)))


def _clicks(rng: np.random.Generator, samples: int, rate_hz: int) -> np.ndarray:
    """Clicks, ticks and taps: decaying bursts at random or regular moments."""
    sound = 0.003 * rng.normal(size=samples)
    starts = rng.integers(0, samples, int(rng.integers(1, 24)))
    if rng.random() < 0.4:
        starts = np.arange(rng.integers(1, samples // 4), samples, rng.integers(samples // 12, samples // 2))
    decay, colour, level = rng.uniform(0.001, 0.05) * rate_hz, rng.uniform(0, 0.8), rng.uniform(0.3, 1, len(starts))
    for start, loud in zip(starts, level, strict=True):
        burst = _unit(coloured(rng, rate_hz // 4, colour)) * np.exp(-np.arange(rate_hz // 4) / decay)
        part = burst[: samples - start]
        sound[start : start + len(part)] += loud * part
    return sound


def _rain(rng: np.random.Generator, samples: int, _rate_hz: int) -> np.ndarray:
    """Many small drops, or the crackling of a fire, over hiss."""
    drops = rng.normal(size=samples) * (rng.random(samples) < rng.uniform(0.0005, 0.02))
    smooth = np.exp(-np.arange(64) / rng.uniform(2, 16))
    return np.asarray(
        _unit(np.convolve(drops, smooth, "same")) + rng.uniform(0.05, 1) * _unit(coloured(rng, samples, 0.3))
    )


def _waves(rng: np.random.Generator, samples: int, rate_hz: int) -> np.ndarray:
    """Noise that swells: wind, surf, breath, a passing car."""
    return coloured(rng, samples, rng.uniform(0, 1)) * (0.05 + _envelope(rng, samples, rate_hz, rng.uniform(0.5, 6)))


def _babble(rng: np.random.Generator, samples: int, rate_hz: int) -> np.ndarray:
    """The rhythm and the bands of many talkers, without words: some bands of noise, each with its own envelope."""
    edges = np.geomspace(100, 5_000, int(rng.integers(4, 9)))
    parts = [
        _unit(band(rng, samples, rate_hz, low, high)) * _envelope(rng, samples, rate_hz, rng.uniform(2, 8)) / low**0.5
        for low, high in pairwise(edges)
    ]
    return np.asarray(sum(parts))


def _cry(rng: np.random.Generator, samples: int, rate_hz: int) -> np.ndarray:
    """A voice without words: harmonics of a gliding pitch in short or long calls, as of animals, babies and horns."""
    time = np.arange(samples) / rate_hz
    glide = np.interp(time, np.linspace(0, time[-1], 5), rng.uniform(0.6, 1.5, 5))
    phase = 2 * np.pi * np.cumsum(np.geomspace(120, 1_800, 64)[rng.integers(64)] * glide) / rate_hz
    tilt = rng.uniform(0.3, 1.5)
    tones = sum(np.sin(number * phase + rng.uniform(0, 7)) / number**tilt for number in range(1, 12))
    rough = 1 + rng.uniform(0, 0.8) * _unit(band(rng, samples, rate_hz, 20, 120))
    calls = _envelope(rng, samples, rate_hz, rng.uniform(0.7, 6)) ** rng.uniform(0.5, 3)
    return np.asarray(tones * rough * calls + 0.02 * rng.normal(size=samples))


def _bark(rng: np.random.Generator, samples: int, rate_hz: int) -> np.ndarray:
    """One or more rough bursts with a resonance: barks, coughs, sneezes, knocks, dropped things."""
    sound = 0.005 * rng.normal(size=samples)
    low_hz = np.geomspace(150, 1_500, 64)[rng.integers(64)]
    for start in np.sort(rng.integers(0, samples * 3 // 4, int(rng.integers(1, 4)))):
        length = min(samples - start, int(rng.uniform(0.04, 0.4) * rate_hz))
        shape = np.exp(-4 * np.linspace(0, 1, length)) * np.minimum(1, np.arange(length) / (0.005 * rate_hz))
        rough = _unit(band(rng, length, rate_hz, low_hz, low_hz * rng.uniform(1.5, 6)))
        hiss = rng.uniform(0, 0.7) * _unit(rng.normal(size=length))
        sound[start : start + length] += shape * (rough + hiss)
    return sound


def _tones(rng: np.random.Generator, samples: int, rate_hz: int) -> np.ndarray:
    """Beeps and chords of devices, whole or in pieces."""
    time = np.arange(samples) / rate_hz
    chord = sum(np.sin(2 * np.pi * hz * time) for hz in rng.uniform(200, 3_800, int(rng.integers(1, 4))))
    gate = (np.sin(2 * np.pi * rng.uniform(0.3, 6) * time + rng.uniform(0, 7)) > rng.uniform(-1, 0.5)).astype(float)
    return np.asarray(chord * gate + rng.uniform(0.001, 0.2) * rng.normal(size=samples))


def _envelope(rng: np.random.Generator, samples: int, rate_hz: int, rate: float) -> np.ndarray:
    """A smooth curve in 0..1 that changes about `rate` times a second."""
    knots = max(4, int(samples / rate_hz * rate) + 3)
    return np.interp(np.arange(samples), np.linspace(0, samples, knots), rng.random(knots) ** 2)


def _unit(sound: np.ndarray) -> np.ndarray:
    return np.asarray(sound / max(float(np.sqrt(np.mean(sound**2))), 1e-9))


KINDS: dict[str, Kind] = {
    "digital silence": _digital_silence,
    "last bit": _last_bit,
    "white": _colour(0.0),
    "pink": _colour(0.5),
    "brown": _colour(1.0),
    "hum": _hum,
    "motor": _motor,
    "clicks": _clicks,
    "rain": _rain,
    "waves": _waves,
    "babble": _babble,
    "cry": _cry,
    "bark": _bark,
    "tones": _tones,
}
