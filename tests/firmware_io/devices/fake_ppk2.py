"""A Power Profiler Kit II on a pty that speaks the serial protocol, and a package `ppk2_api` for machines without it.

Commands are one byte and its arguments; the answers are the calibration as text, and words of four bytes.
The package is our own, of the same interface; it knows no smoothing.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType
from unittest import mock

import numpy as np
import serial

from tests.firmware_io.devices.profiles import Profile, pin

RATE_HZ = 100_000
START, STOP, RUNNING, REGULATOR, MODE, META = 0x06, 0x07, 0x0C, 0x0D, 0x11, 0x19
_ARGUMENTS = {START: 0, STOP: 0, RUNNING: 1, REGULATOR: 2, MODE: 1, META: 0}
_CHUNK = 4000  # words
_VOLTS_PER_COUNT = 4 * 1.8 / 163_840
OHMS = (1003.3, 101.6, 10.3, 0.963, 0.0564)
ZERO = (112.8, 18.0, 14.9, 12.2, 8.1)
GAIN_SQUARE = (0.01, 0.02, 0.01, 0.03, 0.0)
GAIN = (0.9812, 1.0031, 0.9967, 1.0124, 0.9911)
SUPPLY_SLOPE = (4.8e-8, 5.9e-7, 5.1e-6, 4.1e-5, 1.2e-4)
BASE = (-1.0e-7, -9.0e-7, -3.9e-6, -2.7e-5, -6.9e-5)
USER_GAIN = (1.0, 1.0, 1.0, 1.01, 1.0)
RANGE_TOP_A = (50e-6, 500e-6, 5e-3, 60e-3)
_TABLE = {"R": OHMS, "GS": GAIN_SQUARE, "GI": GAIN, "O": ZERO, "S": SUPPLY_SLOPE, "I": BASE, "UG": USER_GAIN}


def calibration_text() -> str:
    rows = [f"{name}{index}: {value:.10f}" for name, values in _TABLE.items() for index, value in enumerate(values)]
    return "\n".join(["Calibrated: 0", *rows, "VDD: 3700", "HW: 9173", "mode: 2", "IA: 56", "END"])


@dataclass
class Faults:
    """At seconds after the start: unplug_s: the port is gone. lose_s, lose: this many words never come.
    drop_byte_s: one byte never comes. silent: no calibration. streaming: it still measures when it is opened.
    """

    unplug_s: float | None = None
    lose_s: float | None = None
    lose: int = 1
    drop_byte_s: float | None = None
    silent: bool = False
    streaming: bool = False


class VirtualPpk2:
    """profile, edges: on the time since the start of a measurement. speed: times real time; 0: as fast as it is read.

    Holds back what the host does not take, as USB does.
    """

    def __init__(
        self, profile: Profile, edges: tuple[float, ...], faults: Faults, speed: float, supply_v: float | None, pin: int
    ) -> None:
        self.profile, self.edges, self.faults, self.speed, self.pin = profile, edges, faults, speed, pin
        self.supply_v = supply_v  # of another supply, in ampere mode
        self.millivolts, self.powered, self.mode = 0, False, 0
        self.commands: list[int] = []
        self.measuring = faults.streaming
        self.words = 0
        self._carry = 0.0
        self._waiting = b""
        self._started_s = time.monotonic()

    def receive(self, content: bytes) -> bytes:
        self._waiting += content
        answer = b""
        while self._waiting and len(self._waiting) > _ARGUMENTS[self._waiting[0]]:
            size = 1 + _ARGUMENTS[self._waiting[0]]
            command, self._waiting = self._waiting[:size], self._waiting[size:]
            self.commands.append(command[0])
            answer += self._obey(command)
        return answer

    def next_words(self) -> bytes:
        """What it has to send now; b"" when it is too early."""
        if not self.measuring or self.unplugged:
            return b""
        now_words = (time.monotonic() - self._started_s) * RATE_HZ * self.speed if self.speed else np.inf
        last = np.inf if self.faults.unplug_s is None else self.faults.unplug_s * RATE_HZ
        count = int(min(_CHUNK, now_words - self.words, last - self.words))
        if count <= 0:
            return b""
        content = self._without_lost(self._words(count), count)
        self.words += count
        return content

    @property
    def unplugged(self) -> bool:
        at = self.faults.unplug_s
        return at is not None and self.measuring and self.words >= at * RATE_HZ

    def _obey(self, command: bytes) -> bytes:
        if command[0] == START:
            self.measuring, self.words, self._carry, self._started_s = True, 0, 0.0, time.monotonic()
        elif command[0] == STOP:
            self.measuring = False
        elif command[0] == RUNNING:
            self.powered = bool(command[1])
        elif command[0] == REGULATOR:
            self.millivolts = (command[1] - 3) * 256 + command[2] - 32 + 800
        elif command[0] == MODE:
            self.mode = command[1]
        elif command[0] == META and not self.faults.silent:
            return calibration_text().encode()
        return b""

    def _words(self, count: int) -> bytes:
        index = self.words + np.arange(count)
        volts = self.supply_v or self.millivolts / 1000
        watts = self.profile((index + 0.5) / RATE_HZ) * self.powered
        ranges = np.searchsorted(RANGE_TOP_A, watts / volts)
        exact = _counts(watts / volts, ranges, volts)
        total = np.floor(np.cumsum(exact) + self._carry + 0.5)
        counts = np.diff(total, prepend=0.0)  # rounding errors are carried on: the mean is right, as with noise
        self._carry += float(exact.sum() - total[-1])
        logic = pin(index / RATE_HZ, self.edges, 1 / RATE_HZ).astype(np.uint32) << self.pin
        word = counts.clip(0, 16383).astype(np.uint32) | ranges.astype(np.uint32) << 14
        return (word | (index % 64).astype(np.uint32) << 18 | logic << 24).astype("<u4").tobytes()

    def _without_lost(self, content: bytes, count: int) -> bytes:
        for at_s, size in ((self.faults.lose_s, 4 * self.faults.lose), (self.faults.drop_byte_s, 1)):
            if at_s is not None and self.words <= at_s * RATE_HZ < self.words + count:
                at = 4 * (int(at_s * RATE_HZ) - self.words)
                content = content[:at] + content[at + size :]
        return content


def _counts(amperes: np.ndarray, ranges: np.ndarray, volts: float) -> np.ndarray:
    """The readings of the converter (not yet whole) from which the kit's calibration makes these amperes."""
    square, gain = np.take(GAIN_SQUARE, ranges), np.take(GAIN, ranges)
    rest = np.take(SUPPLY_SLOPE, ranges) * volts + np.take(BASE, ranges) - amperes / np.take(USER_GAIN, ranges)
    root = np.sqrt(gain**2 - 4 * square * rest)
    raw = np.where(square > 0, (root - gain) / np.where(square > 0, 2 * square, 1), -rest / gain)
    return raw * np.take(OHMS, ranges) / _VOLTS_PER_COUNT + np.take(ZERO, ranges) / 4


@contextmanager
def virtual_ppk2(
    profile: Profile,
    edges: tuple[float, ...] = (),
    speed: float = 8.0,
    supply_v: float | None = None,
    pin: int = 0,
    **faults: object,
) -> Iterator[tuple[str, VirtualPpk2]]:
    """(URL, the kit) while it runs on a pty."""
    master, slave = os.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    kit = VirtualPpk2(profile, edges, Faults(**faults), speed, supply_v, pin)  # type: ignore[arg-type]
    stop = threading.Event()
    os.set_blocking(master, False)
    thread = threading.Thread(target=_serve, args=(kit, master, slave, stop))
    thread.start()
    try:
        yield f"ppk2:{path}", kit
    finally:
        stop.set()
        thread.join()


def _serve(kit: VirtualPpk2, master: int, slave: int, stop: threading.Event) -> None:
    """Owns both ends of the pty: the cable is pulled by closing them."""
    waiting = b""
    while not stop.is_set() and not (kit.unplugged and not waiting):
        readable, writable, _ = select.select([master], [master] if waiting else [], [], 0 if kit.measuring else 0.01)
        if readable:
            waiting += kit.receive(os.read(master, 1024))
        if writable:
            waiting = waiting[os.write(master, waiting) :]
        if not waiting:
            waiting = kit.next_words()
            if not waiting and kit.measuring:
                time.sleep(0.001)
    if kit.unplugged:
        time.sleep(0.1)  # what was sent arrives
    os.close(slave)
    os.close(master)


@contextmanager
def package(real: bool | None = None) -> Iterator[None]:
    """`import ppk2_api` gives the real package, ours, or (None) the real one where it is installed."""
    if real if real is not None else find_spec("ppk2_api"):
        yield
        return
    inner = ModuleType("ppk2_api.ppk2_api")
    inner.PPK2_API = FakeApi  # type: ignore[attr-defined]
    with mock.patch.dict(sys.modules, {"ppk2_api": ModuleType("ppk2_api"), "ppk2_api.ppk2_api": inner}):
        yield


class FakeApi:
    """What the driver uses of PPK2_API, without smoothing."""

    devices: tuple[str, ...] = ()

    def __init__(self, port: str, **more: object) -> None:
        self.ser = serial.Serial(port, **more)
        self.modifiers: dict[str, object] = {"Calibrated": None}
        self.current_vdd: float | None = None

    @classmethod
    def list_devices(cls) -> list[str]:
        return list(cls.devices)

    def get_modifiers(self) -> bool | None:
        self.ser.write(bytes([META]))
        time.sleep(0.1)
        text = self.ser.read(self.ser.in_waiting).decode("utf-8")
        rows = dict(row.split(": ") for row in text.split("\n") if ": " in row)
        if "END" not in text:
            return None
        if "Calibrated" not in rows:  # samples stand before the first row: the package passes over what it cannot read
            return True
        self.modifiers["Calibrated"] = rows["Calibrated"]
        for name in _TABLE:
            self.modifiers[name] = np.array([float(rows[f"{name}{index}"]) for index in range(5)])
        return True

    def use_source_meter(self) -> None:
        self.ser.write(bytes([MODE, 2]))

    def use_ampere_meter(self) -> None:
        self.ser.write(bytes([MODE, 1]))

    def set_source_voltage(self, millivolts: int) -> None:
        self.ser.write(bytes([REGULATOR, *divmod(millivolts - 800 + 32 + 3 * 256, 256)]))
        self.current_vdd = millivolts

    def toggle_DUT_power(self, state: str) -> None:  # noqa: N802
        self.ser.write(bytes([RUNNING, int(state == "ON")]))

    def start_measuring(self) -> None:
        self.ser.write(bytes([START]))

    def stop_measuring(self) -> None:
        self.ser.write(bytes([STOP]))

    def get_data(self) -> bytes:
        return self.ser.read(self.ser.in_waiting)

    def get_samples(self, content: bytes) -> tuple[list[float], list[int]]:
        words = np.frombuffer(content, "<u4")
        index = np.minimum((words >> 14) % 8, 4)
        known = {name: np.asarray(self.modifiers[name])[index] for name in _TABLE}
        raw = ((words % 16384) * 4.0 - known["O"]) * (1.8 / 163_840 / known["R"])
        offset = known["S"] * (self.current_vdd or 0) / 1000 + known["I"]
        amperes = known["UG"] * (raw * (known["GS"] * raw + known["GI"]) + offset)
        return list(amperes * 1e6), list(words >> 24)
