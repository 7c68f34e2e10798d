"""io:URL[?baud=N&dialect=eembc|mlc]: a device behind an IO manager, as in the energy set-up of MLPerf Tiny.

URL is the transport that ends at the manager (io:serial:/dev/ttyACM0); an option behind its last `?` is the
manager's (for both: io:serial:/dev/ttyACM0?baud=115200?dialect=mlc). Two managers speak the same language,

    dut name%                       ->  m-dut-passthrough(name)
                                        m-ready                      the manager's own
                                        [dut]: m-name-dut-[x]        then every line of the device
                                        [dut]: m-ready

eembc   EEMBC's Arduino (io-manager_1.0.3.hex); the device's side has 9600 baud. It restarts when its port is opened.
mlc     MLCommons' interface board (STM32H573I-DK); `setbaud N` sets the baud rate of the device's side and restarts
        it. It reads the device only between a command and the first m-ready. So it takes the banner of a device that
        starts behind it for the first answer, and all answers arrive one command late. When that is noticed here, the
        interface board is restarted, and the command, if it was `name`, sent again.

Without `dialect` the answer to `name` decides. An answer that is lost behind the manager appears as silence. Sources:
mlcommons/tiny, benchmark/interface, and session logs of EEMBC's EnergyRunner; NOT RUN ON A MANAGER yet.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl

from edgekws.errors import BoardError, ConfigError, ProtocolError
from firmware_io.transport import Transport, open_transport

PREFIX = b"[dut]: "
READY = b"m-ready"
BANNER = (b"m-timestamp-mode-", b"m-init-done")
EEMBC_BAUD = 9600
_DIALECTS = ("eembc", "mlc")
_START_S = 8.0  # an Arduino's boot loader waits for some seconds
_ANSWER_S = 1.0
_LATE_S = 0.3
"""A device that has just started answers pending commands within this time."""
_LONGEST_LINE = 1 << 16
_ECHO = re.compile(rb"m-dut-passthrough\((.*)\)", re.DOTALL)


@contextmanager
def connect(rest: str, elf: Path | None = None) -> Iterator[IoManager]:
    """Connect for a `with` block. Raises ConfigError for wrong options, BoardError when the manager does not answer."""
    url, dialect, baud = _options(rest)
    with open_transport(url, elf) as inner:
        manager = IoManager(inner, url, dialect)
        manager.open(baud)
        yield manager


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
        self._passed: deque[bytes] = deque()  # commands whose echo is still to come
        self._last = b""
        self._answering = False  # the device, to the last command

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
        """Lines of the device; b"" after `timeout_s` of silence. Raises ProtocolError for its errors."""
        deadline = time.monotonic() + timeout_s
        content = b""
        while not content:
            line = self._line(deadline)
            if line is None:
                return b""
            content = self._relayed(line)
        return content

    def write(self, content: bytes) -> None:
        """Pass complete commands on; the rest is kept for the next call."""
        *commands, self._command = (self._command + content).split(b"%")
        for command in commands:
            self._pass_on(command)

    def close(self) -> None:
        """Close the transport to the manager."""
        self._inner.close()

    def _pass_on(self, command: bytes) -> None:
        self._passed.append(command)
        self._last, self._answering = command, False
        self._inner.write(b"dut " + command + b"%")

    def _relayed(self, line: bytes) -> bytes:
        """The part of a manager's line that is for the session: only lines of the device."""
        if line.startswith(PREFIX):
            return self._device_line(line.removeprefix(PREFIX))
        if echo := _ECHO.fullmatch(line):
            self._check_echo(echo[1])
        elif line.startswith(b"e-["):
            raise self._error("the IO manager should pass commands on", line)
        return b""

    def _device_line(self, line: bytes) -> bytes:
        banner = line.startswith(BANNER) and not self._answering
        self._answering = not banner and line != READY
        if banner and self._dialect == "mlc":
            rest = self._rest_of_banner()
            time.sleep(_LATE_S)  # or the manager, new, takes the answer to the first command for one to the second
            self._restart(self._baud())
            if self._last == b"name":
                self._pass_on(self._last)
            return line + b"\r\n" + rest
        return line + b"\r\n"

    def _rest_of_banner(self) -> bytes:
        """The banner up to its m-ready, after which the interface board stops reading the device."""
        content, deadline = b"", time.monotonic() + _ANSWER_S
        while (line := self._line(deadline)) is not None:
            if line.startswith(PREFIX):
                content += line.removeprefix(PREFIX) + b"\r\n"
                if line == PREFIX + READY:
                    break
        return content

    def _check_echo(self, command: bytes) -> None:
        if not self._passed or self._passed[0] != command:
            expected = self._passed[0] if self._passed else b"nothing"
            raise self._error(f"the IO manager should pass on {_shown(expected)}", command)
        self._passed.popleft()

    def _error(self, expected: str, line: bytes) -> ProtocolError:
        hint = "check the cable between this computer and the IO manager, and that nothing else writes to its port"
        return ProtocolError(expected, got=_shown(line), hint=hint)

    def _wait(self) -> str:
        """The manager's name, once it answers."""
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            answer = self._ask("name")
            if answer is not None:
                return " ".join(answer)
        raise BoardError(
            f"{self._url} should be an IO manager that answers `name`",
            got=f"no answer within {_START_S:g} s",
            hint="check that this is its port and not the device's, and that its firmware is installed",
        )

    def _ask(self, command: str) -> list[str] | None:
        """The manager's own answer; None for silence."""
        self._received = b""
        self._inner.write(f"{command}%".encode())
        deadline = time.monotonic() + _ANSWER_S
        answer: list[str] = []
        while (line := self._line(deadline)) is not None:
            if line == READY:
                return answer
            answer.append(line.decode("latin-1"))
        return None

    def _baud(self) -> int:
        answer = " ".join(self._ask("checkbaud") or [])
        match = re.search(r"checkbaud\((\d+)\)", answer)
        if not match:
            raise self._error("the interface board should say its baud rate", answer.encode("latin-1"))
        return int(match[1])

    def _restart(self, baud: int) -> None:
        self._ask(f"setbaud {baud}")
        self._passed.clear()
        self._answering = False
        self._wait()

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
