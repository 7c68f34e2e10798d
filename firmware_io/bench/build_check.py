"""Whether a device runs the firmware that was built for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgekws.errors import BoardError
from firmware_io.board import Board
from firmware_io.build import Firmware


@dataclass(frozen=True)
class BuildCheck:
    """id: the build id that the device reported, 32 hex digits; "" for none. expected: of the firmware, "" for none.

    status: verified (both are equal), unverified (the device reports none), unknown (nothing was compared).
    """

    status: Literal["verified", "unverified", "unknown"] = "unknown"
    id: str = ""
    expected: str = ""


def compared(board: Board, number: str, firmware: Firmware | None) -> BuildCheck:
    """What the build id `number` of the device proves about `firmware`.

    Raises BoardError when the device runs another build: no figure may carry the name of a firmware that never ran.
    """
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
    return BuildCheck("verified", number, expected)
