"""Who is at a port: asked with `name%`, at several speeds, and only where that is allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edgekws.errors import BoardError, EdgeKwsError
from firmware_io import ports
from firmware_io.ports import Port
from firmware_io.protocol.session import Identity, Session, Timeouts

BAUDS = (115_200, 9_600, 921_600)
"""Tried after the board's own: the usual one, that of energy mode, and the fastest that has been seen in use."""
TIMEOUTS = Timeouts(line_s=1.0, quiet_s=0.05)


@dataclass(frozen=True)
class Probe:
    """What came of one port. identity, baud: of who answered; None and 0 for nobody. asked: bytes were sent to it."""

    port: Port
    asked: bool
    identity: Identity | None = None
    baud: int = 0
    trouble: str = ""

    @property
    def verdict(self) -> str:
        """One sentence: what it is, because of what."""
        if self.identity is not None:
            said = f"m-name-dut-[{self.identity.name}]"
            return f"a {self.identity.model} device, because it answered `name%` with {said} at {self.baud} baud"
        if self.asked:
            return f"no device of the protocol: {self.trouble}"
        return f"not asked: {self.trouble}"


def allowed(port: Port, named: Iterable[str]) -> bool:
    """Ports that a person named, and those whose USB id is of a known board; never a meter."""
    return not port.meter and (port.device in set(named) or bool(port.boards))


def all_of(found: list[Port], named: Iterable[str] = (), ask: Callable[[Port], Probe] | None = None) -> list[Probe]:
    """Every port asked that may be asked."""
    chosen = set(named)
    return [(ask or probe)(port) if allowed(port, chosen) else _left_alone(port) for port in found]


def summary(probes: list[Probe]) -> str:
    asked = [probe for probe in probes if probe.asked]
    answered = [probe for probe in asked if probe.identity is not None]
    return f"{len(probes)} port{'' if len(probes) == 1 else 's'}; {len(asked)} asked; {len(answered)} answered"


def _left_alone(port: Port) -> Probe:
    why = f"it may be {port.may_be}" if port.meter else f"{port.may_be}; name it to have it asked"
    return Probe(port, False, trouble=why)


def probe(port: Port, timeouts: Timeouts = TIMEOUTS) -> Probe:
    """Ask at every speed until somebody answers."""
    trouble = ""
    for baud in _bauds(port):
        try:
            return Probe(port, True, _asked(port, baud, timeouts), baud)
        except BoardError as error:
            trouble = trouble or str(error)
        except EdgeKwsError as error:
            trouble = str(error)  # something that was said tells more than silence
    return Probe(port, True, trouble=trouble)


def _bauds(port: Port) -> list[int]:
    from firmware_io import board

    return list(dict.fromkeys([*(board.load(name).baud for name in port.boards), *BAUDS]))


def _asked(port: Port, baud: int, timeouts: Timeouts) -> Identity:
    from firmware_io.transport import open_transport

    with open_transport(f"serial:{port.device}?baud={baud}") as transport:
        return Session(transport, timeouts).greet()


def board_port(name: str, found: list[Port], ask: Callable[[Port], Probe] = probe) -> Port:
    """The port of the board `name`; of several with its USB id, the one whose firmware says that it is this board.

    Raises BoardError that lists the candidates.
    """
    candidates = ports.matching(f"board={name}", found)
    if len(candidates) < 2:
        return ports.one(f"board={name}", candidates, found)
    answers = [ask(port) for port in candidates]
    right = [answer.port for answer in answers if answer.identity and answer.identity.name == f"edgekws-{name}"]
    if len(right) == 1:
        return right[0]
    raise BoardError(
        f"serial:board={name} should mean one port",
        got="; ".join(f"{answer.port} is {answer.verdict}" for answer in answers),
        hint=f"name one, for example serial:{candidates[0].device}",
    )
