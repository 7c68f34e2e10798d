"""Streams of invented posteriors: background with random peaks, and words with a peak after their end."""

from __future__ import annotations

import numpy as np

from edgekws.detect.clock import Clock
from edgekws.detect.evaluation.streams import Heard, Piece, Word

CLOCK = Clock(480 + 320, 640, 16_000)
"""A step of 40 ms."""
KEYWORDS = ("yes", "no", "up")


def background(hours: float, seed: int, rate: float = 30.0, synthetic: bool = False) -> Heard:
    """Peaks of three steps at `rate` an hour and word, whose log odds have an exponential tail."""
    rng = np.random.default_rng(seed)
    steps = int(hours * 3600 / 0.04)
    posteriors = np.zeros((steps, len(KEYWORDS)), np.int16)
    for number in range(len(KEYWORDS)):
        for at in rng.integers(0, steps - 3, rng.poisson(rate * hours)):
            odds = rng.exponential(1.0) - 2
            posteriors[at : at + 3, number] = round(1000 / (1 + np.exp(-odds)))
    samples = CLOCK.samples(steps - 1)
    pieces = (Piece(0, "a.wav"), Piece(samples // 2, "b.wav"))
    return Heard(f"background{seed}", posteriors, samples, CLOCK, (), pieces, synthetic)


def scene(count: int, seed: int, level: float = 3.0, speakers: int = 12, late: int = 3) -> Heard:
    """A word every two seconds, heard `late` steps after its end with a log odds around `level`."""
    rng = np.random.default_rng(seed)
    posteriors, words = np.zeros((50 * (count + 1), len(KEYWORDS)), np.int16), []
    for number in range(count):
        keyword, end = number % len(KEYWORDS), 50 * number + 30
        odds = rng.normal(level, 1.5)
        posteriors[end + late : end + late + 4, keyword] = round(1000 / (1 + np.exp(-odds)))
        snr = (None, 20.0, 10.0)[number // 3 % 3]
        words.append(
            Word(
                keyword,
                CLOCK.samples(end) - 8_000,
                CLOCK.samples(end),
                f"s{number % speakers}",
                f"{number}.wav",
                snr,
                ("", "hall")[number % 2],
            )
        )
    return Heard(f"scene{seed}", posteriors, CLOCK.samples(len(posteriors) - 1), CLOCK, tuple(words))
