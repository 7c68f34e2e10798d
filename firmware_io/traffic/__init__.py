"""Recorded traffic: JSON lines.

line 1    {"kind": "edgekws-traffic", "version": 1, "url": "serial:/dev/ttyACM0"}
others    {"s": 0.012, "to": "name%"}        bytes to the device
          {"s": 0.013, "from": "m-ready..."} bytes from the device
          {"s": 0.063, "from": ""}           silence: somebody waited in vain
`s` is seconds since the start; bytes are text in Latin-1, so that every byte is one character.

Every line is written as soon as it is known, so that a killed run leaves what had passed; a last line without an
end was cut off by the kill and does not count.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgekws.errors import ArtifactError
from edgekws.files import check_kind
from firmware_io.transport import Transport

KIND, VERSION = "edgekws-traffic", 1
_ENCODING = "latin-1"
_HEAD = f'{{"kind": "{KIND}"'.encode()


@dataclass(frozen=True)
class Event:
    direction: Literal["to", "from"]
    content: bytes
    seconds: float = 0.0


class Spy:
    """A transport that writes down what passes."""

    def __init__(self, inner: Transport, url: str, path: Path) -> None:
        self._inner = inner
        self._start = time.monotonic()
        self._path = path
        with self._written():
            _require_free(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("wb", buffering=0)
        self._header = {"kind": KIND, "version": VERSION, "url": url}

    def __enter__(self) -> Spy:
        try:
            self._row(self._header)
        except ArtifactError:
            self._file.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, timeout_s: float) -> bytes:
        content = self._inner.read(timeout_s)
        self._note("from", content)
        return content

    def write(self, content: bytes) -> None:
        self._note("to", content)  # before sending: an error must not hide what was tried
        self._inner.write(content)

    def close(self) -> None:
        self._inner.close()

    def _note(self, direction: Literal["to", "from"], content: bytes) -> None:
        self._row({"s": round(time.monotonic() - self._start, 6), direction: content.decode(_ENCODING)})

    def _row(self, row: dict[str, Any]) -> None:
        with self._written():
            self._file.write((json.dumps(row) + "\n").encode())

    @contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ArtifactError(
                f"{self._path} should take the recorded traffic",
                got=error.strerror or str(error),
                hint="free some space or give another file",
            ) from error


def _require_free(path: Path) -> None:
    """Raises ArtifactError when a file is there that is no recording: it may be the clips, or someone's work."""
    if not path.is_file() or path.stat().st_size == 0:
        return
    with path.open("rb") as file:
        if file.read(len(_HEAD)) != _HEAD:
            hint = "give another file; only a recording is replaced"
            raise ArtifactError(f"{path} should be free for recorded traffic", got="a file of another kind", hint=hint)


def load(path: Path) -> list[Event]:
    """Raises ArtifactError for anything but recorded traffic of this version."""
    try:
        *lines, _ = path.read_text().split("\n")
        header, *rows = [json.loads(line) for line in lines] or [{}]
        check_kind(path, header if isinstance(header, dict) else {}, KIND, VERSION)
        return [_event(row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no JSON lines of ours"
        hint = "record it with `edgekws bench --spy FILE`"
        raise ArtifactError(f"{path} should be recorded traffic", got=why or str(error), hint=hint) from error


def _event(row: dict[str, Any]) -> Event:
    direction: Literal["to", "from"] = "to" if "to" in row else "from"
    return Event(direction, row[direction].encode(_ENCODING), float(row.get("s", 0)))
