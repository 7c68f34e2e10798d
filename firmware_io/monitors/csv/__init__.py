"""csv:FILE[?options]: the exported recording of any other meter.

time=UNIT current=UNIT voltage=UNIT power=UNIT          the unit of a column whose title has none: time=ms&current=uA
time=COL current=COL voltage=COL power=COL edge=COL     a column by its title or its number from 1, with its unit where
                                                        the title has none: current=2:uA
volts=3.0         the supply, where the file has neither voltage nor power
rate_hz=1000      samples per second: instead of a time column
edges=FILE        a second table: its time column has the times at which the timestamp pin fell; or a list of seconds

A unit is never assumed: a file whose titles have none is refused, with what its numbers would mean in each unit.
Titles of common tools, delimiters and decimal commas are recognised. The power of a row applies until the next row, for
meters average over a sample. Unevenly spaced rows are resampled to an even grid, which conserves energy. The pin falls
where the column `edge` goes from above 0.5 to below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edgekws.errors import ArtifactError, ConfigError
from firmware_io.monitors import Capabilities, Trace, _url
from firmware_io.monitors.csv import columns as column_rules
from firmware_io.monitors.csv import table, units
from firmware_io.monitors.csv.columns import Column

CAPABILITIES = Capabilities(title="table of another meter", kind="file")
_ROLES = ("time", "current", "voltage", "power", "edge")
_OPTIONS = (*_ROLES, "volts", "rate_hz", "edges")
_EVEN = 0.5  # of a step that a row may be off its place on an even grid
_USUAL_SHARE, _USUAL_STEP = 0.95, 0.1
_GRID_ROWS = 4  # the even grid of an uneven file has at most so many samples per row


@dataclass
class _Rows:
    """Rows read so far, block by block; seconds is empty without a time column, logic without an edge column."""

    watts: list[np.ndarray] = field(default_factory=list)
    seconds: list[np.ndarray] = field(default_factory=list)
    logic: list[np.ndarray] = field(default_factory=list)
    last_s: float = -np.inf
    volt_sum: float = 0.0
    count: int = 0


def load(rest: str) -> Trace:
    """The trace in a file. Raises ConfigError for wrong options, ArtifactError with the line number for a bad file."""
    name, options = _url.split("csv", rest, _OPTIONS)
    if not name:
        raise ConfigError("csv: needs a file", got="nothing", hint="for example csv:measurement.csv?volts=3.0")
    path = Path(name)
    layout = table.sniff(path)
    given = {role: options[role] for role in _ROLES if role in options}
    columns = column_rules.find(layout.header, layout.row, given)
    rate_hz = _url.number("csv", options, "rate_hz")
    volts = _url.number("csv", options, "volts")
    unused = {"time": rate_hz is not None, "current": "power" in columns, "voltage": volts is not None}
    columns = {role: column for role, column in columns.items() if not unused.get(role)}
    _check_columns(path, layout, columns, rate_hz, volts)
    units.check(path, layout, columns, options)
    rows = _read(path, layout, columns, volts)
    supply = volts if volts is not None or "voltage" not in columns else rows.volt_sum / rows.count
    return _trace(path, rows, rate_hz, supply, options.get("edges"))


def _check_columns(
    path: Path, layout: table.Layout, columns: dict[str, Column], rate_hz: float | None, volts: float | None
) -> None:
    titles = ", ".join(layout.header) or f"{layout.width} columns without titles"
    if "time" not in columns and rate_hz is None:
        hint = "name the column (?time=1:ms), or give the sampling rate (?rate_hz=1000)"
        raise ConfigError(f"{path} should have a column of time", got=titles, hint=hint)
    if not {"power", "current"} & columns.keys():
        raise ConfigError(f"{path} should have a column of current or power", got=titles, hint="name it: ?current=2")
    if "power" not in columns and "voltage" not in columns and volts is None:
        raise ConfigError(
            f"{path} should have a column of voltage", got=titles, hint="give the supply voltage: ?volts=3.0"
        )


def _read(path: Path, layout: table.Layout, columns: dict[str, Column], volts: float | None) -> _Rows:
    roles = [role for role in _ROLES if role in columns]
    rows = _Rows()
    for lines, content in table.blocks(path, layout, [columns[role].index for role in roles]):
        values = {role: content[:, at] * (columns[role].scale or 1.0) for at, role in enumerate(roles)}
        if "time" in values:
            _check_time(path, values["time"], rows, lines)
            rows.seconds.append(values["time"])
        rows.watts.append(_watts(values, volts))
        rows.count += len(content)
        if "voltage" in values:
            rows.volt_sum += float(values["voltage"].sum())
        if "edge" in values:
            rows.logic.append(_high(values["edge"], columns["edge"].digit))
    if rows.count < 2:
        raise ArtifactError(f"{path} should have two samples at least", got=str(rows.count))
    return rows


def _watts(values: dict[str, np.ndarray], volts: float | None) -> np.ndarray:
    if "power" in values:
        return values["power"]
    return values["current"] * (values["voltage"] if volts is None else volts)


def _high(values: np.ndarray, digit: int | None) -> np.ndarray:
    """bool [n]: whether the pin is high. digit: counted from the left of eight, as in `00000001`."""
    return values > 0.5 if digit is None else (values // 10 ** (7 - digit)) % 2 > 0.5


def _check_time(path: Path, seconds: np.ndarray, rows: _Rows, lines: Sequence[int]) -> None:
    steps = np.diff(seconds, prepend=rows.last_s)
    wrong = np.flatnonzero(steps <= 0)
    rows.last_s = float(seconds[-1])
    if wrong.size:
        at = int(wrong[0])
        before = seconds[at - 1] if at else seconds[0] - steps[0]
        raise ArtifactError(
            f"the time in {path} should grow with every row",
            got=f"line {lines[at]}: {seconds[at]:.9g} s after {before:.9g} s",
            hint="export it with more digits, or give ?rate_hz=N if the rows are evenly spaced",
        )


def _trace(path: Path, rows: _Rows, rate_hz: float | None, volts: float | None, edges_file: str | None) -> Trace:
    watts = np.concatenate(rows.watts)
    fallen = _falling(np.concatenate(rows.logic)) if rows.logic else np.zeros(0, int)
    seconds = np.concatenate(rows.seconds) if rate_hz is None else np.arange(len(watts)) / rate_hz
    step = (seconds[-1] - seconds[0]) / (len(seconds) - 1)
    if _is_even(seconds, step):
        joules, rate, dropped, edges = watts * step, 1 / step, 0, [int(row) for row in fallen]
    else:
        joules, rate, dropped = _even(seconds, watts)
        edges = _places(seconds[fallen], seconds[0], rate, len(joules))
    if edges_file is not None:
        edges = sorted([*edges, *_from_file(Path(edges_file), seconds[0], rate, len(joules))])
    return Trace(f"table {path.name}", float(rate), joules, tuple(edges), volts, dropped)


def _falling(high: np.ndarray) -> np.ndarray:
    return np.flatnonzero(high[:-1] & ~high[1:]) + 1


def _is_even(seconds: np.ndarray, step: float) -> bool:
    """Whether the rows are evenly spaced, apart from rounding of the printed time; a missing row is not."""
    off = np.abs(seconds - seconds[0] - step * np.arange(len(seconds))).max()
    return bool(off <= _EVEN * step and np.diff(seconds).max() < 1.5 * step)


def _even(seconds: np.ndarray, watts: np.ndarray) -> tuple[np.ndarray, float, int]:
    """(joules on an even grid, its rate in Hz, missing rows). Conserves energy, also locally."""
    steps = np.diff(seconds)
    usual = float(np.median(steps))
    ends = np.append(seconds[1:], seconds[-1] + usual) - seconds[0]
    energy = np.concatenate([[0.0], np.cumsum(watts * np.diff(ends, prepend=0.0))])
    rate = min(1 / usual, _GRID_ROWS * len(seconds) / ends[-1])
    n = max(1, int(np.ceil(ends[-1] * rate - 1e-6)))
    grid = np.minimum(np.arange(n + 1) / rate, ends[-1])
    grid[-1] = ends[-1]
    joules = np.diff(np.interp(grid, np.concatenate([[0.0], ends]), energy))
    clocked = np.mean(np.abs(steps - usual) < _USUAL_STEP * usual) >= _USUAL_SHARE
    missing = int(np.sum(np.rint(steps[steps > 1.5 * usual] / usual) - 1)) if clocked else 0
    return joules, rate, missing


def _places(seconds: np.ndarray, first_s: float, rate_hz: float, samples: int) -> list[int]:
    at = np.floor((seconds - first_s) * rate_hz + 1e-6).astype(int)
    return [int(sample) for sample in at if 0 <= sample < samples]


def _from_file(path: Path, first_s: float, rate_hz: float, samples: int) -> list[int]:
    """Sample numbers of the edges whose times are in a second table."""
    seconds = _edge_seconds(path)
    outside = (seconds < first_s) | (seconds > first_s + samples / rate_hz)
    if outside.any():
        raise ArtifactError(
            f"the edges of {path} should lie within the measurement, {first_s:g} to {first_s + samples / rate_hz:g} s",
            got=f"one at {seconds[outside][0]:g} s",
            hint="both files should count seconds from the same moment",
        )
    return _places(seconds, first_s, rate_hz, samples)


def _edge_seconds(path: Path) -> np.ndarray:
    """float64 [edges], seconds: of a list, in the unit of its title, else in seconds; or of a table's time column."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
        titles = [line for line in lines if line and line[0].isalpha()]
        numbers = [line for line in lines if line and not line[0].isalpha() and line[0] != "#"]
        return np.array([float(line) for line in numbers]) * _list_scale(path, titles)
    except OSError as error:
        raise ArtifactError(f"{path} should be a list of edges", got=error.strerror or str(error)) from error
    except ValueError:
        layout = table.sniff(path)
    columns = column_rules.find(layout.header, layout.row, {})
    time = columns.get("time", Column(0))
    if time.scale is None:
        got = ", ".join(layout.header) or "no titles"
        raise ConfigError(f"the time in {path} should have a unit", got=got, hint="write it into the title: time (ms)")
    return np.concatenate([content[:, 0] * time.scale for _, content in table.blocks(path, layout, [time.index])])


def _list_scale(path: Path, titles: list[str]) -> float:
    """Seconds of one unit of a list: 1 without a title, for then it is of seconds."""
    scales = {column_rules.scale("time", title) for title in titles}
    if None in scales or len(scales) > 1:
        hint = "write `seconds` there, or another unit: time (ms)"
        raise ConfigError(f"the title of {path} should have one unit of time", got=", ".join(titles)[:80], hint=hint)
    return next(iter(scales), 1.0) or 1.0
