"""Recorded traffic: JSON lines.

line 1    {"kind": "edgekws-traffic", "version": 1, "url": "serial:/dev/ttyACM0"}
others    {"s": 0.012, "to": "name%"}        bytes to the device
          {"s": 0.013, "from": "m-ready..."} bytes from the device
`s` is seconds since the start; bytes are text in Latin-1, so that every byte is one character.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgekws.errors import ArtifactError
from edgekws.files import check_kind, write_text
from firmware_io.transport import Transport

KIND, VERSION = "edgekws-traffic", 1
_ENCODING = "latin-1"


@dataclass(frozen=True)
class Event:
    direction: Literal["to", "from"]
    content: bytes
    seconds: float = 0.0


class Spy:
    """A transport that remembers what passed."""

    def __init__(self, inner: Transport, url: str) -> None:
        self._inner = inner
        self._url = url
        self._start = time.monotonic()
        self._events: list[Event] = []

    def read(self, timeout_s: float) -> bytes:
        content = self._inner.read(timeout_s)
        if content:
            self._note("from", content)
        return content

    def write(self, content: bytes) -> None:
        self._note("to", content)  # before sending: an error must not hide what was tried
        self._inner.write(content)

    def close(self) -> None:
        self._inner.close()

    def save(self, path: Path) -> None:
        write_text(path, to_text(self._events, self._url))

    def _note(self, direction: Literal["to", "from"], content: bytes) -> None:
        self._events.append(Event(direction, content, round(time.monotonic() - self._start, 6)))


def to_text(events: list[Event], url: str) -> str:
    header = {"kind": KIND, "version": VERSION, "url": url}
    rows = [{"s": event.seconds, event.direction: event.content.decode(_ENCODING)} for event in events]
    return "".join(json.dumps(row) + "\n" for row in [header, *rows])


def load(path: Path) -> list[Event]:
    """Raises ArtifactError for anything but recorded traffic of this version."""
    try:
        header, *rows = [json.loads(line) for line in path.read_text().splitlines()] or [{}]
        check_kind(path, header if isinstance(header, dict) else {}, KIND, VERSION)
        return [_event(row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(
            f"{path} should be recorded traffic", got=str(error), hint="record it again with --record"
        ) from error


def _event(row: dict[str, Any]) -> Event:
    direction: Literal["to", "from"] = "to" if "to" in row else "from"
    return Event(direction, row[direction].encode(_ENCODING), float(row.get("s", 0)))
