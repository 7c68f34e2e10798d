"""The meter of a bench, of any kind: its capabilities, the checks before a run, and the supply of the board."""

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


@dataclass(frozen=True)
class Meter:
    """A meter for one run. url: scheme and options, as in firmware_io.monitors. folder: where `energy.f32` goes.

    volts: supply voltage for the board; None for a meter that only measures, and for kinds other than `live`.
    iterations: inferences between two edges, for the kind `file`. All properties raise ConfigError for a bad URL.
    """

    url: str
    folder: Path
    volts: float | None = None
    iterations: int = 0

    @property
    def capabilities(self) -> Capabilities:
        """What the instrument can do."""
        return monitors.load(self.url)[0].CAPABILITIES

    @property
    def module(self) -> Any:  # noqa: ANN401 (its functions depend on its kind: see firmware_io.monitors)
        """The module of the URL's scheme."""
        return cast(ModuleType, monitors.load(self.url)[0])

    @property
    def rest(self) -> str:
        """The URL without its scheme."""
        return monitors.load(self.url)[1]

    @property
    def rate_hz(self) -> float:
        """Samples per second: the URL's, else the meter's default."""
        return monitors.rate_hz(self.rest, self.capabilities.default_rate_hz)


def check(meter: Meter) -> None:
    """Raises ConfigError when this meter cannot do what the run needs, before any device is touched."""
    able = meter.capabilities
    if able.kind == "live" and not able.edges:
        got, hint = f"{able.title}, which has no input for it", "export a file that has edges, and use csv:"
        raise ConfigError("a live meter should see the board's timestamp pin", got=got, hint=hint)
    if able.kind == "live" and able.supplies_v is None and meter.volts is not None:
        hint = "omit --voltage and power the board from its own supply"
        raise ConfigError("--voltage needs a meter that supplies the board", got=able.title, hint=hint)
    if able.kind == "live" and able.supplies_v is not None and meter.volts is None:
        low, high = able.supplies_v
        hint = f"give --voltage, {low:g} to {high:g} V: what the board needs, often 1.8 or 3.0"
        raise ConfigError(f"{able.title} supplies the board and needs a voltage", got="none", hint=hint)
    if able.kind != "live" and meter.volts is not None:
        hint = "omit --voltage; the meter's URL may have ?volts=N"
        raise ConfigError("--voltage is for a live meter that supplies the board", got=able.title, hint=hint)
    if able.kind == "file" and meter.iterations < 1:
        hint = "give --iterations N, the N of the `infer N W` that the board ran between two edges"
        raise ConfigError("a recorded trace needs the inferences of one window", got="none", hint=hint)
    if able.kind != "file" and meter.iterations:
        hint = "omit --iterations; --window-s sets the length of a window"
        raise ConfigError("--iterations is for a recorded trace (csv:)", got=able.title, hint=hint)
    if able.kind == "live" and able.supplies_v is not None and meter.volts is not None:
        low, high = able.supplies_v
        if not low <= meter.volts <= high:
            raise ConfigError(f"{able.title} supplies {low:g} to {high:g} V", got=f"{meter.volts:g} V")


@contextmanager
def powered(meter: Meter) -> Iterator[Monitor]:
    """Connect a live meter and switch the board on for a `with` block; it is switched off in every case.

    Raises BoardError or ConfigError when the meter cannot be connected.
    """
    with meter.module.connect(meter.rest) as opened:
        monitor = cast(Monitor, opened)
        if meter.volts is None:
            yield monitor
            return
        monitor.set_voltage(meter.volts)
        try:
            yield monitor
        except BaseException:
            with suppress(BoardError):  # a disconnected meter cannot switch off; the first error is the one to report
                monitor.set_voltage(0.0)
            raise
        monitor.set_voltage(0.0)
