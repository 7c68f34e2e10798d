"""pytest-benchmark: what a second of sound costs on this computer, from the waveform to events, and its parts.

    python -m pytest benchmarks/test_detect.py

Each figure is the time for a second of sound, heard in blocks of 100 ms, as a live stream comes.
"""

from __future__ import annotations

import numpy as np
import pytest

from edgekws.detect import runs
from edgekws.detect.detector import Detector
from edgekws.detect.listener import Listener
from edgekws.detect.settings import Settings
from firmware_io.build import host_cc
from firmware_io.build.host_detector import CDetector
from tests.detect import models

KEYWORDS = models.LABELS[2:]
CHOSEN = Settings(KEYWORDS, (900,) * len(KEYWORDS), 8, 20)
STEPS = 25
"""Of 40 ms, in a second."""


def posteriors(steps):
    return np.random.default_rng(0).integers(0, 1001, (steps, len(KEYWORDS)))


@pytest.mark.parametrize("engine", ["c", "interp"])
def test_a_second_from_waveform_to_events(benchmark, engine):
    if engine == "c" and not host_cc.has_compiler():
        pytest.skip("there is no C compiler")
    listener, second = Listener(models.streamable(), CHOSEN, engine), models.sound(1)
    benchmark(lambda: [listener.push(second[at : at + 1_600]) for at in range(0, 16_000, 1_600)])


def test_a_second_of_the_detector(benchmark):
    detector, second = Detector(CHOSEN), posteriors(STEPS)
    benchmark(lambda: detector.push(second))


@pytest.mark.skipif(not host_cc.has_compiler(), reason="there is no C compiler")
def test_a_second_of_the_detector_in_c(benchmark):
    detector, second = CDetector(CHOSEN, None), posteriors(STEPS)
    benchmark(lambda: detector.push(second))


def test_the_events_of_an_hour_at_once(benchmark):
    """What each point of a DET curve costs."""
    smoothed = runs.sums(posteriors(3_600 * STEPS), CHOSEN.smoothing_steps)
    benchmark(lambda: runs.events(smoothed, CHOSEN))
