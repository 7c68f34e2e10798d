"""Find the devices at serial ports: send `name%` at several baud rates, and only to ports where that is allowed.

An IO manager and a meter that answer are recognised too: what they are, and the URL under which they are used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edgekws.errors import BoardError, EdgeKwsError
from firmware_io import ports
from firmware_io.ports import Port
from firmware_io.protocol.session import Identity, Session, Timeouts
from firmware_io.transport import Transport, open_transport
from firmware_io.transport.io import ECHO, INTERFACE_BOARD

BAUDS = (115_200, 9_600, 921_600)
"""Tried after the board's own rate: the usual one, that of energy mode, and the fastest seen in submissions."""
TIMEOUTS = Timeouts(line_s=1.0, quiet_s=0.05)
_BY_BOARD = re.compile(r"((?:^|:)serial:)board=([^?]*)")
_READY, _DEVICE = b"m-ready\r\n", b"m-name-dut-["
_METER = re.compile(rb"PowerShield > [^\r\n]*")
_QUESTION = b"dut name%"
"""Never sent to an interface board, which would wait without end if no device is wired to it."""


@dataclass(frozen=True)
class Neighbour:
    """What stands beside a board in MLPerf Tiny's energy set-up: an IO manager or a meter.

    title: what it is. answer: by which it was recognised. use: the option under which it is used.
    """

    title: str
    answer: str
    use: str


@dataclass(frozen=True)
class Probe:
    """The result for one port. probed: whether bytes were sent to it. reason: why there is no identity.

    identity, baud: of the device that answered; None and 0 when none did. neighbour: what answered and is no device.
    """

    port: Port
    probed: bool
    identity: Identity | None = None
    baud: int = 0
    reason: str = ""
    neighbour: Neighbour | None = None

    @property
    def answered(self) -> bool:
        """Whether it is known what is at the port."""
        return self.identity is not None or self.neighbour is not None

    @property
    def verdict(self) -> str:
        """One sentence: what is at the port, and how that is known."""
        if self.neighbour is not None:
            other = self.neighbour
            return f"{other.title}, because it answered {other.answer} at {self.baud} baud; use it with {other.use}"
        if self.identity is not None:
            answer = f"m-name-dut-[{self.identity.name}]"
            return f"a {self.identity.model} device, because it answered `name%` with {answer} at {self.baud} baud"
        if self.probed:
            return f"no device of the protocol: {self.reason}"
        return f"not probed: {self.reason}"


def allowed(port: Port, named: Iterable[str]) -> bool:
    """Whether the port may be probed: the user named it or its USB id is a known board's, and it is no meter."""
    return not port.meter and (port.device in set(named) or bool(port.boards))


def all_of(listed: list[Port], named: Iterable[str] = (), ask: Callable[[Port], Probe] | None = None) -> list[Probe]:
    """Probe each of the ports that may be probed. named: devices that the user named. ask: replaces `probe`."""
    chosen = set(named)
    return [(ask or probe)(port) if allowed(port, chosen) else _skipped(port) for port in listed]


def summary(probes: list[Probe]) -> str:
    """One line: how many ports there are, were probed and answered."""
    probed = [probe for probe in probes if probe.probed]
    answered = [probe for probe in probed if probe.answered]
    return f"{len(probes)} port{'' if len(probes) == 1 else 's'}; {len(probed)} probed; {len(answered)} answered"


def _skipped(port: Port) -> Probe:
    if port.meter:
        use = f"; use it with --meter {port.meter_url}" if port.meter_url else ""
        return Probe(port, False, reason=f"it may be {port.kind}{use}")
    return Probe(port, False, reason=f"{port.kind}; name the port to probe it")


def probe(port: Port, timeouts: Timeouts = TIMEOUTS) -> Probe:
    """Send `name%` at each baud rate until a device, an IO manager or a meter answers."""
    reason = ""
    for baud in _bauds(port):
        try:
            answer = _identity(port, baud, timeouts)
        except BoardError as error:
            reason = reason or str(error)
        except EdgeKwsError as error:
            reason = str(error)  # a wrong answer says more than silence
        else:
            if isinstance(answer, Neighbour):
                return Probe(port, True, baud=baud, neighbour=answer)
            return Probe(port, True, answer, baud)
    return Probe(port, True, reason=reason)


def _bauds(port: Port) -> list[int]:
    from firmware_io import board

    return list(dict.fromkeys([*(board.load(name).baud for name in port.boards), *BAUDS]))


def _identity(port: Port, baud: int, timeouts: Timeouts) -> Identity | Neighbour:
    with open_transport(f"serial:{port.device}?baud={baud}") as transport:
        line = _Recorded(transport)
        try:
            return Session(line, timeouts).identify()
        except EdgeKwsError:
            if neighbour := _neighbour(line, port.device, timeouts):
                return neighbour
            raise


class _Recorded:
    """A transport that keeps what was received."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.received = b""
        self.write, self.close = inner.write, inner.close

    def read(self, timeout_s: float) -> bytes:
        content = self._inner.read(timeout_s)
        self.received += content
        return content


def _neighbour(line: _Recorded, device: str, timeouts: Timeouts) -> Neighbour | None:
    """What answered `name%` although it is no device; None for anything else."""
    manager = f"--port io:serial:{device} (?baud=N behind it for the baud rate of the board that is wired to it)"
    if INTERFACE_BOARD.encode() in line.received:
        return Neighbour("MLCommons' interface board (STM32H573I-DK)", f"`name%` with {INTERFACE_BOARD}", manager)
    if match := _METER.search(line.received):
        return Neighbour("a meter X-NUCLEO-LPM01A", match[0].decode("latin-1"), f"--meter lpm01a:{device}")
    if _READY not in line.received or _DEVICE in line.received:
        return None
    line.write(_QUESTION)
    start = len(line.received)
    while line.read(timeouts.line_s):
        if match := ECHO.search(line.received, start):
            return Neighbour("EEMBC's IO manager", f"`dut name%` with {match[0].decode('latin-1')}", manager)
    return None


def resolved(url: str) -> str:
    """The transport's URL with the path of a port in the place of each `serial:board=NAME`.

    Raises BoardError, which lists the candidates, when not exactly one port is that board's.
    """

    def path(match: re.Match[str]) -> str:
        return f"{match[1]}{board_port(match[2], ports.listed()).device}"

    return _BY_BOARD.sub(path, url)


def board_port(name: str, listed: list[Port], ask: Callable[[Port], Probe] = probe) -> Port:
    """The port of the board `name`. Among several with its USB id, the one whose firmware answers with that name.

    listed: all ports of this computer. Raises BoardError, which lists the candidates, when not exactly one fits.
    """
    candidates = ports.matching(f"board={name}", listed)
    if len(candidates) < 2:
        return ports.one(f"board={name}", candidates, listed)
    answers = [ask(port) for port in candidates]
    matches = [answer.port for answer in answers if answer.identity and answer.identity.name == f"edgekws-{name}"]
    if len(matches) == 1:
        return matches[0]
    raise BoardError(
        f"serial:board={name} should match one port",
        got="; ".join(f"{answer.port} is {answer.verdict}" for answer in answers),
        hint=f"name one, for example serial:{candidates[0].device}",
    )
