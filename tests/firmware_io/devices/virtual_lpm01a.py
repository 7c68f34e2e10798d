"""An X-NUCLEO-LPM01A in Python, on a pseudo-terminal: its commands, both of its stream formats, and what goes wrong.

`profile` gives the board's watts at the seconds of a numpy array; what the instrument sends is that power,
integrated over each sample period (by midpoints) or divided by the voltage. Edges come from a list of seconds, and
from `edge()`, which a test calls (or a board's event channel does, `watch_events`) while it runs.

In real time it sends what a real one would have by now; with real_time=False as fast as it is read.
"""

from __future__ import annotations

import fcntl
import os
import select
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import numpy as np

Profile = Callable[[np.ndarray], np.ndarray]
PROMPT = "PowerShield > "
BUFFER_BYTES = 1 << 17  # of its own, behind the pty's 4 KB
POLL_S = 0.002
UNPLUG_DELAY_SAMPLES = 500
PATIENCE = 300  # polls in a row in which the host takes nothing, until its buffer runs over: more than half a second
_BLOCKS_PER_S = {"ascii_dec": 1, "bin_hexa": 100}
_KNOWN = {
    "htc", "hrc", "volt", "pwr", "acqmode", "funcmode", "acqtime", "trigdelay", "trigsrc",
    "eventsrc", "output", "format", "freq", "start", "stop", "version", "lcd", "status",
}  # fmt: skip
NEEDS_106 = {"pwr", "eventsrc"}


@dataclass
class Faults:
    """Samples count from the start of an acquisition.

    firmware: what `version` says; before 1.0.6 `pwr` and `eventsrc` are errors. drop_byte_at: a byte inside of this
    sample never arrives. drop_sample_at: this whole sample does not. garbage_at: noise before this sample.
    unplug_at: the port is gone at this sample; unplug_after_edges: or soon after this many edges. overcurrent_at,
    overflow_at: it gives up with this error. jitter_ms: every second time stamp is later by so much. still_streaming: a
    killed program left it so.
    """

    firmware: str = "1.0.6"
    drop_byte_at: int | None = None
    drop_sample_at: int | None = None
    garbage_at: int | None = None
    unplug_at: int | None = None
    unplug_after_edges: int | None = None
    overcurrent_at: int | None = None
    overflow_at: int | None = None
    jitter_ms: int = 0
    still_streaming: bool = False
    first_htc_refused: bool = False


@dataclass
class VirtualLpm01a:
    profile: Profile
    edges: tuple[float, ...] = ()
    faults: Faults = field(default_factory=Faults)
    real_time: bool = True
    on_power: Callable[[float], None] = lambda volts: None

    def __post_init__(self) -> None:
        self.commands: list[str] = []
        self.settings: dict[str, str] = {"format": "ascii_dec", "output": "current", "freq": "100", "volt": "3300m"}
        self.acquiring = self.unplugged = False
        self.sent = self.stamps = 0  # samples, time stamps of this acquisition
        self.started = 0.0
        self.events = self.refused = self.seen_edges = 0
        self.pending: list[int] = []  # samples in which the pin falls
        names = ("drop_byte_at", "drop_sample_at", "garbage_at", "unplug_at", "overcurrent_at", "overflow_at")
        self._faults = {name: at for name in names if (at := getattr(self.faults, name)) is not None}
        self.line = b""
        self.outgoing = bytearray()
        self.lock = threading.Lock()
        if self.faults.still_streaming:
            self._start()

    # what a test asks and does

    @property
    def rate_hz(self) -> float:
        text = self.settings["freq"]
        return float(text[:-1]) * 1000 if text.endswith("k") else float(text)

    @property
    def volts(self) -> float:
        return float(self.settings["volt"].removesuffix("m")) / 1000

    def edge(self) -> None:
        """The board's pin falls now."""
        with self.lock:
            if self.acquiring:
                at = int((time.monotonic() - self.started) * self.rate_hz)
                self.pending.append(at)
                self.pending.sort()
                self.seen_edges += 1
                if self.seen_edges == self.faults.unplug_after_edges:
                    self._faults["unplug_at"] = max(at, self.sent) + UNPLUG_DELAY_SAMPLES

    # commands

    def receive(self, content: bytes) -> None:
        for byte in content:
            if byte != ord("\n"):
                self.line += bytes([byte])
                continue
            command, self.line = self.line.decode("latin-1").strip(), b""
            if command:
                self._answer(command)

    def _answer(self, command: str) -> None:
        self.commands.append(command)
        word, _, rest = command.partition(" ")
        refused = self._refusal(command, word)
        if refused:
            self._say(f"\r\n{PROMPT}error {command}\r\nError detail: {refused}\r\n\r\n")
            return
        answer = ""
        if word == "volt" and rest == "get":
            answer = f" {round(self.volts * 1000):04d}-03"
        elif word == "version":
            answer = f" {self.faults.firmware}"
        elif word == "stop":
            self._end("Acquisition completed")
            return
        elif rest:
            self.settings[word] = rest
        self._say(f"\r\n{PROMPT}ack {command}{answer}\r\n\r\n")
        if word == "pwr":
            self.on_power(self.volts if rest.startswith("on") else 0.0)
        if word == "start":
            self._start()

    def _refusal(self, command: str, word: str) -> str:
        if word not in _KNOWN:
            return "Command unknown"
        if word == "htc" and self.faults.first_htc_refused and self.commands.count("htc") == 1:
            return "Command unknown"
        if word in NEEDS_106 and self.faults.firmware < "1.0.6":
            return "Command unknown"
        return "no acquisition" if word == "stop" and not self.acquiring else ""

    # acquisition

    def _start(self) -> None:
        with self.lock:
            self.acquiring, self.sent, self.stamps = True, 0, 0
            self.started = time.monotonic()
            self.pending = sorted(int(seconds * self.rate_hz + 1e-6) for seconds in self.edges)

    def _end(self, reason: str) -> None:
        self.acquiring = False
        if self.settings["format"] == "bin_hexa":
            self.outgoing += b"\xf0\xf4\xff\xff"
        else:
            self._say("end\r\n")
        self._say(f"\r\n\r\nsummary beg\r\nsamples: {self.sent}\r\nsummary end\r\n\r\n{PROMPT}{reason}\r\n")

    def produce(self) -> None:
        """Put into the outgoing buffer what was sampled by now."""
        if not self.acquiring:
            return
        due = int((time.monotonic() - self.started) * self.rate_hz) if self.real_time else self.sent + 20_000
        while self.acquiring and not self.unplugged and self.sent < due and len(self.outgoing) < BUFFER_BYTES:
            self._block(due)
        if self.real_time and self.refused >= PATIENCE:
            self._error("buffer overflow")

    def _block(self, due: int) -> None:
        """The next samples, up to a time stamp, an edge, a fault or what is due."""
        period = max(1, int(self.rate_hz) // _BLOCKS_PER_S[self.settings["format"]])
        if self.sent == self.stamps * period:
            self._stamp(period)
        with self.lock:
            while self.pending and self.pending[0] <= self.sent:
                self.pending.pop(0)
                self._event()
            stops = [due, self.stamps * period, *self.pending[:1]]
            names = [name for name, at in self._faults.items() if at == self.sent]
            stops += [at for at in self._faults.values() if at > self.sent]
        n = min(stops) - self.sent
        block = bytearray(self._encoded(self._values(n)))
        self.sent += n
        for name in names:
            del self._faults[name]
            self._strike(name, block)
        self.outgoing += block

    def _strike(self, name: str, block: bytearray) -> None:
        if name == "drop_byte_at":
            del block[1]
        elif name == "drop_sample_at":
            del block[: 2 if self.settings["format"] == "bin_hexa" else len(b"1234-05\r\n")]
        elif name == "garbage_at":
            block[:0] = b"\x81\x07\xd5 #?\r\n"
        else:
            block.clear()
            if name == "unplug_at":
                self.unplugged = True
            else:
                self._error("Overcurrent" if name == "overcurrent_at" else "buffer overflow")

    def _error(self, text: str) -> None:
        if self.settings["format"] == "bin_hexa":
            frame = b"\xf0\xf5" if text == "Overcurrent" else b"\xf0\xf1" + text.encode()
            self.outgoing += frame + b"\xff\xff"
        else:
            self._say(f"\r\n{PROMPT}error: {text}\r\n")
        self._end("Acquisition aborted")

    def _stamp(self, period: int) -> None:
        ms = round(1000 * self.sent / self.rate_hz) + (self.faults.jitter_ms if self.stamps % 2 else 0)
        percent = min(99, 100 * len(self.outgoing) // BUFFER_BYTES)
        self.stamps += 1
        if self.settings["format"] == "bin_hexa":
            self.outgoing += b"\xf0\xf3" + ms.to_bytes(4, "big") + bytes([percent]) + b"\xff\xff"
        else:
            self._say(f"TimeStamp: {ms // 1000:03d}s {ms % 1000:03d}ms, buff {percent:02d}%\r\n\0")

    def _event(self) -> None:
        self.events += 1
        text = f"event {self.events:02d} ris"
        if self.settings["format"] == "bin_hexa":
            self.outgoing += b"\xf0\xf2" + text.encode() + b"\xff\xff"
        else:
            self._say(f"{text}\r\n")

    def _values(self, n: int) -> np.ndarray:
        """float64 [n]: joules or amperes of the next samples."""
        watts = self.profile((self.sent + np.arange(n) + 0.5) / self.rate_hz)
        return watts / (self.rate_hz if self.settings["output"] == "energy" else self.volts)

    def _encoded(self, values: np.ndarray) -> bytes:
        return binary(values) if self.settings["format"] == "bin_hexa" else ascii_decimal(values)

    def _say(self, text: str) -> None:
        self.outgoing += text.encode()


def ascii_decimal(values: np.ndarray) -> bytes:
    """Four digits and a power of ten, rounded, as `6409-07`."""
    return "".join(f"{_ascii(value)}\r\n" for value in values.tolist()).encode()


def _ascii(value: float) -> str:
    digits, _, exponent = f"{value:.3e}".partition("e")
    return f"{digits.replace('.', '')}{int(exponent) - 3:+03d}" if value else "0000-10"


def binary(values: np.ndarray) -> bytes:
    """Three hexadecimal digits and a power of 16, rounded: 5 2A0 is 0x2A0 x 16^-5."""
    safe = np.maximum(values, 16.0**-13)
    exponents = np.clip(np.floor(np.log(4095.49 / safe) / np.log(16.0)), 0, 14)
    mantissas = np.rint(values * 16.0**exponents)
    return (exponents * 4096 + mantissas).astype(">u2").tobytes()


@contextmanager
def on_pty(instrument: VirtualLpm01a) -> Iterator[str]:
    """Give the path of a pty with the instrument behind it."""
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    stop = threading.Event()
    path = os.ttyname(slave)

    def serve() -> None:
        while not stop.is_set() and not instrument.unplugged:
            instrument.produce()
            writers = [master] if instrument.outgoing else []
            readable, writable, _ = select.select([master], writers, [], POLL_S)
            if readable:
                instrument.receive(os.read(master, 4096))
            if writable:
                del instrument.outgoing[: os.write(master, instrument.outgoing[:4096])]
            instrument.refused = 0 if writable or not writers else instrument.refused + 1
        if instrument.unplugged:
            _drain(master, slave, instrument)
            os.close(master)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield path
    finally:
        stop.set()
        thread.join()
        os.close(slave)
        if not instrument.unplugged:
            os.close(master)


def _drain(master: int, slave: int, instrument: VirtualLpm01a) -> None:
    """What it had sent before it was unplugged did arrive: hanging up would discard what is not read yet."""
    deadline = time.monotonic() + 20
    while instrument.outgoing and time.monotonic() < deadline:
        if select.select([], [master], [], 0.1)[1]:
            del instrument.outgoing[: os.write(master, instrument.outgoing[:4096])]
    empty = 0  # polls in a row: between two of them the kernel may still move bytes to the reader's side
    while empty < 50 and time.monotonic() < deadline:
        time.sleep(POLL_S)
        empty = 0 if _unread(slave) else empty + 1


def _unread(terminal: int) -> int:
    """Bytes that wait in the terminal for its reader."""
    return int.from_bytes(fcntl.ioctl(terminal, termios.FIONREAD, bytes(4)), sys.byteorder)


@contextmanager
def watch_events(instrument: VirtualLpm01a, url: str) -> Iterator[None]:
    """Every byte from the pyserial URL (a board's event channel) is an edge of the pin."""
    from serial import SerialException

    from firmware_io.ports.opening import open_serial

    stop = threading.Event()

    def watch() -> None:
        with (
            open_serial(url, timeout=0.05) as channel,
            suppress(SerialException),
        ):  # board switched off
            while not stop.is_set():
                for _ in channel.read(1):
                    instrument.edge()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
