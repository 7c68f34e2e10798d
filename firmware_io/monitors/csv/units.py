"""What a column without a unit would mean in each unit: the refusal of a table that does not say."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgekws.errors import ConfigError
from firmware_io.monitors.csv import table
from firmware_io.monitors.csv.columns import UNITS, Column

_SHOWN = {
    "time": ("s", "ms", "us"),
    "current": ("a", "ma", "ua", "na"),
    "voltage": ("v", "mv"),
    "power": ("w", "mw", "uw"),
}
_NAMES = {"a": "A", "ma": "mA", "ua": "uA", "na": "nA", "v": "V", "mv": "mV", "w": "W", "mw": "mW", "uw": "uW"}
_MEANT_IN = {"current": ("mA", 1e3), "voltage": ("V", 1.0), "power": ("mW", 1e3)}
_LIKELY = {"time": (100.0, 2e6), "current": (1e-4, 0.2), "voltage": (0.9, 5.5), "power": (1e-4, 1.0)}
"""Samples per second, A, V and W of microcontrollers: for the example only, never for a measurement."""
_FIRST = 3


def check(path: Path, layout: table.Layout, columns: dict[str, Column], options: dict[str, str]) -> None:
    """Raises ConfigError that shows the columns, their first values and what these are in each unit, if one is missing.

    columns: role -> column; those with a scale have a unit. options: of the meter's URL, for the line to type.
    """
    roles = [role for role, column in columns.items() if column.scale is None and role != "edge"]
    if not roles:
        return
    _, values = next(table.blocks(path, layout, [columns[role].index for role in roles]))
    titles = ", ".join(layout.header) or f"{layout.width} columns without titles"
    meanings = [_meaning(role, values[:, at]) for at, role in enumerate(roles)]
    example = {role: _likely(role, values[:, at]) for at, role in enumerate(roles)}
    raise ConfigError(
        f"{' and '.join(roles)} in {path} should have a unit, in the title or in the URL",
        got=f"the columns {titles}; {'; '.join(meanings)}",
        hint=f"type the units that the meter's manual says, for example --meter '{_line(path, options, example)}'",
    )


def _meaning(role: str, values: np.ndarray) -> str:
    """First values, and what they are in each unit: samples per second of a time, else the mean."""
    first = ", ".join(f"{value:.6g}" for value in values[:_FIRST])
    units = [f"{_value(role, values, unit):,.4g}{_said(role)} if in {_NAMES.get(unit, unit)}" for unit in _SHOWN[role]]
    return f"{role} begins {first} and {'has' if role == 'time' else 'is on average'} {', '.join(units)}"


def _said(role: str) -> str:
    return " samples/s" if role == "time" else f" {_MEANT_IN[role][0]}"


def _value(role: str, values: np.ndarray, unit: str) -> float:
    """In samples per second, mA, V or mW."""
    if role == "time":
        return _rate(values, unit)
    return float(np.mean(values)) * UNITS[role][unit] * _MEANT_IN[role][1]


def _rate(values: np.ndarray, unit: str) -> float:
    step = float(np.median(np.diff(values))) if len(values) > 1 else 0.0
    return 1 / (step * UNITS["time"][unit]) if step > 0 else 0.0


def _likely(role: str, values: np.ndarray) -> str:
    """The first unit in which the values are those of a microcontroller and its meter."""
    low, high = _LIKELY[role]
    for unit in _SHOWN[role]:
        value = _value(role, values, unit) / (1.0 if role == "time" else _MEANT_IN[role][1])
        if low <= value <= high:
            return _NAMES.get(unit, unit)
    return _NAMES.get(_SHOWN[role][1], _SHOWN[role][1])


def _line(path: Path, options: dict[str, str], units: dict[str, str]) -> str:
    """The meter's URL with its options and these units."""
    with_units = {role: f"{options[role]}:{unit}" if role in options else unit for role, unit in units.items()}
    return f"csv:{path}?{'&'.join(f'{key}={value}' for key, value in {**options, **with_units}.items())}"
