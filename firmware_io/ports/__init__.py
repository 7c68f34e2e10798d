"""Serial ports of this computer: list them, say which board or meter each may be, and select one.

Nothing here opens a port or sends a byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgekws.errors import BoardError

METERS = {"0483:5740": "X-NUCLEO-LPM01A", "1915:c00a": "Nordic PPK2"}
"""USB ids of energy meters that have a serial port: they are never probed as if they were a board."""
_SCHEMES = {"X-NUCLEO-LPM01A": "lpm01a", "Nordic PPK2": "ppk2"}
"""Of the meters' URLs."""
_USB_ID = re.compile(r"[0-9a-fA-F]{4}:[0-9a-fA-F]{4}")


@dataclass(frozen=True)
class Port:
    """One serial port. usb: "vid:pid" in hexadecimal, "" for a port that is not on USB.

    serial: serial number of the USB device. place: its position on the bus and the interface of the probe, which
    distinguishes two ports of one probe. boards, meter: names of the boards, or of the meter, with this USB id.
    """

    device: str
    usb: str = ""
    serial: str = ""
    title: str = ""
    place: str = ""
    boards: tuple[str, ...] = ()
    meter: str = ""

    @property
    def meter_url(self) -> str:
        """The URL for --meter; "" for a port that is no known meter's."""
        return f"{_SCHEMES[self.meter]}:{self.device}" if self.meter in _SCHEMES else ""

    @property
    def kind(self) -> str:
        """Which board or meter the port may belong to, in words, and why."""
        if self.meter:
            return f"the meter {self.meter}, because of its USB id {self.usb}"
        if self.boards:
            return f"{' or '.join(self.boards)}, because of its USB id {self.usb}"
        return f"no known board has the USB id {self.usb}" if self.usb else "not on USB"

    def __str__(self) -> str:
        words = (self.usb, f"serial number {self.serial}" if self.serial else "", self.place, self.title)
        return f"{self.device} ({', '.join(filter(None, words)) or 'no details'})"


def listed() -> list[Port]:
    """All serial ports of this computer, sorted by name."""
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
    """Names of the boards whose TOML file lists the USB id `usb` ("vid:pid", lower case)."""
    from firmware_io import board

    return tuple(name for name in board.names() if usb and usb in board.load(name).usb)


def matching(selector: str, ports: list[Port]) -> list[Port]:
    """The ports that `selector` matches: a USB id "vid:pid", "sn=SERIAL", or "board=NAME" (never a meter).

    Raises ConfigError for the name of an unknown board.
    """
    from firmware_io import board

    key, _, value = selector.partition("=")
    if key == "sn":
        return [port for port in ports if port.serial and port.serial.lower() == value.lower()]
    if key == "board":
        board.load(value)  # refuses an unknown board
        return [port for port in ports if value in port.boards and not port.meter]
    return [port for port in ports if port.usb == selector.lower()]


def is_usb_id(selector: str) -> bool:
    """Whether it is a USB id, "vid:pid" in hexadecimal."""
    return _USB_ID.fullmatch(selector) is not None


def is_path(selector: str) -> bool:
    """Whether the part after `serial:` is the path of a port, rather than a USB id, serial number or board."""
    return not (is_usb_id(selector) or selector.startswith(("sn=", "board=")))


def one(selector: str, candidates: list[Port], ports: list[Port]) -> Port:
    """The only candidate. Raises BoardError that lists the candidates, or all `ports` when there are none."""
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        first, unique = candidates[0], len({port.serial for port in candidates}) == len(candidates)
        raise BoardError(
            f"serial:{selector} should match one port",
            got=f"{len(candidates)} candidates: {'; '.join(map(str, candidates))}",
            hint=f"name one with --port, for example serial:{first.device}"
            + (f" or serial:sn={first.serial}" if unique else ""),
        )
    others = "; ".join(f"{port}: {port.kind}" for port in ports)
    raise BoardError(
        f"serial:{selector} should be plugged in",
        got=f"{len(ports)} other port{'s' if len(ports) > 1 else ''}: {others}" if ports else "no serial port at all",
        hint="check its power and its cable (many carry power only), run `edgekws ports`, or name another port with "
        "--port",
    )
