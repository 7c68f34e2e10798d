"""A package `pyjoulescope_driver` with one virtual JS110 or JS220: the real one speaks to USB only.

Topics, values, message keys, error texts, the thread that calls back and the sizes of its blocks are the driver's.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from unittest import mock

import numpy as np

from tests.firmware_io.devices.profiles import Profile, pin

COUNT_HZ = 2_000_000
_TICK, _PIN_TICKS = 16_000, 6  # counts per block of power; such blocks per block of the pin
_UNKNOWN = 12  # samples at the start of a JS110 that are no number
_PARAMETERS = {
    "js110": {
        "h/fs": (2_000_000, 1_000_000),
        "s/i/range/select": ("auto", "off"),
        "s/extio/voltage": (0, 1800, 2100, 2500, 2700, 3000, 3300, 3600, 5000),
        "s/i/lsb_src": ("normal", "gpi0", "gpi1"),
        "s/v/lsb_src": ("normal", "gpi0", "gpi1"),
    },
    "js220": {
        "h/fs": (2_000_000, 1_000_000),
        "s/i/range/mode": ("auto", "manual", "off"),
        "c/gpio/vref": ("external", "3v3"),
    },
}
_STREAMS = {"js110": ("i", "v", "p", "gpi/0", "gpi/1"), "js220": ("i", "v", "p", "gpi/0", "gpi/1", "gpi/2", "gpi/3")}


@dataclass
class Faults:
    """At seconds after the start: unplug_s: it is removed. lose_s: a block of power never comes. nan_s: 20 samples
    are no number. pin_lose_s: a block of the pin never comes. refuse: this topic answers with an error.
    stuck_low: the pin is low from the beginning. skip_s: the driver writes into its log that packets were skipped.
    """

    unplug_s: float | None = None
    lose_s: float | None = None
    nan_s: float | None = None
    pin_lose_s: float | None = None
    refuse: str = ""
    stuck_low: bool = False
    skip_s: float | None = None


class Instrument:
    """profile, edges: on the time since the first sample. speed: times real time; 0: as fast as it computes."""

    def __init__(
        self,
        profile: Profile,
        edges: tuple[float, ...],
        model: str,
        faults: Faults,
        speed: float,
        serial: str,
        pin: int = 0,
    ) -> None:
        self.profile, self.edges, self.model, self.faults, self.speed = profile, edges, model, faults, speed
        self.path, self.pin = f"u/{model}/{serial}", pin
        self.values: dict[str, object] = {}
        self.is_open = self.removed = False
        self.power_factor = 1 if model == "js110" else 2
        self.unknown = _UNKNOWN if model == "js110" else 0
        self.first_id = 0 if model == "js110" else 0x1_2345_6780
        self.pin_first_id = self.first_id - (0 if model == "js110" else 64)
        self.sent = 0  # counts since the start
        self.runs = 0  # one more with everything that is set while nothing streams

    def set(self, topic: str, value: object) -> None:
        if self.removed or not self.is_open:
            raise RuntimeError(
                f"jsdrv_publish failed 22 CLOSED | The requested resource is currently closed. | {topic}"
            )
        signal = topic.removeprefix("s/").removesuffix("/ctrl")
        allowed = (0, 1) if signal in _STREAMS[self.model] else _PARAMETERS[self.model].get(topic)
        if allowed is None or (topic == self.faults.refuse and value):
            raise RuntimeError(f"jsdrv_publish failed 20 UNAVAILABLE | not available | {topic}")
        if value not in allowed:
            raise RuntimeError(f"jsdrv_publish failed 5 PARAMETER_INVALID | The parameter value is invalid | {topic}")
        self.runs += not self.streaming
        self.values[topic] = value

    def on(self, signal: str) -> bool:
        return self.values.get(f"s/{signal}/ctrl") == 1

    @property
    def streaming(self) -> bool:
        return any(self.on(signal) for signal in _STREAMS[self.model])

    @property
    def powers(self) -> bool:
        """Whether the line to the board is closed."""
        key = "s/i/range/select" if self.model == "js110" else "s/i/range/mode"
        return self.values.get(key) == "auto"

    def power(self, counts: np.ndarray) -> np.ndarray:
        seconds = (counts - self.unknown + 0.5 * self.power_factor) / COUNT_HZ
        watts = self.profile(seconds) * self.powers
        watts[counts < self.unknown] = np.nan
        if self.faults.nan_s is not None:
            at = self.faults.nan_s * COUNT_HZ + self.unknown
            watts[(counts >= at) & (counts < at + 20)] = np.nan
        return watts.astype(np.float32)

    def levels(self, counts: np.ndarray) -> np.ndarray:
        """uint8 [n / 8]: of the pin, at full count; a JS110 gives it only with the lowest bit switched to it."""
        level = pin((counts - self.unknown) / COUNT_HZ, self.edges, 1 / COUNT_HZ)
        if self.faults.stuck_low:
            level[:] = 0
        if self.model == "js110":
            level[counts < self.unknown] = 0
            if self.values.get(("s/i/lsb_src", "s/v/lsb_src")[self.pin]) != f"gpi{self.pin}":
                level = counts.astype(np.uint8) & 1
        return np.packbits(level, bitorder="little")

    def message(self, field_id: int, sample_id: int, factor: int, data: np.ndarray) -> dict[str, object]:
        time_map = {"offset_time": 0, "offset_counter": 0, "counter_rate": float(COUNT_HZ)}
        return {
            "sample_id": sample_id,
            "utc": 0,
            "field_id": field_id,
            "index": 0,
            "sample_rate": COUNT_HZ,
            "decimate_factor": factor,
            "time_map": time_map,
            "data": data,
        }


class Driver:
    """What the meter uses of pyjoulescope_driver.Driver."""

    instruments: tuple[Instrument, ...] = ()

    def __init__(self) -> None:
        self.log_level = "off"
        self._subscribers: list[tuple[str, object]] = []
        self._lock = threading.RLock()  # publish answers when the instrument has done it: no old block comes after it
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def device_paths(self) -> list[str]:
        return sorted(instrument.path for instrument in self.instruments)

    def open(self, path: str, mode: str) -> None:
        instrument = self._instrument(path)
        if mode != "defaults" or instrument.is_open:
            raise RuntimeError(f"jsdrv_open failed 21 IN_USE | The requested resource is currently in use. | {path}")
        instrument.is_open, instrument.values = True, {}

    def close(self, path: str) -> None:
        self._instrument(path).is_open = False

    def publish(self, topic: str, value: object) -> None:
        instrument = self._instrument(topic)
        with self._lock:
            instrument.set(topic.removeprefix(f"{instrument.path}/"), value)

    def subscribe(self, topic: str, flags: str, fn: object) -> None:
        assert flags == "pub"
        with self._lock:
            self._subscribers.append((topic, fn))

    def unsubscribe(self, topic: str, fn: object) -> None:
        with self._lock:
            before = len(self._subscribers)
            self._subscribers = [pair for pair in self._subscribers if pair[0] != topic or pair[1] is not fn]
            assert len(self._subscribers) == before - 1, "another function than the one that subscribed"

    def _instrument(self, topic: str) -> Instrument:
        for instrument in self.instruments:
            if topic.startswith(instrument.path):
                return instrument
        raise RuntimeError(f"jsdrv_publish failed 16 NOT_FOUND | The requested resource was not found | {topic}")

    def _call(self, instrument: Instrument, run: int, topic: str, value: object) -> None:
        with self._lock:
            called = [fn for name, fn in self._subscribers if name == topic] if instrument.runs == run else []
            for fn in called:
                fn(topic, value)  # type: ignore[operator]

    def _run(self) -> None:
        while not self._stop.is_set():
            busy = [instrument for instrument in self.instruments if instrument.streaming and not instrument.removed]
            for instrument in busy:
                self._stream(instrument)
            time.sleep(0.001)

    def _stream(self, instrument: Instrument) -> None:
        instrument.sent, start_s, run = 0, time.monotonic(), instrument.runs
        faults = instrument.faults
        while instrument.streaming and instrument.runs == run and not self._stop.is_set():
            late_s = time.monotonic() - start_s
            early = bool(instrument.speed) and instrument.sent > late_s * COUNT_HZ * instrument.speed
            if early or not all(instrument.on(signal) for signal in ("i", "v", "p", f"gpi/{instrument.pin}")):
                time.sleep(0.001)
                continue
            if faults.unplug_s is not None and instrument.sent >= faults.unplug_s * COUNT_HZ:
                instrument.removed = True
                self._call(instrument, run, "@/!remove", instrument.path)
                return
            if faults.skip_s is not None and 0 <= faults.skip_s * COUNT_HZ - instrument.sent < _TICK:
                self._warn("pkt_index skip: expected 17, received 917 (900 frames)")
            self._send_power(instrument, run, faults)
            instrument.sent += _TICK
            if instrument.sent % (_TICK * _PIN_TICKS) == 0:
                self._send_pin(instrument, run, faults)

    def _warn(self, text: str) -> None:
        if self.log_level == "warning":
            logging.getLogger("jsdrv").warning(text)

    def _send_power(self, instrument: Instrument, run: int, faults: Faults) -> None:
        factor = instrument.power_factor
        lost = faults.lose_s is not None and 0 <= faults.lose_s * COUNT_HZ - instrument.sent < _TICK
        if lost:
            return
        data = instrument.power(instrument.sent + np.arange(0, _TICK, factor))
        message = instrument.message(3, instrument.first_id + instrument.sent, factor, data)
        self._call(instrument, run, f"{instrument.path}/s/p/!data", message)

    def _send_pin(self, instrument: Instrument, run: int, faults: Faults) -> None:
        size = _TICK * _PIN_TICKS
        first = instrument.sent - size
        if faults.pin_lose_s is not None and 0 <= faults.pin_lose_s * COUNT_HZ - first < size:
            return
        offset = instrument.pin_first_id - instrument.first_id
        data = instrument.levels(first + offset + np.arange(size))
        message = instrument.message(5, instrument.pin_first_id + first, 1, data)
        self._call(instrument, run, f"{instrument.path}/s/gpi/{instrument.pin}/!data", message)


@contextmanager
def virtual_joulescope(
    profile: Profile,
    edges: tuple[float, ...] = (),
    model: str = "js220",
    speed: float = 0.0,
    serial: str = "002557",
    pin: int = 0,
    **faults: object,
) -> Iterator[tuple[str, Instrument]]:
    """(URL, the instrument); `import pyjoulescope_driver` gives the fake meanwhile."""
    instrument = Instrument(profile, edges, model, Faults(**faults), speed, serial, pin)  # type: ignore[arg-type]
    module = ModuleType("pyjoulescope_driver")
    module.Driver = type("Driver", (Driver,), {"instruments": (instrument,)})  # type: ignore[attr-defined]
    with mock.patch.dict(sys.modules, {"pyjoulescope_driver": module}):
        yield f"joulescope:{serial}", instrument
