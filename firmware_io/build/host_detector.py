"""The C of the detector, kernels/detector.h, compiled for this computer and called from Python."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np

from edgekws.detect.detector import BINS, Event
from edgekws.detect.settings import MOST_SMOOTHING_STEPS, Settings
from firmware_io.build import host_cc

_SOURCE = """
#include "kernels/detector.h"
int32_t ekw_host_size(void);
int32_t ekw_host_push(ekw_detector *detector, const uint16_t *posteriors, int32_t count, ekw_detector_event *events);
void ekw_host_start(ekw_detector *detector);
void ekw_host_smooth(ekw_detector *detector, uint16_t steps);
int32_t ekw_host_size(void) { return (int32_t)sizeof(ekw_detector); }
void ekw_host_start(ekw_detector *detector) { ekw_detector_start(detector); }
void ekw_host_smooth(ekw_detector *detector, uint16_t steps) { ekw_detector_smooth(detector, steps); }
int32_t ekw_host_push(ekw_detector *detector, const uint16_t *posteriors, int32_t count, ekw_detector_event *events) {
    int32_t number = 0;
    for (int32_t i = 0; i < count; i++, posteriors += EKW_DETECTOR_KEYWORDS) {
        number += ekw_detector_step(detector, posteriors, events + number);
    }
    return number;
}
"""


def _structure(keywords: int) -> type[ctypes.Structure]:
    """ekw_detector of detector.h."""

    class Detector(ctypes.Structure):
        _fields_ = (
            ("thresholds", ctypes.c_uint16 * keywords),
            ("smoothing_steps", ctypes.c_uint16),
            ("refractory_steps", ctypes.c_uint16),
            ("slot", ctypes.c_uint16),
            ("rest", ctypes.c_uint16),
            ("steps", ctypes.c_uint32),
            ("sums", ctypes.c_int32 * keywords),
            ("armed", ctypes.c_bool * keywords),
            ("recent", (ctypes.c_uint16 * keywords) * MOST_SMOOTHING_STEPS),
            ("histogram", (ctypes.c_uint32 * BINS) * keywords),
        )

    return Detector


class CDetector:
    """Detector of edgekws.detect.detector in C: the same events, of one stream."""

    def __init__(self, settings: Settings, folder: Path | None, options: host_cc.Options = host_cc.PORTABLE) -> None:
        """folder: cache of libraries, None for none. Raises BoardError without a compiler."""
        count = len(settings.keywords)
        source = f"#define EKW_DETECTOR_KEYWORDS {count}\n{_SOURCE}"
        self.settings = settings
        self._library = host_cc.library({"detector.c": source.encode()}, folder, options)
        self._state = _structure(count)()
        if self._library.ekw_host_size() != ctypes.sizeof(self._state):
            raise AssertionError("the structure of detector.h and its mirror here should have one size")
        self.change(settings)
        self._library.ekw_host_start(ctypes.byref(self._state))

    def change(self, settings: Settings) -> None:
        """Other thresholds and another refractory time from the next step on; a new smoothing starts from nothing."""
        state = self._state
        state.thresholds[:] = settings.thresholds_permille
        state.refractory_steps = settings.refractory_steps
        if settings.smoothing_steps != state.smoothing_steps:
            self._library.ekw_host_smooth(ctypes.byref(state), ctypes.c_uint16(settings.smoothing_steps))
        self.settings = settings

    @property
    def histogram(self) -> np.ndarray:
        """int64 [keywords, BINS], the posteriors of all steps so far."""
        return np.array(self._state.histogram, np.int64).reshape(-1, BINS)

    def push(self, posteriors: np.ndarray) -> list[Event]:
        """posteriors: int [steps, keywords], 0..1000."""
        rows = np.ascontiguousarray(posteriors, np.uint16)
        events = np.zeros((len(rows) + 1, 3), np.int32)
        pointers = (ctypes.c_void_p(rows.ctypes.data), len(rows), ctypes.c_void_p(events.ctypes.data))
        count = self._library.ekw_host_push(ctypes.byref(self._state), *pointers)
        return [Event(keyword, step, score) for keyword, step, score in events[:count].tolist()]
