"""The role and unit of each column of an export: from its header, or as given by the user; a unit is never assumed.

Most tools write units into their titles: Nordic PPK2 (Timestamp(ms),Current(uA),D0-D7 or D0,...), EnergyTrace
(us,nA,mV,nJ), mlcommons/tiny's script for the LPM01A (Current (uA),...). Two leave some out and are known by their
whole header (`_known`): Joulescope and Qoitech Otii.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

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
_JOULESCOPE = ["time", "current", "voltage", "power", "charge", "energy"]
"""The header of a Joulescope's export, in s, A, V, W, C and J."""
_OTII = re.compile(r"timestamp(?=.*main current \(a\))(,[^,]+ \([^,()]+\)|,gpi ?\d)+")
"""The header of an export of Otii: seconds, then channels with their units, `Main current (A)` among them."""
_UNIT = re.compile(r"(.*?)[\s_]*[(\[]\s*([^()\[\]]*?)\s*[)\]]\s*")
_LAST_WORD = re.compile(r"(.+)[\s_]+([^\W_]+)")


@dataclass(frozen=True)
class Column:
    """index: from 0. scale: factor to s, A, V or W; None while the unit is not known.

    digit: which one to use, from 0, in a column of bits.
    """

    index: int
    scale: float | None = None
    digit: int | None = None


def find(header: list[str], row: list[str], given: dict[str, str]) -> dict[str, Column]:
    """Role -> column. header: [] for a file without one. row: the first row. given: role -> `COLUMN[:UNIT]` or `UNIT`.

    COLUMN is a title of the header or a number from 1; for the role `edge` UNIT is the digit, from 0, of a column
    of bits. Raises ConfigError for an unknown column or unit, when several columns could have a role, and when title
    and option have different units.
    """
    units = {role: _plain(text) for role, text in given.items() if _is_unit(role, text, header)}
    columns = {role: _given(role, text, header, len(row)) for role, text in given.items() if role not in units}
    taken = {column.index for column in columns.values()}
    for role in ("time", "power", "current", "voltage"):
        if role not in columns and (column := _recognised(role, header, taken, role in units)):
            columns[role] = column
            taken.add(column.index)
    if "edge" not in columns and (column := _logic(header, row, taken)):
        columns["edge"] = column
    for role, unit in units.items():
        columns[role] = _in_unit(role, unit, header, columns.get(role))
    return _known(header, columns)


def _is_unit(role: str, text: str, header: list[str]) -> bool:
    """Whether an option is a unit, and not the title of a column that is called like one."""
    return _plain(text) in UNITS[role] and _plain(text) not in [_plain(title) for title in header]


def _in_unit(role: str, unit: str, header: list[str], column: Column | None) -> Column:
    """The column with the unit that an option gives."""
    if column is None:
        titles = ", ".join(header) or "a file without titles"
        hint = f"name the column before its unit: ?{role}=1:{unit}"
        raise ConfigError(f"the header should have a column of {role}", got=titles, hint=hint)
    scale = UNITS[role][unit]
    if column.scale is not None and column.scale != scale:
        got = f"{header[column.index]!r} and {unit}"
        raise ConfigError(f"title and option should agree on the unit of {role}", got=got, hint="correct one of them")
    return replace(column, scale=scale)


def _known(header: list[str], columns: dict[str, Column]) -> dict[str, Column]:
    """The columns, with the units of exports that are known by their whole header."""
    titles = [_plain(title) for title in header]
    if titles != _JOULESCOPE and not _OTII.fullmatch(",".join(titles)):
        return columns
    return {role: replace(column, scale=column.scale or 1.0) for role, column in columns.items()}


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
        titled = _split(header[index])[1].get(role) if header else None
        return _in_unit(role, _plain(unit), header, Column(index, titled))
    return Column(index, scale(role, header[index]) if header else None)


def _index(name: str, header: list[str], width: int) -> int:
    names = [_plain(title) for title in header]
    for known in (names, [_split(title)[0] for title in header]):
        if known.count(_plain(name)) == 1:
            return known.index(_plain(name))
    if name.isdecimal() and 1 <= int(name) <= width:
        return int(name) - 1
    columns = ", ".join(header) if header else f"1 to {width}, as it has no header"
    raise ConfigError(f"the column should be one of {columns}", got=repr(name))


def _recognised(role: str, header: list[str], taken: set[int], unit_given: bool) -> Column | None:
    titles = [(index, *_split(title)) for index, title in enumerate(header) if index not in taken]
    exact = [index for index, name, units in titles if _fits(role, name, units)]
    loose = [index for index, name, units in titles if role in name.split()]
    candidates = exact or loose
    if len(candidates) > 1:
        several = ", ".join(header[index] for index in candidates)
        raise ConfigError(
            f"one column should be the {role}", got=several, hint=f"name it: ?{role}={header[candidates[0]]}"
        )
    if not candidates:
        return None
    title = header[candidates[0]]
    if unit_given:
        return Column(candidates[0], _split(title)[1].get(role))
    if not exact and role not in _split(title)[1]:
        raise _unknown_unit(role, title)
    return Column(candidates[0], scale(role, title))


def scale(role: str, title: str) -> float | None:
    """The factor of a title's unit; None without one. Raises ConfigError for another unit in brackets."""
    units = _split(title)[1]
    if role not in units and _UNIT.fullmatch(_plain(title)):
        raise _unknown_unit(role, title)
    return units.get(role)


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
