"""Serial ports of this computer: which there are, what each may be, and which one a person means.

Nothing here sends a byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgekws.errors import BoardError

METERS = {"0483:5740": "X-NUCLEO-LPM01A", "1915:c00a": "Nordic PPK2"}
"""Energy meters with a serial port: never to be asked as if they were a board."""
_USB_ID = re.compile(r"[0-9a-fA-F]{4}:[0-9a-fA-F]{4}")


@dataclass(frozen=True)
class Port:
    """usb: "vid:pid" in hexadecimal, "" for a port that is not on USB. boards, meter: what the USB id may be.

    place: where on the bus, and which of the probe's interfaces; what tells two ports of one probe apart.
    """

    device: str
    usb: str = ""
    serial: str = ""
    title: str = ""
    place: str = ""
    boards: tuple[str, ...] = ()
    meter: str = ""

    @property
    def may_be(self) -> str:
        """What it may be, in words, and why."""
        if self.meter:
            return f"the meter {self.meter}, because of its USB id {self.usb}"
        if self.boards:
            return f"{' or '.join(self.boards)}, because of its USB id {self.usb}"
        return f"no board that is known here has the USB id {self.usb}" if self.usb else "not on USB"

    def __str__(self) -> str:
        words = (self.usb, f"serial number {self.serial}" if self.serial else "", self.place, self.title)
        return f"{self.device} ({', '.join(filter(None, words)) or 'nothing is known of it'})"


def listed() -> list[Port]:
    """All ports of this computer, by name."""
    from serial.tools import list_ports

    return sorted((_port(info) for info in list_ports.comports()), key=lambda port: port.device)


def _port(info: object) -> Port:
    vid, pid = getattr(info, "vid", None), getattr(info, "pid", None)
    words = {key: str(getattr(info, key, None) or "") for key in ("device", "serial_number", "description", "location")}
    title = "" if words["description"] == "n/a" else words["description"]
    usb = "" if vid is None or pid is None else f"{vid:04x}:{pid:04x}"
    known = boards_of(usb)
    return Port(words["device"], usb, words["serial_number"], title, words["location"], known, METERS.get(usb, ""))


def boards_of(usb: str) -> tuple[str, ...]:
    from firmware_io import board

    return tuple(name for name in board.names() if usb and usb in board.load(name).usb)


def matching(wanted: str, ports: list[Port]) -> list[Port]:
    """Ports that `wanted` means: a USB id "vid:pid", "sn=SERIAL", or "board=NAME" (then no meters)."""
    from firmware_io import board

    key, _, value = wanted.partition("=")
    if key == "sn":
        return [port for port in ports if port.serial and port.serial.lower() == value.lower()]
    if key == "board":
        board.load(value)  # refuses a board that is not there
        return [port for port in ports if value in port.boards and not port.meter]
    return [port for port in ports if port.usb == wanted.lower()]


def is_path(wanted: str) -> bool:
    """Whether what stands behind serial: names a port itself, and not something about it."""
    return not (_USB_ID.fullmatch(wanted) or wanted.startswith(("sn=", "board=")))


def one(wanted: str, found: list[Port], ports: list[Port]) -> Port:
    """The only port in `found`. Raises BoardError that lists the candidates, or else all ports."""
    if len(found) == 1:
        return found[0]
    if found:
        raise BoardError(
            f"serial:{wanted} should mean one port",
            got=f"{len(found)} candidates: {'; '.join(map(str, found))}",
            hint=f"name one with --port, for example serial:{found[0].device}"
            + (f" or serial:sn={found[0].serial}" if len({port.serial for port in found}) == len(found) else ""),
        )
    there = "; ".join(f"{port}: {port.may_be}" for port in ports)
    raise BoardError(
        f"serial:{wanted} should be plugged in",
        got=f"{len(ports)} other port{'s' if len(ports) > 1 else ''}: {there}" if ports else "no serial port at all",
        hint="check its cable (many carry power alone) and power, run `edgekws ports`, or name another with --port",
    )
