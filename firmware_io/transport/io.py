"""io:URL[?baud=N&dialect=eembc|mlc]: a device behind an IO manager, as in the energy set-up of MLPerf Tiny.

URL is the transport that ends at the manager (io:serial:/dev/ttyACM0); an option behind its last `?` is the
manager's (for both: io:serial:/dev/ttyACM0?baud=115200?dialect=mlc). Two managers speak the same language,

    dut name%                       ->  m-dut-passthrough(name)
                                        m-ready                      the manager's own
                                        [dut]: m-name-dut-[x]        then every line of the device
                                        [dut]: m-ready

eembc   EEMBC's Arduino (io-manager_1.0.3.hex); the device's side has 9600 baud. It restarts when its port is opened.
mlc     MLCommons' interface board (STM32H573I-DK). `checkbaud` prints the baud rate of the device's side, `setbaud N`
        stores another one and restarts the board. It reads the device only between a command and the first m-ready,
        and until then it answers nothing. So it takes the banner of a device that starts behind it for the first
        answer, and all answers arrive one command late. That is noticed when the answer to `name` has no name: the
        interface board is restarted, which empties its memory of the device, and `name` is sent again.

Without `dialect` the answer to `name` decides. An answer that is lost behind the manager appears as silence. Sources:
mlcommons/tiny @1afd2c9 and earlier (the literals of `checkbaud` and `setbaud` have changed once), benchmark/interface/
Application, and session logs of EEMBC's EnergyRunner; NOT RUN ON A MANAGER yet.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from edgekws.errors import BoardError, ConfigError, ProtocolError
from firmware_io.transport import Transport, open_transport

PREFIX = b"[dut]: "
READY = b"m-ready"
INTERFACE_BOARD = "tinyML Enhanced Interface Board"
"""What MLCommons' interface board answers to `name`."""
EEMBC_BAUD = 9600
ECHO = re.compile(rb"m-dut-passthrough\((.*)\)", re.DOTALL)
"""The manager's own answer to `dut COMMAND%`."""
_DIALECTS = ("eembc", "mlc")
_START_S = 8.0  # an Arduino's boot loader waits for some seconds
_ANSWER_S = 1.0
_ECHO_S = 2.0
"""A manager that listens has repeated a command long before."""
_LATE_S = 0.3
"""A device that has just started answers pending commands within this time."""
_RESTARTS = 3
"""Of the interface board, for one `name`."""
_LONGEST_LINE = 1 << 16
_NAME = re.compile(
    rb"(?!m-ready$|m-lap-us-|m-timestamp-mode-|m-init-done$|m-dut-passthrough\(|e-\[|\[dut\]:|\s*$).+", re.DOTALL
)
"""An answer to `name`, and no line that a manager may print at any time, nor one of a device that starts."""
_DEVICE_NAME = b"m-name-dut-"
_NO_MANAGER = b"e-[Unknown command: dut]"
"""What a device answers to `dut COMMAND%`."""
_BAUD = re.compile(rb"(?:baud is: |checkbaud\()(\d+)\)?")
_NEW_BAUD = re.compile(rb"(?:set baud to: |setbaud\()(\d+)\)?")


@contextmanager
def connect(rest: str, elf: Path | None = None) -> Iterator[IoManager]:
    """Connect for a `with` block. Raises ConfigError for wrong options, BoardError when the manager does not answer."""
    url, dialect, baud = _options(rest)
    with open_transport(url, elf) as inner:
        manager = IoManager(inner, url, dialect)
        manager.open(baud)
        yield manager


@dataclass(frozen=True)
class _Passed:
    """A command whose echo is still to come; at: when it was sent, in seconds of time.monotonic()."""

    command: bytes
    at: float


class IoManager:
    """The transport to a device behind an IO manager. Reads return whole lines only.

    inner: the transport to the manager. url: names it in errors. dialect: "eembc", "mlc" or "" for detection.
    """

    def __init__(self, inner: Transport, url: str, dialect: str = "") -> None:
        self._inner = inner
        self._url = url
        self._dialect = dialect
        self._received = b""
        self._command = b""  # without its %
        self._passed: deque[_Passed] = deque()
        self._nameless = False  # the last command was `name`, and no name has come yet
        self._restarts = 0  # for this `name`
        self._out_of_step: BoardError | None = None  # without a cure

    def open(self, baud: int | None) -> None:
        """Wait until the manager answers. baud: of the device's side, None leaves it unchanged. Raises BoardError."""
        name = self._wait()
        self._dialect = self._dialect or ("mlc" if "interface board" in name.lower() else "eembc")
        if baud is None or (self._dialect, baud) == ("eembc", EEMBC_BAUD):
            return
        if self._dialect == "eembc":
            raise ConfigError(f"EEMBC's IO manager talks to the device at {EEMBC_BAUD} baud", got=str(baud))
        if self._baud() != baud:
            self._restart(baud)

    def read(self, timeout_s: float) -> bytes:
        """Lines of the device; b"" after `timeout_s` of silence.

        Raises ProtocolError for the manager's errors, BoardError when it has stopped listening.
        """
        if self._out_of_step:
            raise self._out_of_step
        deadline = time.monotonic() + timeout_s
        content = b""
        while not content:
            line = self._line(deadline)
            if line is None:
                self._check_listening()
                return b""
            content = self._relayed(line)
        return content

    def write(self, content: bytes) -> None:
        """Pass complete commands on; the rest is kept for the next call."""
        *commands, self._command = (self._command + content).split(b"%")
        for command in commands:
            self._restarts = 0
            self._pass_on(command)

    def close(self) -> None:
        """Close the transport to the manager."""
        self._inner.close()

    def _pass_on(self, command: bytes) -> None:
        self._passed.append(_Passed(command, time.monotonic()))
        self._nameless = command == b"name"
        self._inner.write(b"dut " + command + b"%")

    def _relayed(self, line: bytes) -> bytes:
        """The part of a manager's line that is for the session: only lines of the device."""
        if line.startswith(PREFIX):
            return self._device_line(line.removeprefix(PREFIX)) + b"\r\n"
        if echo := ECHO.fullmatch(line):
            self._check_echo(echo[1])
        elif line.startswith(b"e-["):
            raise self._error("the IO manager should pass commands on", line)
        return b""

    def _device_line(self, line: bytes) -> bytes:
        if _DEVICE_NAME in line:
            self._nameless = False
        elif line == READY and self._nameless and self._dialect == "mlc" and self._restarts < _RESTARTS:
            self._restarts += 1
            self._resynchronise()
        return line

    def _resynchronise(self) -> None:
        """Restart the interface board, which forgets what the device said, and send `name` again."""
        time.sleep(_LATE_S)  # or the board, new, takes the answer to this `name` for one to the next
        try:
            self._restart(self._baud())
        except BoardError as error:
            self._out_of_step = error
            raise
        self._pass_on(b"name")

    def _check_echo(self, command: bytes) -> None:
        if not self._passed or self._passed[0].command != command:
            expected = self._passed[0].command if self._passed else b"nothing"
            raise self._error(f"the IO manager should pass on {_shown(expected)}", command)
        self._passed.popleft()

    def _check_listening(self) -> None:
        """Silence is the device's, unless the manager has not even repeated the command."""
        if self._passed and time.monotonic() - self._passed[0].at > _ECHO_S:
            raise BoardError(
                f"the IO manager should pass on {_shown(self._passed[0].command)}",
                got="silence: an interface board waits without end for the m-ready of the device's last answer",
                hint="press the reset button of the interface board; if that does not help, check the wires between it "
                "and the device, and name the device's baud rate with ?baud=N",
            )

    def _error(self, expected: str, line: bytes) -> ProtocolError:
        hint = "check the cable between this computer and the IO manager, and that nothing else writes to its port"
        return ProtocolError(expected, got=_shown(line), hint=self._direct if line == _NO_MANAGER else hint)

    @property
    def _direct(self) -> str:
        """What to do when the device itself is at the port."""
        return f"this is the device itself; leave out `io:`: --port {self._url}"

    def _wait(self) -> str:
        """The manager's name, once it answers."""
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if match := self._ask("name", _NAME):
                return self._managers_name(match[0])
        raise BoardError(
            f"{self._url} should be an IO manager that answers `name`",
            got=f"no answer within {_START_S:g} s",
            hint="check that this is its port and not the device's, and that its firmware is installed; an interface "
            "board that waits for an answer of its device stays silent until it is reset",
        )

    def _managers_name(self, line: bytes) -> str:
        if line.startswith(_DEVICE_NAME):
            raise BoardError(
                f"{self._url} should be an IO manager",
                got=f"the device itself: {_shown(line)}",
                hint=self._direct,
            )
        return line.decode("latin-1")

    def _ask(self, command: str, expected: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """The line of the manager's own answer that is as expected; None for silence.

        Other lines may be answers to earlier commands, of a program that was interrupted.
        """
        self._received = b""
        self._inner.write(f"{command}%".encode())
        deadline = time.monotonic() + _ANSWER_S
        match = None
        while (line := self._line(deadline)) is not None:
            if line == READY and match:
                return match
            match = expected.fullmatch(line) or match
        return None

    def _baud(self) -> int:
        if match := self._ask("checkbaud", _BAUD):
            return int(match[1])
        raise self._outdated("checkbaud")

    def _restart(self, baud: int) -> None:
        """Set the baud rate of the device's side, which restarts the interface board and empties its memory."""
        if not self._ask(f"setbaud {baud}", _NEW_BAUD):
            raise self._outdated("setbaud")
        self._passed.clear()
        self._wait()
        if (actual := self._baud()) != baud:
            raise BoardError(
                f"the interface board should talk to the device at {baud} baud",
                got=f"{actual} baud after `setbaud {baud}`",
                hint="choose a rate of at most 2,000,000 baud with ?baud=N",
            )

    def _outdated(self, command: str) -> BoardError:
        return BoardError(
            f"the interface board should answer `{command}`",
            got="no such answer",
            hint="install its present firmware (mlcommons/tiny, benchmark/interface); with an older one reset the "
            "interface board after the device has started, and leave out ?baud=",
        )

    def _line(self, deadline: float) -> bytes | None:
        """The next line without its end; None when the time is over."""
        while True:
            line, newline, rest = self._received.partition(b"\n")
            if newline:
                self._received = rest
                return line.removesuffix(b"\r")
            remaining = deadline - time.monotonic()
            content = self._inner.read(remaining) if remaining > 0 else b""
            if not content:
                return None
            self._received = (self._received + content)[-_LONGEST_LINE:]


def _options(rest: str) -> tuple[str, str, int | None]:
    """(URL, dialect or "", baud rate or None)."""
    url, _, query = rest.rpartition("?") if "?" in rest else (rest, "", "")
    options = dict(parse_qsl(query, keep_blank_values=True))
    baud = options.pop("baud", None)
    dialect = options.pop("dialect", "")
    if not url or options or dialect not in ("", *_DIALECTS) or (baud is not None and not _is_positive(baud)):
        raise ConfigError(
            "io: needs the URL of the manager's port; its options are baud=N and dialect=eembc or mlc",
            got=rest or "nothing",
            hint="for example io:serial:/dev/ttyACM0?baud=9600",
        )
    return url, dialect, None if baud is None else int(baud)


def _is_positive(text: str) -> bool:
    return text.isascii() and text.isdecimal() and int(text) > 0


def _shown(content: bytes) -> str:
    return repr(content.decode("latin-1"))[:60]
