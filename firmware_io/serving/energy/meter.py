"""An emulated X-NUCLEO-LPM01A, as far as MLPerf Tiny's host programs use it (ST UM2269: text format, up to 5 kHz).

A command is a line; the answer is `PowerShield > ack COMMAND`, or `error` with a second line that says why. While it
acquires it sends a sample as four digits and a power of ten (`9000-08`), a time stamp each second, and a line for each
falling edge of the timestamp pin.
"""

from __future__ import annotations

import time
from collections.abc import Callable

NOMINAL_A = 0.01
"""The current of every sample, in amperes. Invented: an emulated board draws none."""
IDENTITY = "PowerShield present: EMULATED by edgekws, nominal current"
_PROMPT = "PowerShield > "
_FIRMWARE = "1.0.6"
_FASTEST_HZ = 5_000
_BUFFER_BYTES = 1 << 17
"""Of samples that the host does not read; then the acquisition ends with an error."""
_SETTINGS = {"output": "current", "format": "ascii_dec", "freq": "100", "volt": "3300m"}
_ACCEPTED = (
    *("htc", "hrc", "lcd", "status", "acqmode", "acqtime", "funcmode", "trigdelay", "trigsrc", "eventsrc"),
    *_SETTINGS,
)
"""Commands that are acknowledged and, but for _SETTINGS, without effect."""


class EmulatedMeter:
    """The instrument. on_power: called with the volts that it feeds the board with; 0.0 switches it off.

    outgoing: what it has sent and the host has not taken yet.
    """

    def __init__(self, on_power: Callable[[float], None]) -> None:
        self._on_power = on_power
        self._settings = dict(_SETTINGS)
        self._line = b""
        self._started: float | None = None
        self._sent = 0
        self._events = 0
        self.outgoing = bytearray()

    @property
    def acquiring(self) -> bool:
        """Whether samples are being sent."""
        return self._started is not None

    @property
    def volts(self) -> float:
        """The supply voltage that is set."""
        return _number(self._settings["volt"])

    @property
    def rate_hz(self) -> int:
        """Samples per second."""
        return round(_number(self._settings["freq"]))

    def receive(self, content: bytes) -> None:
        """Bytes of the host."""
        *lines, self._line = (self._line + content).split(b"\n")
        for line in lines:
            if command := line.decode("latin-1").strip():
                self._answer(command)

    def edge(self) -> None:
        """The board's timestamp pin falls now; ignored unless it acquires."""
        if self.acquiring:
            self.produce()
            self._events += 1
            self._say(f"event {self._events:02d} ris\r\n")

    def produce(self) -> None:
        """Send the samples that are due by now."""
        if self._started is None:
            return
        if len(self.outgoing) > _BUFFER_BYTES:
            self._say(f"\r\n{_PROMPT}error: buffer overflow\r\n")
            self._end("Acquisition aborted")
            return
        due = int((time.monotonic() - self._started) * self.rate_hz)
        sample = f"{_text(self.sample)}\r\n"
        while self._sent < due:
            if self._sent % self.rate_hz == 0:
                seconds = self._sent // self.rate_hz
                self._say(f"TimeStamp: {seconds % 1000:03d}s 000ms, buff 00%\r\n\0")
            count = min(due - self._sent, self.rate_hz - self._sent % self.rate_hz)
            self._say(sample * count)
            self._sent += count

    @property
    def sample(self) -> float:
        """One sample: joules per sample period, or amperes, as `output` says."""
        return NOMINAL_A * self.volts / self.rate_hz if self._settings["output"] == "energy" else NOMINAL_A

    def _answer(self, command: str) -> None:
        word, _, rest = command.partition(" ")
        why = self._refusal(word, rest)
        if why:
            self._say(f"\r\n{_PROMPT}error {command}\r\nError detail: {why}\r\n\r\n")
        elif word == "stop":
            self._stop()
        else:
            self._say(f"\r\n{_PROMPT}ack {command}{self._do(word, rest)}\r\n\r\n")

    def _refusal(self, word: str, rest: str) -> str:
        """Why a command is an error; "" when it is none."""
        if word not in (*_ACCEPTED, "pwr", "start", "stop", "version", "powershield"):
            return "Command unknown"
        if word == "stop" and not self.acquiring:
            return "no acquisition"
        if word == "format" and rest != "ascii_dec":
            return "the emulated meter sends ascii_dec"
        if word in ("freq", "volt") and rest != "get" and not _is_number(rest):
            return "not a number"
        if word == "freq" and not 1 <= _number(rest) <= _FASTEST_HZ:
            return f"the emulated meter samples at 1 to {_FASTEST_HZ} Hz"
        return ""

    def _do(self, word: str, rest: str) -> str:
        """What stands behind the acknowledgement."""
        if rest == "get":
            return f" {round(self.volts * 1000):04d}-03"
        if word in self._settings:
            self._settings[word] = rest
        elif word == "pwr":
            self._on_power(self.volts if rest.startswith("on") else 0.0)
        elif word == "start":
            self._started, self._sent, self._events = time.monotonic(), 0, 0
        return {"version": f" {_FIRMWARE}", "powershield": f" {IDENTITY}", "status": " ok"}.get(word, "")

    def _stop(self) -> None:
        self.produce()
        self._end("Acquisition completed")

    def _end(self, reason: str) -> None:
        self._started = None
        summary = f"end\r\n\r\n\r\nsummary beg\r\nsamples: {self._sent}\r\nsummary end\r\n\r\n"
        self._say(f"{summary}{_PROMPT}{reason}\r\n")

    def _say(self, text: str) -> None:
        self.outgoing += text.encode()


def _text(value: float) -> str:
    """Four digits and a power of ten: 0.00003 is 3000-08."""
    digits, _, exponent = f"{value:.3e}".partition("e")
    return f"{digits.replace('.', '')}{int(exponent) - 3:+03d}"


def _is_number(text: str) -> bool:
    return text.removesuffix("m").removesuffix("k").isdecimal()


def _number(text: str) -> float:
    """The value of `3300m`, `1k` or `100`."""
    value = float(text.rstrip("mk"))
    return value / 1000 if text.endswith("m") else value * 1000 if text.endswith("k") else value
