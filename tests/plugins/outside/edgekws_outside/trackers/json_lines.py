"""A file with one JSON object a line, named like the run, in its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import TextIOBase

from edgekws.training.trackers import Run


class Tracker:
    def __init__(self, file: TextIOBase) -> None:
        self._file = file

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._file.write(json.dumps({"step": step, **values}) + "\n")

    def finish(self, values: Mapping[str, float], pictures: Mapping[str, bytes]) -> None:
        self._file.write(json.dumps({"final": dict(values), "pictures": list(pictures)}) + "\n")


@contextmanager
def start(run: Run) -> Iterator[Tracker]:
    with (run.folder / f"{run.name}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"config": dict(run.config)}) + "\n")
        yield Tracker(file)
