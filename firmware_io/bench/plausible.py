"""Whether the energy of a meter can be that of this board: its supply and current against the data sheet.

A board's file has `supply_v`, the range of the data sheet, and `active_current_ma`, the lowest and highest current that
data sheet and publications give while it computes. The margins are generous, for a board has more than its chip:

supply        5 % beyond the range: the accuracy of supplies and meters.
windows       their mean current a factor of 3 beyond the range: a regulator, a light and pull-ups on the one side, a
              slower clock on the other. A wrong unit is wrong by a factor of 1,000.
rest          no more than the highest of the windows, and not below zero by more than a tenth of them: terminals that
              are swapped, or an offset of the meter.

Without a voltage the current is not known; then the power is compared with that of the range of supplies. A board
without these fields, and one that was only emulated, is not compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import fmean

from firmware_io.bench.modes.energy import Energy
from firmware_io.board import Board

SUPPLY_MARGIN = 0.05
CURRENT_MARGIN = 3.0
BELOW_ZERO = 0.1
"""Of the power in the windows: how far that at rest may lie below zero."""
_CHECK = "check the units of the file, the meter's range and its wires"


def reasons(board: Board, energy: Energy) -> Iterator[str]:
    """Why it cannot be; none for energies that no instrument measured."""
    if energy.how != "measured" or not energy.windows:
        return
    yield from _supply_reasons(board, energy.volts)
    watts = fmean(window.joules / window.seconds for window in energy.windows)
    yield from _current_reasons(board, energy.volts, watts, "in the windows", at_least=True)
    rest = [window.idle_watts for window in energy.windows if window.idle_watts is not None]
    if not rest:
        return
    yield from _current_reasons(board, energy.volts, fmean(rest), "at rest", at_least=False)
    if fmean(rest) < -BELOW_ZERO * abs(watts):
        yield f"the power at rest is {1e3 * fmean(rest):.4g} mW, below zero: {_CHECK}"


def warnings(board: Board, energy: Energy) -> Iterator[str]:
    """That nothing could be compared."""
    missing = [name for name in ("supply_v", "active_current_ma") if not getattr(board, name)]
    if energy.how == "measured" and missing:
        what = " and no ".join(missing)
        yield f"the file of the board {board.name} has no {what}: the energy was not compared with a data sheet"


def _supply_reasons(board: Board, volts: float | None) -> Iterator[str]:
    if volts is None or not board.supply_v:
        return
    low, high = board.supply_v
    if not low * (1 - SUPPLY_MARGIN) <= volts <= high * (1 + SUPPLY_MARGIN):
        yield f"the supply is {volts:g} V, but the data sheet of the board allows {low:g} to {high:g} V"


def _current_reasons(board: Board, volts: float | None, watts: float, where: str, at_least: bool) -> Iterator[str]:
    """A current beyond the range of the board; without a voltage, one that no supply of the board explains."""
    if not board.active_current_ma or not (volts or board.supply_v):
        return
    low, high = board.active_current_ma
    lowest, highest = low / CURRENT_MARGIN if at_least else -math.inf, high * CURRENT_MARGIN
    supplies = (volts, volts) if volts else board.supply_v
    least, most = 1e3 * watts / supplies[1], 1e3 * watts / supplies[0]  # mA
    if most >= lowest and least <= highest:
        return
    current = f"{least:.4g} mA" if volts else f"{least:.4g} to {most:.4g} mA, by the supply"
    accepted = f"{lowest:.3g} to {highest:.3g} mA" if at_least else f"{highest:.3g} mA at most"
    yield (
        f"the mean current {where} is {current} ({1e3 * watts:.4g} mW), but the board draws {low:g} to {high:g} mA "
        f"while it computes, by its data sheet and publications; accepted are {accepted}: {_CHECK}"
    )
