"""The C of a streamed model, compiled for this computer and called from Python: the same integers as on boards."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgekws.errors import ArtifactError
from edgekws.graph.executor import checked_features
from firmware_io.build import host_cc

STREAM_FILES = ("model.h", "model_stream.h", "model_stream.c")
_SOURCE = "model_stream_source.h"
"""model_stream.c as the host program includes it, to reach what it keeps between steps."""
_HOST = b"""
#include "model_stream_source.h"
void ekw_host_start(int32_t *numbers, uint8_t *kept);
int32_t ekw_host_push(int32_t *numbers, uint8_t *kept, const int8_t *rows, int32_t count, int8_t *scores);
extern const int32_t ekw_about[5];
const int32_t ekw_about[5] = {EKW_STREAM_ROW_BYTES, EKW_STREAM_STEP_ROWS, EKW_STREAM_FIRST_ROWS,
                              EKW_STREAM_STATE_BYTES, EKW_MODEL_LABELS};
static void keep(int32_t *numbers, uint8_t *kept) {
    numbers[0] = steps;
    numbers[1] = waiting;
    __builtin_memcpy(kept, state, EKW_STREAM_STATE_BYTES);
}
void ekw_host_start(int32_t *numbers, uint8_t *kept) {
    ekw_stream_reset();
    keep(numbers, kept);
}
int32_t ekw_host_push(int32_t *numbers, uint8_t *kept, const int8_t *rows, int32_t count, int8_t *scores) {
    int32_t given = 0;
    steps = numbers[0];
    waiting = numbers[1];
    is_begun = true;
    __builtin_memcpy(state, kept, EKW_STREAM_STATE_BYTES);
    for (int32_t i = 0; i < count; i++, rows += EKW_STREAM_ROW_BYTES) {
        if (ekw_stream_row(rows, scores)) {
            given++;
            scores += EKW_MODEL_LABELS;
        }
    }
    keep(numbers, kept);
    return given;
}
"""
_ROWS = 4096
"""Rows that one call of C takes, at most."""


class HostStream:
    """A stream like edgekws.graph.stream.incremental.Stream. Several streams of one model do not disturb each other."""

    def __init__(self, model: Mapping[str, bytes], folder: Path | None, options: host_cc.Options = None) -> None:
        """model: of edgekws.emit.c and edgekws.emit.c.stream. folder: cache of libraries, None for none.

        Raises BoardError without a compiler or when the C does not compile, ArtifactError for another model.
        """
        self._library = _library(model, folder, options)
        about = (ctypes.c_int32 * 5).in_dll(self._library, "ekw_about")
        self._row_bytes, self.step_rows, self.first_rows, state_bytes, self._labels = about
        self._numbers, self._kept = np.zeros(2, np.int32), np.zeros(state_bytes + 1, np.uint8)
        self.reset()

    def reset(self) -> None:
        """Begin a new stream."""
        with _LOCK:
            self._library.ekw_host_start(_address(self._numbers), _address(self._kept))

    def push(self, rows: np.ndarray) -> np.ndarray:
        """rows int8 [k, coefficients], any k -> scores int8 [steps, labels] of the steps that they complete.

        Raises ArtifactError for rows of another shape, type or range.
        """
        checked = np.ascontiguousarray(checked_features(np.asarray(rows), (self._row_bytes,)))
        parts = [self._push(checked[start : start + _ROWS]) for start in range(0, len(checked), _ROWS)]
        return np.concatenate([np.zeros((0, self._labels), np.int8), *parts])

    def _push(self, rows: np.ndarray) -> np.ndarray:
        scores = np.zeros((len(rows) // self.step_rows + 2, self._labels), np.int8)
        with _LOCK:
            given = self._library.ekw_host_push(
                _address(self._numbers), _address(self._kept), _address(rows), len(rows), _address(scores)
            )
        return scores[:given]


_LOCK = threading.Lock()
"""The memory of a library is shared by its streams, and ctypes releases the GIL during a call."""


def _library(model: Mapping[str, bytes], folder: Path | None, options: host_cc.Options) -> ctypes.CDLL:
    missing = [name for name in STREAM_FILES if name not in model]
    if missing:
        raise ArtifactError(f"a streamed C model consists of {', '.join(STREAM_FILES)}", got=f"no {missing[0]}")
    headers = {name: model[name] for name in STREAM_FILES if name.endswith(".h")}
    sources = {**headers, _SOURCE: model["model_stream.c"], "host.c": _HOST}
    library = host_cc.library(sources, folder, options)
    pointer, number = ctypes.c_void_p, ctypes.c_int32
    library.ekw_host_start.argtypes, library.ekw_host_start.restype = (pointer, pointer), None
    library.ekw_host_push.argtypes = (pointer, pointer, pointer, number, pointer)
    library.ekw_host_push.restype = number
    return library


def _address(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
