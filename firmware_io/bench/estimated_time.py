"""The time of an inference on the chip that an emulated board stands for: estimated from counted instructions.

    microseconds = instructions x cycles per instruction / megahertz

The chip, its clock and the cycles per instruction of its core, with their bounds and sources, are those of the meter
`model:` (firmware_io/monitors/devices.toml).
"""

from __future__ import annotations

from dataclasses import dataclass

from edgekws.errors import ConfigError
from edgekws.types import Interval
from firmware_io.board import Board
from firmware_io.monitors import model


@dataclass(frozen=True)
class Estimate:
    """us: of one inference, between the bounds of `interval`. chip: with its clock."""

    us: float
    interval: Interval
    chip: str


def of(board: Board, instructions: float) -> Estimate | None:
    """The estimate for an emulated board; None for any other, and where no chip with its core is known."""
    if board.how != "emulated":
        return None
    try:
        known = model.load(board)
    except ConfigError:
        return None
    each_us = instructions / known.clock_mhz
    bounds = Interval(each_us * known.cycles.lowest, each_us * known.cycles.highest)
    return Estimate(each_us * known.cycles.typical, bounds, f"{known.chip} at {known.clock_mhz:g} MHz")
