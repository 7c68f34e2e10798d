"""Reads a live meter in a thread of its own while the bench talks to the board, and writes every sample to a file.

energy.f32    joules of each sample period, float32, little-endian, in order
energy.json   kind and version, meter, rate_hz, volts, samples, edges (samples in which the pin fell), complete

Both grow while the meter runs, so that a killed run loses only its last moments.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from edgekws.errors import BoardError, EdgeKwsError
from edgekws.files import write_json
from edgekws.files.os_errors import unwritable
from firmware_io.monitors import Monitor, Trace

KIND, VERSION = "edgekws-energy-trace", 1
_READ_S = 0.1
_SILENCE_S = 5.0
_LAST_S = 0.5
"""After `stop`, this much silence means that all samples have arrived."""
_STOP_S = 60.0
"""After `stop`, all samples must have arrived within this time."""
_FORMAT = np.dtype("<f4")


class Recorder:
    """A `with` block starts the meter and stops it at its end. In between only the thread uses the meter.

    An error in the thread (an unplugged meter, a full disk) is raised by the next `check` or `take_edges`.
    """

    def __init__(self, monitor: Monitor, folder: Path, meter: str, rate_hz: float, volts: float | None) -> None:
        self._monitor, self._meter, self._rate_hz, self._volts = monitor, meter, rate_hz, volts
        self._spool, self._sidecar = folder / "energy.f32", folder / "energy.json"
        self._samples, self._edges, self._taken = 0, list[int](), 0
        self._error: EdgeKwsError | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="meter", daemon=True)

    def __enter__(self) -> Recorder:
        """Raises ArtifactError for a folder that cannot be written, before the meter starts."""
        try:
            self._spool.parent.mkdir(parents=True, exist_ok=True)
            self._spool.write_bytes(b"")
            self._note(complete=False)
        except OSError as error:
            raise unwritable(self._spool, error, untouched=False) from error
        self._monitor.start(self._rate_hz)
        self._thread.start()
        return self

    def __exit__(self, *what: object) -> None:
        self._stopping.set()
        self._thread.join()

    def check(self) -> None:
        """Raises the error of the thread, if there is one: BoardError or ArtifactError."""
        if self._error is not None:
            raise self._error

    def take_edges(self, count: int, timeout_s: float) -> tuple[int, ...]:
        """Edges (sample numbers) since the last call; waits at most `timeout_s` for `count`. Raises as `check`."""
        deadline = time.monotonic() + timeout_s
        while len(self._edges) < self._taken + count and time.monotonic() < deadline:
            self.check()
            time.sleep(_READ_S / 10)
        self.check()
        edges = tuple(self._edges[self._taken :])
        self._taken += len(edges)
        return edges

    def trace(self) -> Trace:
        """All samples and edges so far, also after an error."""
        joules: np.ndarray = np.zeros(0, _FORMAT)
        if self._samples:
            joules = np.memmap(self._spool, _FORMAT, "r", shape=(self._samples,))
        return Trace(self._meter, self._rate_hz, joules, tuple(self._edges), self._volts)

    def _run(self) -> None:
        try:
            self._record()
        except EdgeKwsError as error:
            self._error = error
        except OSError as error:
            self._error = unwritable(self._spool, error, untouched=False)
        except Exception as error:  # raised by a vendor's package: `check` reports it in the thread of the run
            got = f"{type(error).__name__}: {error}"
            self._error = BoardError(f"{self._meter} should deliver its samples", got=got, hint="start it again")

    def _record(self) -> None:
        with self._spool.open("ab", buffering=0) as file:
            self._read_until(file, self._stopping.is_set, _READ_S)
            self._monitor.stop()
            self._read_rest(file)
        self._note(complete=True)

    def _read_rest(self, file: BinaryIO) -> None:
        deadline = time.monotonic() + _STOP_S
        while self._keep(file, _LAST_S):
            if time.monotonic() > deadline:
                got = f"samples for {_STOP_S:g} s after the command to stop"
                raise BoardError(f"{self._meter} should stop", got=got, hint="unplug it and measure again")

    def _read_until(self, file: BinaryIO, done: Callable[[], bool], timeout_s: float) -> None:
        last_sample_s = time.monotonic()
        while not done():
            if self._keep(file, timeout_s):
                last_sample_s = time.monotonic()
            elif time.monotonic() - last_sample_s > _SILENCE_S:
                raise BoardError(
                    f"{self._meter} should send samples",
                    got=f"silence for {_SILENCE_S:g} s after {self._samples} samples",
                    hint="check its cable and power, and start it again",
                )

    def _keep(self, file: BinaryIO, timeout_s: float) -> bool:
        """Read once; whether there were samples. They are written to the file before they are counted."""
        joules = self._monitor.samples(timeout_s)
        edges = self._monitor.edges()
        wrong = np.flatnonzero(~np.isfinite(joules))
        if wrong.size:
            got = f"{joules[wrong[0]]} at sample {self._samples + int(wrong[0])}"
            raise BoardError(f"{self._meter} should give a number for every sample", got=got, hint="measure again")
        file.write(joules.astype(_FORMAT).tobytes())
        self._samples += len(joules)
        self._edges += edges
        if edges:
            self._note(complete=False)
        return len(joules) > 0

    def _note(self, complete: bool) -> None:
        write_json(self._sidecar, self._described() | {"complete": complete})

    def _described(self) -> dict[str, Any]:
        return {
            "kind": KIND,
            "version": VERSION,
            "meter": self._meter,
            "rate_hz": self._rate_hz,
            "volts": self._volts,
            "samples": self._samples,
            "edges": list(self._edges),
        }
