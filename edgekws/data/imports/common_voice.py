"""Mozilla Common Voice: validated.tsv with a line per clip, and the clips in clips/. Sentences of one word are taken.

Columns (README of the corpus): client_id, path, sentence, and others. The sentence, in lower case and without
punctuation, is the word; client_id is the speaker.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from edgekws.data.imports.writing import Item
from edgekws.data.listing import LeftOut
from edgekws.errors import DataError
from edgekws.files.os_errors import unreadable

TABLE = "validated.tsv"
_NEEDED = {"client_id", "path", "sentence"}


def is_here(source: Path) -> bool:
    """Whether the folder of a language is `source`, or below it."""
    return _table(source) is not None


def items(source: Path) -> Iterator[Item | LeftOut]:
    """Each validated clip of one word. Sentences of several words are counted once, not named one by one."""
    table = _table(source)
    if table is None:
        raise DataError(f"{source} should be a language of Common Voice", got=f"no {TABLE}", hint="unpack its archive")
    several = 0
    try:
        with table.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            missing = _NEEDED - set(rows.fieldnames or ())
            if missing:
                raise DataError(f"{table} should be a table of Common Voice", got=f"no {', '.join(sorted(missing))}")
            for row in rows:
                word = re.sub(r"[^\w'\- ]+", "", row["sentence"] or "").strip().casefold()
                if not word or " " in word:
                    several += 1
                    continue
                yield Item(word, row["client_id"] or "", _clip(table.parent, row["path"] or ""))
    except OSError as error:
        raise unreadable(DataError, table, "a table of Common Voice", error) from error
    if several:
        yield LeftOut(f"{several:,} clips of {table.name}", "sentences of several words")


def _table(source: Path) -> Path | None:
    found = [path for path in (source / TABLE, *sorted(source.glob(f"*/{TABLE}"))) if path.is_file()]
    return found[0] if found else None


def _clip(folder: Path, name: str) -> Path:
    """Old releases omit the suffix."""
    path = folder / "clips" / Path(name).name
    return path if path.suffix else path.with_suffix(".mp3")
