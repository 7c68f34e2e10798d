"""Recorded traffic: JSON lines.

line 1    {"kind": "edgekws-traffic", "version": 2,
           "url": "serial:/dev/ttyACM0", "recorded": "2026-12-01T02:15:30+01:00"}
others    {"s": 0.012, "to": "name%"}        bytes to the device
          {"s": 0.013, "from": "m-ready..."} bytes from the device
          {"s": 0.063, "from": ""}           silence: a read timed out
`recorded` is the time at which it began, ISO 8601 with UTC offset; version 1 does not have it. `s` is seconds since
then; bytes are text in Latin-1, so that every byte is one character.

Every line is written as soon as it is known, so that a killed run leaves what had passed; a last line without an
end was cut off by the kill and does not count.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from edgekws.errors import ArtifactError
from edgekws.files import check_kind

KIND, VERSION = "edgekws-traffic", 2
_ENCODING = "latin-1"
_HEAD = f'{{"kind": "{KIND}"'.encode()


@dataclass(frozen=True)
class Event:
    """Bytes transferred `seconds` after the start; no bytes from the device record a read that timed out."""

    direction: Literal["to", "from"]
    content: bytes
    seconds: float = 0.0


@dataclass(frozen=True)
class Header:
    """url: of the device. recorded: when the traffic passed, ISO 8601 with UTC offset; "" in version 1."""

    url: str
    recorded: str


def header_line(header: Header) -> bytes:
    """The first line of a recording."""
    return _line({"kind": KIND, "version": VERSION, "url": header.url, "recorded": header.recorded})


def event_line(event: Event) -> bytes:
    """The line of one event."""
    return _line({"s": round(event.seconds, 6), event.direction: event.content.decode(_ENCODING)})


def _line(row: dict[str, Any]) -> bytes:
    return (json.dumps(row) + "\n").encode()


def require_free(path: Path) -> None:
    """Raises ArtifactError when a file is there that is no recording: it may be the clips, or someone's work."""
    if not path.is_file() or path.stat().st_size == 0:
        return
    with path.open("rb") as file:
        if file.read(len(_HEAD)) != _HEAD:
            hint = "give another file; only a recording is replaced"
            raise ArtifactError(f"{path} should be free for recorded traffic", got="a file of another kind", hint=hint)


def load(path: Path) -> list[Event]:
    """The events of a recording. Raises ArtifactError for anything but recorded traffic of a known version."""
    return _read(path)[1]


def header(path: Path) -> Header:
    """The header of a recording. Raises ArtifactError as `load`."""
    return _read(path)[0]


def _read(path: Path) -> tuple[Header, list[Event]]:
    try:
        *lines, _ = path.read_text().split("\n")
        first, *rows = [json.loads(line) for line in lines] or [{}]
        return _header(path, first if isinstance(first, dict) else {}), [_event(row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no JSON lines of ours"
        hint = "record it with `edgekws bench --spy FILE`"
        raise ArtifactError(f"{path} should be recorded traffic", got=why or str(error), hint=hint) from error


def _header(path: Path, row: dict[str, Any]) -> Header:
    check_kind(path, {**row, "version": VERSION} if row.get("version") == 1 else row, KIND, VERSION)
    recorded = row.get("recorded", "")
    if recorded:
        datetime.fromisoformat(recorded)
    return Header(str(row.get("url", "")), recorded)


def _event(row: dict[str, Any]) -> Event:
    direction: Literal["to", "from"] = "to" if "to" in row else "from"
    return Event(direction, row[direction].encode(_ENCODING), float(row.get("s", 0)))
