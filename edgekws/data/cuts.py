"""Where long recordings were cut into clips: a table to look at, edit and give back.

    file,start_ms,end_ms,keep,level_db,note,file_bytes
    yes/anna.m4a,1240,1780,yes,-18.2,,204112
    yes/anna.m4a,2900,2930,no,-31.0,a click,204112

A row is a sound in a recording. A row with `keep` = yes becomes a clip with the sound in its middle; rows may be added.
A recording whose size in bytes is another one now is cut anew.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekws.errors import DataError
from edgekws.files import read_content, write_bytes

FILE = "cuts.csv"
_COLUMNS = ("file", "start_ms", "end_ms", "keep", "level_db", "note", "file_bytes")
_NEEDED = ("file", "start_ms", "end_ms")
_YES, _NO = ("yes", "y", "1", "true", "x", ""), ("no", "n", "0", "false")
_HINT = "its first line is file,start_ms,end_ms,keep; a line below is one sound of a recording"


@dataclass(frozen=True)
class Cut:
    """One row. file: below the folder of the recordings; file_bytes: 0 where a person added the row."""

    file: str
    start_ms: int
    end_ms: int
    keep: bool = True
    level_db: str = ""
    note: str = ""
    file_bytes: int = 0


def write(cuts: tuple[Cut, ...], path: Path) -> None:
    """Replace the table."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for cut in cuts:
        keep = "yes" if cut.keep else "no"
        writer.writerow([cut.file, cut.start_ms, cut.end_ms, keep, cut.level_db, cut.note, cut.file_bytes])
    write_bytes(path, text.getvalue().encode())


def read(path: Path) -> dict[str, tuple[Cut, ...]]:
    """The rows of each file, in order of time. Raises DataError for a row that cannot be understood, with its line."""
    text = read_content(path, "a table of cuts", _HINT).decode("utf-8-sig", errors="replace")
    rows = csv.DictReader(io.StringIO(text), delimiter=";" if ";" in text.partition("\n")[0] else ",")
    missing = [name for name in _NEEDED if name not in (rows.fieldnames or ())]
    if missing:
        raise DataError(f"{path} should be a table of cuts", got=f"no column {', '.join(missing)}", hint=_HINT)
    cuts: dict[str, list[Cut]] = {}
    for row in rows:
        if any(row.values()):
            cut = _cut(row, f"{path}, line {rows.line_num},")
            cuts.setdefault(cut.file, []).append(cut)
    return {file: tuple(sorted(each, key=lambda cut: cut.start_ms)) for file, each in cuts.items()}


def _cut(row: Mapping[str, str | None], where: str) -> Cut:
    values = {name: (row.get(name) or "").strip() for name in _COLUMNS}
    try:
        start, end = (round(float(values[name])) for name in ("start_ms", "end_ms"))
        size = int(values["file_bytes"] or 0)
    except ValueError as error:
        raise DataError(f"{where} should have numbers of milliseconds", got=str(error), hint=_HINT) from error
    if not 0 <= start < end:
        raise DataError(f"{where} should have a start before its end", got=f"{start} to {end} ms")
    keep = values["keep"].lower()
    if keep not in (*_YES, *_NO):
        raise DataError(f"{where} should say yes or no in the column keep", got=values["keep"])
    return Cut(row.get("file") or "", start, end, keep in _YES, values["level_db"], values["note"], size)
