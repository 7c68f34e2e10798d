"""Multilingual Spoken Words Corpus (Mazumder et al., NeurIPS 2021): clips/<word>/*.opus and <language>_splits.csv.

Columns: SET, LINK (<word>/<file>), WORD, VALID, SPEAKER, GENDER. The corpus's own splits are not kept: `data prepare`
splits by speaker.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from edgekws.data.folders import SUFFIXES
from edgekws.data.imports.writing import Item
from edgekws.data.listing import LeftOut
from edgekws.errors import DataError
from edgekws.files.os_errors import unreadable

_NEEDED = {"LINK", "WORD", "SPEAKER"}


def is_here(source: Path) -> bool:
    """Whether the folder of a language is `source`, or below it."""
    return _language(source) is not None


def items(source: Path) -> Iterator[Item | LeftOut]:
    """Each valid clip of the table of splits; without a table, each clip, as a speaker of its own."""
    folder = _language(source)
    if folder is None:
        got = "no table of splits beside clips/"
        raise DataError(f"{source} should be a language of MSWC", got=got, hint="unpack its archives into one folder")
    table = sorted(folder.glob("*_splits.csv"))[0]
    try:
        with table.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            missing = _NEEDED - set(rows.fieldnames or ())
            if missing:
                raise DataError(f"{table} should be a table of MSWC", got=f"no column {', '.join(sorted(missing))}")
            for row in rows:
                yield _item(folder, row)
    except OSError as error:
        raise unreadable(DataError, table, "a table of MSWC", error) from error


def _item(folder: Path, row: dict[str, str]) -> Item | LeftOut:
    if row.get("VALID", "True").strip().lower() == "false":
        return LeftOut(row["LINK"], "not valid, says the table")
    path = folder / "clips" / row["LINK"]
    if not path.resolve().is_relative_to(folder.resolve()):
        return LeftOut(row["LINK"], "a link out of the corpus")
    return Item(row["WORD"], row["SPEAKER"], _decoded_form(path))


def _decoded_form(path: Path) -> Path:
    """The archive of WAV files has the same table, with names of .opus files."""
    if path.exists():
        return path
    others = (path.with_suffix(suffix) for suffix in sorted(SUFFIXES))
    return next((other for other in others if other.exists()), path)


def _language(source: Path) -> Path | None:
    for folder in (source, *sorted(path for path in source.glob("*") if path.is_dir())):
        if (folder / "clips").is_dir() and any(folder.glob("*_splits.csv")):
            return folder
    return None
