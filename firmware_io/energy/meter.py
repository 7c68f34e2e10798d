"""The meter of a bench, whatever its kind: what it is, its power, its trace or its estimate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from edgekws.errors import BoardError, ConfigError
from firmware_io import monitors
from firmware_io.monitors import Capabilities, Monitor
from firmware_io.monitors._url import rate_hz


@dataclass(frozen=True)
class Meter:
    """A meter to be used. volts: what it feeds the board with; None for one that only watches, and other kinds.

    iterations: inferences between two edges, of a meter whose kind is `file`. folder: where `energy.f32` goes.
    """

    url: str
    folder: Path
    volts: float | None = None
    iterations: int = 0

    @property
    def capabilities(self) -> Capabilities:
        return monitors.load(self.url)[0].CAPABILITIES

    @property
    def module(self) -> Any:  # noqa: ANN401 (its functions depend on its kind: see firmware_io.monitors)
        return cast(ModuleType, monitors.load(self.url)[0])

    @property
    def rest(self) -> str:
        return monitors.load(self.url)[1]

    @property
    def rate_hz(self) -> float:
        return rate_hz(self.rest, self.capabilities.default_rate_hz)


def check(meter: Meter) -> None:
    """Raises ConfigError for what cannot be measured with this meter, before anything is touched."""
    able = meter.capabilities
    if able.kind == "live" and not able.edges:
        got, hint = f"{able.title}, which has no input for it", "export a file that has edges, and use csv:"
        raise ConfigError("a live meter should see the board's timestamp pin", got=got, hint=hint)
    if able.kind == "live" and able.supplies_v is None and meter.volts is not None:
        hint = "leave out --voltage and feed the board from its own supply"
        raise ConfigError("the meter should be one that feeds the board", got=able.title, hint=hint)
    if able.kind == "live" and able.supplies_v is not None and meter.volts is None:
        low, high = able.supplies_v
        hint = f"give --voltage, {low:g} to {high:g} V: what the board needs, often 1.8 or 3.0"
        raise ConfigError(f"{able.title} feeds the board and should know with how much", got="no voltage", hint=hint)
    if able.kind != "live" and meter.volts is not None:
        hint = "leave out --voltage; the meter's URL may say ?volts=N"
        raise ConfigError("--voltage is what a live meter feeds the board with", got=able.title, hint=hint)
    if able.kind == "file" and meter.iterations < 1:
        hint = "give --iterations N, the N of the `infer N W` that the board ran between two edges"
        raise ConfigError("a recorded trace needs the inferences of one window", got="none", hint=hint)
    if able.kind != "file" and meter.iterations:
        hint = "leave out --iterations; how long a window is, --window-s says"
        raise ConfigError("--iterations tells of a recorded trace (csv:)", got=able.title, hint=hint)
    if able.kind == "live" and able.supplies_v is not None and meter.volts is not None:
        low, high = able.supplies_v
        if not low <= meter.volts <= high:
            raise ConfigError(f"{able.title} feeds a board with {low:g} to {high:g} V", got=f"{meter.volts:g} V")


@contextmanager
def powered(meter: Meter) -> Iterator[Monitor]:
    """Connect a live meter and switch the board on; off again at the end, whatever happened."""
    with meter.module.connect(meter.rest) as opened:
        monitor = cast(Monitor, opened)
        if meter.volts is None:
            yield monitor
            return
        monitor.set_voltage(meter.volts)
        try:
            yield monitor
        except BaseException:
            with suppress(BoardError):  # a meter that is gone cannot switch off; what happened first is told
                monitor.set_voltage(0.0)
            raise
        monitor.set_voltage(0.0)
