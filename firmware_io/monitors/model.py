"""model:[?volts=3.0]: no meter. Energy estimated from time or instructions, and from published currents.

    joules = cycles x amperes per hertz x volts

On a physical board the cycles are its measured time times its clock. On an emulated board they are the instructions
times the cycles per instruction of its core. Every estimate stands for one chip, at one clock and supply, and says so:
an emulated Cortex-M4F stands for an STM32L4R5 at 120 MHz and 3.0 V. A core without such a chip is refused, because the
current of another core says nothing about it. devices.toml has the constants, their bounds and their sources. The
interval is the product of the bounds; it does not include idle time, a radio, a microphone or regulator losses.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekws.errors import ConfigError
from edgekws.types import Interval
from firmware_io.board import Board
from firmware_io.monitors import Capabilities, Estimate, _url

CAPABILITIES = Capabilities(title="model of published currents", kind="model")
_CONSTANTS = Path(__file__).with_name("devices.toml")
_OPTIONS = ("volts",)


@dataclass(frozen=True)
class Range:
    """A constant with its bounds."""

    typical: float
    lowest: float
    highest: float


ONE = Range(1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Constants:
    """Constants of a core. active_ua_per_mhz: current while computing, in microamperes per megahertz of its clock.

    cycles: per instruction. chip, clock_mhz, volts: what the estimate stands for. source: where they were published.
    """

    title: str
    chip: str
    clock_mhz: float
    volts: float
    active_ua_per_mhz: Range
    cycles: Range
    source: str


def estimate(board: Board, us: float, instructions: float | None = None, rest: str = "") -> Estimate:
    """Joules of one inference of `us` microseconds of the board's clock.

    instructions: of an emulated board; computed from `us` when None. Raises ConfigError for a core without a chip whose
    current was published, and for options in `rest` other than volts.
    """
    path, options = _url.split("model", rest, _OPTIONS)
    if path:
        raise ConfigError("model: takes nothing but ?volts=N", got=path)
    constants = load(board)
    volts = _url.number("model", options, "volts", constants.volts) or constants.volts
    cycles, per_cycle = _cycles(board, us, instructions, constants.cycles)
    current = constants.active_ua_per_mhz
    joules = cycles * volts * 1e-12  # 1 uA/MHz is 1e-12 A/Hz
    return Estimate(
        joules * per_cycle.typical * current.typical,
        Interval(joules * per_cycle.lowest * current.lowest, joules * per_cycle.highest * current.highest),
        f"{constants.title} at {volts:g} V: {constants.source}",
        f"{constants.chip} at {constants.clock_mhz:g} MHz and {volts:g} V",
    )


def load(board: Board) -> Constants:
    """The constants of the board's core. Raises ConfigError when there are none."""
    value: dict[str, Any] = tomllib.loads(_CONSTANTS.read_text(encoding="utf-8"))
    core = value["core"].get(board.core)
    if core is None:
        raise ConfigError(
            f"the meter `model:` needs a chip with the core of {board.name} whose current was published",
            got=f"the core {board.core}; there is a chip for {', '.join(value['core'])}",
            hint="measure a board: --meter lpm01a:PORT or csv:FILE",
        )
    device = value["device"][core["device"]]
    source = device["source"] if board.how == "measured" else f"{device['source']}. Cycles: {core['source']}"
    return Constants(
        title=device["title"],
        chip=device["chip"],
        clock_mhz=board.clock_hz / 1e6 if board.how == "measured" else device["clock_mhz"],
        volts=device["volts"],
        active_ua_per_mhz=Range(*device["active_ua_per_mhz"]),
        cycles=Range(*core["cycles"]),
        source=source,
    )


def _cycles(board: Board, us: float, instructions: float | None, per_instruction: Range) -> tuple[float, Range]:
    """(count, cycles each): cycles of the clock when the time is measured, instructions when it is emulated."""
    if board.how == "measured":
        return us * board.clock_hz / 1e6, ONE
    if instructions is None:
        if board.icount_shift < 0:
            raise ConfigError(f"{board.name} should count instructions for an estimate of energy", got="time only")
        instructions = us * 1000 / 2**board.icount_shift
    return instructions, per_instruction
