"""The role and unit of each column of an export: from its header, or as given by the user.

Recognised headers include: Joulescope (#time,current,voltage,...), Nordic PPK2
(Timestamp(ms),Current(uA),D0-D7 or D0,...), Qoitech Otii (Timestamp, Main current (A), ...), EnergyTrace (us,nA,mV,nJ).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgekws.errors import ConfigError

_PREFIXES = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_SYMBOLS = {"time": "s", "current": "a", "voltage": "v", "power": "w"}
UNITS = {role: {prefix + symbol: scale for prefix, scale in _PREFIXES.items()} for role, symbol in _SYMBOLS.items()}
UNITS["time"]["sec"] = UNITS["time"]["seconds"] = 1.0
UNITS["edge"] = {}
_EXACT = {
    "time": {"time", "timestamp", "t", "elapsed time", "relative time", "zeit"},
    "current": {"current", "i", "main current", "current avg", "strom"},
    "voltage": {"voltage", "v", "u", "main voltage", "voltage avg", "spannung"},
    "power": {"power", "p", "main power", "power avg", "leistung"},
    "edge": {"edge", "d0", "gpi0", "gpi 0", "gpi[0]", "in0", "i1", "gpi1", "timestamp pin", "sync"},
}
_UNIT = re.compile(r"(.*?)[\s_]*[(\[]\s*([^()\[\]]*?)\s*[)\]]\s*")
_LAST_WORD = re.compile(r"(.+)[\s_]+([^\W_]+)")


@dataclass(frozen=True)
class Column:
    """index: from 0. scale: factor to s, A, V or W. digit: which one to use, from 0, in a column of bits."""

    index: int
    scale: float = 1.0
    digit: int | None = None


def find(header: list[str], row: list[str], given: dict[str, str]) -> dict[str, Column]:
    """Role -> column. header: [] for a file without one. row: the first row. given: role -> `COLUMN[:UNIT]`.

    COLUMN is a title of the header or a number from 1; for the role `edge` UNIT is the digit, from 0, of a column
    of bits. Raises ConfigError for an unknown column or unit, or when several columns could have a role.
    """
    columns = {role: _given(role, text, header, len(row)) for role, text in given.items()}
    taken = {column.index for column in columns.values()}
    for role in ("time", "power", "current", "voltage"):
        if role not in columns and (column := _recognised(role, header, taken)):
            columns[role] = column
            taken.add(column.index)
    if "edge" not in columns and (column := _logic(header, row, taken)):
        columns["edge"] = column
    return columns


def _logic(header: list[str], row: list[str], taken: set[int]) -> Column | None:
    """The column of the timestamp pin, if it has values: a PPK2 leaves it empty when its inputs are off."""
    for index, title in enumerate(header):
        plain, value = _plain(title), row[index]
        if plain in _EXACT["edge"] and index not in taken and value in {"0", "1"}:
            return Column(index)
        if plain == "d0-d7" and re.fullmatch("[01]{8}", value):
            return Column(index, digit=0)  # D0 stands first
    return None


def _given(role: str, text: str, header: list[str], width: int) -> Column:
    name, separator, unit = text.rpartition(":") if ":" in text else (text, "", "")
    index = _index(name, header, width)
    if role == "edge":
        if separator and not unit.isdecimal():
            raise ConfigError("the digit of a column of bits should be a number from 0", got=text)
        return Column(index, digit=int(unit) if separator else None)
    if separator:
        if _plain(unit) not in UNITS[role]:
            raise ConfigError(f"the unit of {role} should be one of {', '.join(UNITS[role])}", got=unit)
        return Column(index, UNITS[role][_plain(unit)])
    return Column(index, _scale(role, header[index]) if header else 1.0)


def _index(name: str, header: list[str], width: int) -> int:
    names = [_plain(title) for title in header]
    for known in (names, [_split(title)[0] for title in header]):
        if known.count(_plain(name)) == 1:
            return known.index(_plain(name))
    if name.isdecimal() and 1 <= int(name) <= width:
        return int(name) - 1
    columns = ", ".join(header) if header else f"1 to {width}, as it has no header"
    raise ConfigError(f"the column should be one of {columns}", got=repr(name))


def _recognised(role: str, header: list[str], taken: set[int]) -> Column | None:
    titles = [(index, *_split(title)) for index, title in enumerate(header) if index not in taken]
    exact = [index for index, name, units in titles if _fits(role, name, units)]
    loose = [index for index, name, units in titles if role in name.split()]
    candidates = exact or loose
    if len(candidates) > 1:
        several = ", ".join(header[index] for index in candidates)
        raise ConfigError(
            f"one column should be the {role}", got=several, hint=f"name it: ?{role}={header[candidates[0]]}"
        )
    if loose and not exact and role not in _split(header[loose[0]])[1]:
        raise _unknown_unit(role, header[loose[0]])
    return Column(candidates[0], _scale(role, header[candidates[0]])) if candidates else None


def _scale(role: str, title: str) -> float:
    """1 without a unit. Raises ConfigError for a unit in brackets that is not one of the role's."""
    units = _split(title)[1]
    if role != "edge" and role not in units and _UNIT.fullmatch(_plain(title)):
        raise _unknown_unit(role, title)
    return units.get(role, 1.0)


def _unknown_unit(role: str, title: str) -> ConfigError:
    known = ", ".join(UNITS[role])
    hint = f"give it, as in ?{role}={title}:{list(UNITS[role])[1]}"
    return ConfigError(f"the column of {role} should have a unit, one of {known}", got=repr(title), hint=hint)


def _fits(role: str, name: str, units: dict[str, float]) -> bool:
    """Whether the title is a known name, with a unit of this role or none; or only a unit, as EnergyTrace writes."""
    return (name in _EXACT[role] and (not units or role in units)) or (not name and role in units)


def _split(title: str) -> tuple[str, dict[str, float]]:
    """(name, role -> scale for the roles that its unit fits); the name is "" when the title is only a unit."""
    plain = _plain(title)
    matched = _UNIT.fullmatch(plain) or _LAST_WORD.fullmatch(plain)
    name, unit = matched.groups() if matched else ("", plain)
    units = {role: known[unit] for role, known in UNITS.items() if unit in known}
    if not units or (not matched and plain in {"a", "v", "s"}):  # a letter is a name
        name = name if matched and _UNIT.fullmatch(plain) else plain
        units = {}
    return name.replace("_", " "), units


def _plain(text: str) -> str:
    """Lower case, without quotes and comment sign, and with `u` for micro."""
    return text.strip().strip("\"'").lstrip("#").strip().lower().replace("µ", "u").replace("μ", "u")
