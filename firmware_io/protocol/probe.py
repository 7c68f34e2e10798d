"""Find the devices at serial ports: send `name%` at several baud rates, and only to ports where that is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edgekws.errors import BoardError, EdgeKwsError
from firmware_io import ports
from firmware_io.ports import Port
from firmware_io.protocol.session import Identity, Session, Timeouts

BAUDS = (115_200, 9_600, 921_600)
"""Tried after the board's own rate: the usual one, that of energy mode, and the fastest seen in submissions."""
TIMEOUTS = Timeouts(line_s=1.0, quiet_s=0.05)
_BY_BOARD = re.compile(r"((?:^|:)serial:)board=([^?]*)")


@dataclass(frozen=True)
class Probe:
    """The result for one port. probed: whether bytes were sent to it. reason: why there is no identity.

    identity, baud: of the device that answered; None and 0 when none did.
    """

    port: Port
    probed: bool
    identity: Identity | None = None
    baud: int = 0
    reason: str = ""

    @property
    def verdict(self) -> str:
        """One sentence: what is at the port, and how that is known."""
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
    answered = [probe for probe in probed if probe.identity is not None]
    return f"{len(probes)} port{'' if len(probes) == 1 else 's'}; {len(probed)} probed; {len(answered)} answered"


def _skipped(port: Port) -> Probe:
    reason = f"it may be {port.kind}" if port.meter else f"{port.kind}; name the port to probe it"
    return Probe(port, False, reason=reason)


def probe(port: Port, timeouts: Timeouts = TIMEOUTS) -> Probe:
    """Send `name%` at each baud rate until a device answers."""
    reason = ""
    for baud in _bauds(port):
        try:
            return Probe(port, True, _identity(port, baud, timeouts), baud)
        except BoardError as error:
            reason = reason or str(error)
        except EdgeKwsError as error:
            reason = str(error)  # a wrong answer says more than silence
    return Probe(port, True, reason=reason)


def _bauds(port: Port) -> list[int]:
    from firmware_io import board

    return list(dict.fromkeys([*(board.load(name).baud for name in port.boards), *BAUDS]))


def _identity(port: Port, baud: int, timeouts: Timeouts) -> Identity:
    from firmware_io.transport import open_transport

    with open_transport(f"serial:{port.device}?baud={baud}") as transport:
        return Session(transport, timeouts).identify()


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
