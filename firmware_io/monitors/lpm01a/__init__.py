"""lpm01a:PATH[?rate_hz=N&funcmode=optim|high&stamps=loose]: ST's X-NUCLEO-LPM01A, over its USB serial port.

It supplies the board (1.8 to 3.3 V, up to 50 mA) and samples the current; connect the board's timestamp pin to D7 of
its Arduino connector (a solder bridge, ST UM2243). Commands are lines of text (ST UM2269 and its own `help`):

    htc                                  the host takes control; hrc returns it
    volt 3000m, pwr on|off               the supply
    acqtime inf, trigsrc sw, trigdelay 0, eventsrc d7 fal, output, format, freq        what to measure
    start, stop

The answer is `PowerShield > ack COMMAND`, or `PowerShield > error COMMAND` with lines that give the reason. Up to 5 kHz
samples are text, above that words of two bytes (stream.py has both). Up to 10 kHz the instrument integrates the energy
of each sample period itself; above that it sends the current, which is multiplied by the voltage that it reports.

Written from ST's documents and MLCommons' runner (mlcommons/tiny, benchmark/runner); NOT RUN ON AN INSTRUMENT yet.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np

from edgekws.errors import BoardError, ConfigError
from firmware_io.monitors import Capabilities, _url
from firmware_io.monitors.lpm01a.pump import Pump
from firmware_io.monitors.lpm01a.stream import (
    LIMIT_AMPERES,
    LIMIT_VOLTS,
    PROMPT,
    AsciiDecoder,
    BinaryDecoder,
    Clock,
    Decoder,
)
from firmware_io.ports.opening import open_port
from firmware_io.transport import Transport

CAPABILITIES = Capabilities(
    title="ST X-NUCLEO-LPM01A",
    kind="live",
    rates_hz=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 10e3, 20e3, 50e3, 100e3),
    default_rate_hz=1e3,  # that of the MLPerf Tiny rules' runner
    max_current_a=0.05,
    supplies_v=(1.8, 3.3),
    edges=True,
)
BAUD = 3_686_400
OLDEST_FIRMWARE = (1, 0, 6)  # the first that knows `pwr` and `eventsrc`
ASCII_MAX_HZ = 5e3  # faster text is possible for a second only
ENERGY_MAX_HZ = 10e3
_ANSWER_S = 5.0  # `volt` calibrates before it answers
_SILENCE_S = 0.3
_OPTIONS = ("rate_hz", "funcmode", "stamps")
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_VOLTS = re.compile(r"(\d+)([+-]\d+)")


@contextmanager
def connect(rest: str) -> Iterator[Lpm01a]:
    """Take control of the instrument for a `with` block; at its end the board is switched off and control returned.

    Raises ConfigError for a wrong option, BoardError for an instrument that does not answer or is too old.
    """
    path, options = _url.split("lpm01a", rest, _OPTIONS)
    if not path:
        raise ConfigError("lpm01a: needs a device path", got="nothing", hint="for example lpm01a:/dev/ttyACM1")
    _check_choice(options, "funcmode", ("optim", "high"))
    _check_choice(options, "stamps", ("exact", "loose"))
    url_hz = _url.number("lpm01a", options, "rate_hz")
    with open_port(path, baud=BAUD, exclusive=True) as port:
        meter = Lpm01a(port, path, options, url_hz)
        meter.open()
        try:
            yield meter
        finally:
            meter.close()


class Lpm01a:
    """The Monitor of one instrument. `connect` opens and closes it."""

    def __init__(self, port: Transport, path: str, options: dict[str, str], url_hz: float | None) -> None:
        self._port = port
        self._path = path
        self._options = options
        self._url_hz = url_hz
        self._text = b""
        self._pump: Pump | None = None
        self._decoder: Decoder | None = None
        self._failure: BoardError | None = None
        self._joules_per_value = 1.0
        self._volts = 0.0

    def open(self) -> None:
        """Take control and switch the board off. Raises BoardError for no answer, or firmware older than 1.0.6."""
        self._discard_output()
        try:
            self._command("htc")
        except BoardError:  # left-over input of an earlier run became part of this command
            self._discard_output()
            self._command("htc")
        self._check_firmware()
        self._command("pwr off")

    def set_voltage(self, volts: float) -> None:
        """Supply the board; 0 switches it off. Raises ConfigError outside 1.8 to 3.3 V, BoardError on failure."""
        low, high = CAPABILITIES.supplies_v or (0.0, 0.0)
        if volts != 0 and not low <= volts <= high:
            raise ConfigError(f"the LPM01A supplies {low} to {high} V, or 0 for off", got=f"{volts:g} V")
        if volts == 0:
            self._command("pwr off")
            return
        self._command(f"volt {round(volts * 1000)}m")
        self._volts = self._reported_volts() or volts
        self._command("pwr on nostatus")

    def start(self, rate_hz: float) -> None:
        """Start the acquisition. Raises ConfigError for an unsupported rate, BoardError on failure."""
        self._check_rate(rate_hz)
        text, energy = rate_hz <= ASCII_MAX_HZ, rate_hz <= ENERGY_MAX_HZ
        for command in self._set_up(rate_hz, text, energy):
            self._command(command)
        self._volts = self._volts or self._reported_volts() or 0.0
        self._joules_per_value = 1.0 if energy else self._volts / rate_hz
        limit = LIMIT_AMPERES * (LIMIT_VOLTS / rate_hz if energy else 1.0)
        loose = self._options.get("stamps") == "loose"
        clock = Clock(rate_hz, tolerance=1 + rate_hz / 1000 if loose else 0.0)
        self._decoder = AsciiDecoder(clock, limit) if text else BinaryDecoder(clock, limit)
        self._failure = None
        self._command("start")
        self._feed(self._text)  # samples that arrived with the answer
        self._text = b""
        self._pump = Pump(self._port)
        self._pump.start()

    def samples(self, timeout_s: float) -> np.ndarray:
        """As Monitor.samples: joules float64 [n]. Raises BoardError for lost samples or an error of the instrument."""
        decoder = self._started()
        deadline = time.monotonic() + timeout_s
        while not decoder.values:
            if self._failure:
                raise self._failure
            remaining = deadline - time.monotonic()
            if self._pump is None or remaining <= 0:
                return np.zeros(0)
            self._receive(self._pump, remaining)
        joules = np.concatenate(decoder.values) * self._joules_per_value
        decoder.values.clear()
        return joules

    def edges(self) -> tuple[int, ...]:
        """As Monitor.edges: sample numbers of new falling edges, in order."""
        decoder = self._started()
        edges = tuple(decoder.edges)
        decoder.edges.clear()
        return edges

    def stop(self) -> None:
        """End the acquisition; the rest of it can still be read. Raises BoardError when it does not end."""
        decoder = self._started()
        if self._pump is None:
            return
        pump, self._pump = self._pump, None
        try:
            self._port.write(b"stop\n")
            self._wait_for_end(pump, decoder)
        finally:
            pump.stop()
            self._receive(pump, 0)  # also what arrived before an unplugged meter was gone
        if self._failure:
            self._discard_output()

    def close(self) -> None:
        """Stop, switch the board off and return control; errors are ignored."""
        with suppress(BoardError):  # it may be unplugged, which was reported before
            if self._pump is not None:
                self.stop()
            self._command("pwr off")
            self._command("hrc")

    def _set_up(self, rate_hz: float, text: bool, energy: bool) -> list[str]:
        commands = ["acqmode dyn", "acqtime inf", "trigdelay 0", "trigsrc sw", "eventsrc d7 fal"]
        commands.append(f"output {'energy' if energy else 'current'}")
        if not energy:
            commands.append(f"funcmode {self._options.get('funcmode', 'optim')}")
        commands.append(f"format {'ascii_dec' if text else 'bin_hexa'}")
        return [*commands, f"freq {f'{rate_hz / 1000:g}k' if rate_hz >= 1000 else f'{rate_hz:g}'}"]

    def _check_rate(self, rate_hz: float) -> None:
        if rate_hz not in CAPABILITIES.rates_hz:
            rates = ", ".join(f"{rate:g}" for rate in CAPABILITIES.rates_hz)
            raise ConfigError(f"the LPM01A samples at one of {rates} Hz", got=f"{rate_hz:g} Hz")
        if self._url_hz not in (None, rate_hz):
            raise ConfigError(f"the meter's URL sets {self._url_hz:g} Hz", got=f"a start at {rate_hz:g} Hz")

    def _started(self) -> Decoder:
        if self._decoder is None:
            raise BoardError("the LPM01A should be started before its samples are read", got="no start")
        return self._decoder

    def _receive(self, pump: Pump, timeout_s: float) -> None:
        try:
            self._feed(pump.take(timeout_s))
        except BoardError as error:  # of the port: the decoder's are in _failure already
            self._failure = self._failure or error

    def _feed(self, content: bytes) -> None:
        if self._failure or not content:
            return
        try:
            self._started().feed(content)
        except BoardError as error:
            self._failure = error  # raised once the samples before it were read

    def _wait_for_end(self, pump: Pump, decoder: Decoder) -> None:
        deadline = time.monotonic() + _ANSWER_S
        while not (decoder.done or self._failure):
            if time.monotonic() > deadline:
                raise self._stop_error()
            self._receive(pump, 0.1)

    def _check_firmware(self) -> None:
        answer = self._command("version")
        version = _VERSION.search(answer) or _VERSION.search(" ".join(self._lines(_SILENCE_S)))
        if version and tuple(map(int, version.groups())) < OLDEST_FIRMWARE:
            raise self._firmware_error(f"version {version.group()}")

    def _firmware_error(self, got: str) -> BoardError:
        return BoardError(
            f"the LPM01A's firmware should be {'.'.join(map(str, OLDEST_FIRMWARE))} or newer",
            got=got,
            hint="update it with ST's STSW-PSHIELD: older ones cannot switch the board or record its timestamps",
        )

    def _reported_volts(self) -> float | None:
        match = _VOLTS.search(self._command("volt get"))
        return float(f"{match[1]}e{match[2]}") if match else None

    def _command(self, command: str) -> str:
        """Send `command`; return the text after its acknowledgement."""
        self._port.write(f"{command}\n".encode())
        deadline = time.monotonic() + _ANSWER_S
        while (remaining := deadline - time.monotonic()) > 0:
            line = self._line(remaining)
            if line.startswith(f"ack {command}"):
                return line.removeprefix(f"ack {command}").strip()
            if line.lower().startswith("error"):
                raise self._rejected(command, " ".join([line, *self._lines(_SILENCE_S)]))
        raise BoardError(
            f"{self._path} should be an LPM01A that answers `{command}`",
            got=f"no acknowledgement within {_ANSWER_S:g} s",
            hint="check that this is its port (USB 0483:5740) and no other program holds it; unplug it and try again",
        )

    def _rejected(self, command: str, answer: str) -> BoardError:
        if command.startswith(("pwr", "eventsrc")):
            return self._firmware_error(f"`{command}` was refused: {answer}")
        return BoardError(f"the LPM01A should accept `{command}`", got=answer, hint="unplug it and try again")

    def _lines(self, silence_s: float) -> list[str]:
        lines = []
        while line := self._line(silence_s):
            lines.append(line)
        return lines

    def _line(self, timeout_s: float) -> str:
        """The next line that is not empty, without the prompt; "" after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while True:
            line, newline, rest = self._text.partition(b"\n")
            if newline:
                self._text = rest
                text = line.decode("latin-1").replace("\0", "").strip().removeprefix(PROMPT).strip()
                if text:
                    return text
            elif (remaining := deadline - time.monotonic()) <= 0:
                return ""
            else:
                self._text += self._port.read(remaining)

    def _discard_output(self) -> None:
        """Discard unsolicited output: a prompt, or samples of a killed run, which is stopped."""
        self._port.write(b"\n")
        start, stopped = time.monotonic(), False
        while self._port.read(_SILENCE_S):
            seconds = time.monotonic() - start
            if seconds > 2 * _SILENCE_S and not stopped:
                self._port.write(b"stop\n")
                stopped = True
            if seconds > _ANSWER_S:
                raise self._stop_error()
        self._text = b""

    def _stop_error(self) -> BoardError:
        return BoardError(
            f"{self._path} should end the acquisition at the command `stop`",
            got=f"no end within {_ANSWER_S:g} s",
            hint="unplug the LPM01A, plug it in again and measure again",
        )


def _check_choice(options: dict[str, str], key: str, choices: tuple[str, ...]) -> None:
    if options.get(key, choices[0]) not in choices:
        raise ConfigError(f"lpm01a: the option {key} is one of {', '.join(choices)}", got=options[key])
