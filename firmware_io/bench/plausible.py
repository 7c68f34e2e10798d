"""Whether the energy of a meter can be that of this board and this graph.

Supply and current are compared with the data sheet, and the time of an inference with the work of the graph.

A board's file has `supply_v`, the range of the data sheet, and `active_current_ma`, the lowest and highest current that
data sheet and publications give while it computes. The margins are generous, for a board has more than its chip:

supply        5 % beyond the range: the accuracy of supplies and meters.
windows       their mean current a factor of 3 beyond the range: a regulator, a light and pull-ups on the one side, a
              slower clock on the other. A wrong unit is wrong by a factor of 1,000.
rest          no more than the highest of the windows, and not below zero by more than a tenth of them: terminals that
              are swapped, or an offset of the meter. The median energy above idle is above zero.
inferences    cycles of the CPU (seconds of an inference times the board's clock), in each window, against the
              instructions that edgekws' own kernels are estimated to take (edgekws/targets/_estimate.py): 3 times
              fewer, or 100 times more. The published DS-CNNs of MLPerf Tiny on NUCLEO-L4R5ZI take 2 to 9 times as
              many, and a Cortex-M4 cannot do more than two multiplications a cycle, which is half of them; kernels
              that nobody optimized, and a clock that was set lower, are a few ten times slower. An NPU on the chip may
              be as fast as the peak of its data sheet (`npu_macs_per_cycle` in the board's file).
              Without a cost model of the core: more than 256 multiplications a cycle, the peak of the largest
              Ethos-U55, or fewer than one in 300 cycles. A time in the wrong unit is wrong by a factor of 1,000.

Without a voltage the current is not known; then the power is compared with that of the range of supplies. A board
without these fields, and one that was only emulated, is not compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import fmean

from edgekws import targets
from edgekws.graph.ir import Graph
from firmware_io.bench.modes.energy import Energy
from firmware_io.board import Board

SUPPLY_MARGIN = 0.05
CURRENT_MARGIN = 3.0
BELOW_ZERO = 0.1
"""Of the power in the windows: how far that at rest may lie below zero."""
FASTER, SLOWER = 3.0, 100.0
"""How many times fewer, or more, cycles than instructions of our kernels an inference may take."""
MOST_MACS_PER_CYCLE, MOST_CYCLES_PER_MAC = 256, 300
"""The same where the core has no cost model."""
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
    above = energy.uj_per_inference_above_idle
    if above is not None and above <= 0:
        yield (
            f"the energy above idle is {above:.4g} uJ per inference, which should be above 0: the board drew no more "
            "power in its windows than at rest; check that the edges belong to the windows"
        )


def time_reasons(board: Board, graph: Graph, energy: Energy) -> Iterator[str]:
    """Why the windows cannot hold so many inferences of this graph; none for energies that no instrument measured."""
    if energy.how != "measured" or not energy.windows or not board.clock_hz:
        return
    each_s = [window.seconds / window.iterations for window in energy.windows]
    low, high, expected, what = _accepted_cycles(board, graph)
    for seconds in (min(each_s), max(each_s)):
        cycles = seconds * board.clock_hz
        if not low <= cycles <= high:
            ratio = expected / cycles
            times = f"{ratio:,.4g} times fewer" if ratio > 1 else f"{1 / ratio:,.4g} times more"
            yield (
                f"an inference takes {1e3 * seconds:.4g} ms by the meter's clock, {_count(cycles)} cycles at "
                f"{board.clock_hz / 1e6:g} MHz, {times} than {what}; accepted are {_count(low)} to {_count(high)} "
                "cycles: check --iterations and the unit of the time"
            )
            return


def _accepted_cycles(board: Board, graph: Graph) -> tuple[float, float, float, str]:
    """Of an inference: (fewest, most, expected, what is expected)."""
    work, costs = f"{graph.macs:,} multiplications", targets.KERNEL_COSTS.get(board.cpu)
    if costs is None:
        return graph.macs / MOST_MACS_PER_CYCLE, graph.macs * MOST_CYCLES_PER_MAC, graph.macs, f"its {work}"
    instructions = sum(targets.instructions(node, costs) for node in graph.nodes)
    fewest = instructions / FASTER
    if board.npu_macs_per_cycle:
        fewest = min(fewest, graph.macs / board.npu_macs_per_cycle)
    what = f"the {instructions:,.0f} instructions of edgekws' own kernels for its {work}"
    return fewest, instructions * SLOWER, instructions, what


def _count(cycles: float) -> str:
    return f"{cycles:,.0f}" if cycles < 1e9 else f"{cycles:.3g}"


def warnings(board: Board, energy: Energy) -> Iterator[str]:
    """That nothing could be compared."""
    if energy.how == "measured" and not board.clock_hz:
        yield f"the file of the board {board.name} has no clock_hz: the time of an inference was not checked"
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
