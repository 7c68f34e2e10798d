"""A table `metrics.csv` beside the checkpoints: step, name and value, one value a line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from edgekws.files import replacing
from edgekws.training.trackers import Run

FILE = "metrics.csv"
_COLUMNS = ("step", "name", "value")
_FINAL = "final"
"""The step of figures of the whole training."""
_Row = tuple[str, str, str]


class _Table:
    def __init__(self, path: Path, rows: list[_Row]) -> None:
        self._path, self._rows = path, rows

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._add(str(step), values)

    def finish(self, values: Mapping[str, float], pictures: Mapping[str, bytes]) -> None:  # noqa: ARG002
        self._add(_FINAL, values)

    def _add(self, step: str, values: Mapping[str, float]) -> None:
        self._rows += [(step, name, repr(float(value))) for name, value in values.items()]
        with replacing(self._path) as partial, partial.open("w", newline="") as file:
            csv.writer(file).writerows([_COLUMNS, *self._rows])


@contextmanager
def start(run: Run) -> Iterator[_Table]:
    """The table of this run; what it has of steps after `run.logged` is replaced."""
    path = run.folder / FILE
    yield _Table(path, _earlier(path, run.logged) if run.logged else [])


def _earlier(path: Path, logged: int) -> list[_Row]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [(row[0], row[1], row[2]) for row in rows if row[0] != _FINAL and int(row[0]) <= logged]
