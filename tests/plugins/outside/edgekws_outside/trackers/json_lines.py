"""A file with one JSON object a line, named like the run, in the present folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import TextIOBase
from pathlib import Path


class Tracker:
    def __init__(self, file: TextIOBase) -> None:
        self._file = file

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._file.write(json.dumps({"step": step, **values}) + "\n")


@contextmanager
def start(run: str, config: Mapping[str, object]) -> Iterator[Tracker]:
    with Path(f"{run}.jsonl").open("w", encoding="utf-8") as file:
        file.write(json.dumps({"config": dict(config)}) + "\n")
        yield Tracker(file)
