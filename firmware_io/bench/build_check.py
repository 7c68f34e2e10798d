"""Whether a device runs the firmware that was built for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgekws.errors import BoardError
from firmware_io.board import Board
from firmware_io.build import Firmware
from firmware_io.protocol.session import Session


@dataclass(frozen=True)
class BuildCheck:
    """id: the build id that the device reported, 32 hex digits; "" for none. expected: of the firmware, "" for none.

    status: verified (both are equal), unverified (the device reports none), unknown (nothing was compared).
    """

    status: Literal["verified", "unverified", "unknown"] = "unknown"
    id: str = ""
    expected: str = ""


def compared(board: Board, session: Session, firmware: Firmware | None) -> BuildCheck:
    """What the device of a started session proves about `firmware`, by its build id and by the CRC-32 of its flash.

    Raises BoardError when the device runs another build, or one whose bytes are others: no figure may carry the name of
    a firmware that never ran.
    """
    number = session.build_id or ""
    expected = firmware.build_id if firmware else ""
    if not number:
        return BuildCheck("unverified", "", expected)
    if firmware is None:
        return BuildCheck("unknown", number)
    if number != expected:
        raise BoardError(
            f"the device should run {firmware.elf.name}, the firmware of this bench, build id {expected or 'none'}",
            got=f"build id {number}",
            hint=f"flash it with the options of this bench (edgekws flash --board {board.name}; --min-ram and --energy "
            "make other firmwares), or bench with the options, or the --image, of the firmware that the device holds",
        )
    if firmware.flash_crc32 is not None:
        require_flash(session, "the device", firmware.elf.name, firmware.flash_crc32)
    return BuildCheck("verified", number, expected)


def require_flash(session: Session, device: str, image: str, crc32: int) -> None:
    """Raises BoardError unless the flash of `device` holds the bytes of `image`, whose CRC-32 is given.

    A build id is only what an image says of itself. A damaged copy still says it.
    """
    got = session.flash_crc32()
    if got != crc32:
        raise BoardError(
            f"the flash of {device} should hold the bytes of {image}, CRC-32 {crc32:08x}",
            got=f"CRC-32 {'none' if got is None else f'{got:08x}'}, with the same build id: a damaged or changed image",
            hint="flash it again; if that does not help, look for a worn flash or a supply too weak to write it",
        )
