"""Recorded traffic as a readable log: each line is one command of the host or one line of the device."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from firmware_io import traffic


def text(path: Path) -> str:
    """The log of recorded traffic. Raises ArtifactError for any other file.

    `00000.012 > name%` is a command, `00000.013 < m-ready` a line of the device; the number is in seconds.
    """
    return "".join(f"{line}\n" for line in _lines(traffic.load(path)))


def _lines(events: list[traffic.Event]) -> Iterator[str]:
    for direction, group in groupby(events, lambda event: event.direction):
        parts = list(group)
        content = b"".join(part.content for part in parts).decode("latin-1")
        mark = ">" if direction == "to" else "<"
        for line in content.replace("%", "%\n").splitlines():
            if line:
                yield f"{parts[0].seconds:09.3f} {mark} {line}"
