"""spy:FILE:URL: any other transport, and all of its traffic in a file that `replay:` plays byte for byte.

FILE ends where a URL begins. A name that has a colon and might look like one stands in quotes: `spy:"a:host:b":host:`;
`url_of` writes them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal

from edgekws.errors import ArtifactError, ConfigError
from edgekws.files.os_errors import unwritable
from firmware_io import traffic
from firmware_io import transport as transports
from firmware_io.transport import Transport, open_transport, schemes

_END = '":'
"""Of a file in quotes."""


class Spy:
    """A transport that writes down what passes."""

    def __init__(self, inner: Transport, url: str, path: Path) -> None:
        self._inner = inner
        self._start = time.monotonic()
        self._path = path
        with self._written():
            traffic.require_free(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("wb", buffering=0)
        self._header = traffic.header_line(traffic.Header(url, _recorded(url)))

    def __enter__(self) -> Spy:
        try:
            self._put(self._header)
        except ArtifactError:
            self._file.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, timeout_s: float) -> bytes:
        """Like Transport.read, recorded. Raises ArtifactError when the recording cannot be written."""
        content = self._inner.read(timeout_s)
        self._note("from", content)
        return content

    def write(self, content: bytes) -> None:
        """Like Transport.write, recorded. Raises ArtifactError when the recording cannot be written."""
        self._note("to", content)  # before sending: an error must not hide what was tried
        self._inner.write(content)

    def close(self) -> None:
        """Close the inner transport; the recording ends with the `with` block."""
        self._inner.close()

    def _note(self, direction: Literal["to", "from"], content: bytes) -> None:
        self._put(traffic.event_line(traffic.Event(direction, content, time.monotonic() - self._start)))

    def _put(self, line: bytes) -> None:
        with self._written():
            self._file.write(line)

    @contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise unwritable(self._path, error, "another file", untouched=False) from error


def url_of(path: Path, url: str) -> str:
    """The URL of `url` recorded in `path`. Raises ConfigError for a path that no quotes help."""
    text = str(path)
    if ":" not in text:
        return f"spy:{text}:{url}"
    if _END in text:
        raise ConfigError(f"the file of recorded traffic should not have {_END} in its name", got=text)
    return f'spy:"{text}{_END}{url}'


@contextmanager
def connect(rest: str, elf: Path | None = None) -> Iterator[Transport]:
    """Open the inner URL for a `with` block, recorded. Raises ConfigError for a malformed URL."""
    path, url = _parts(rest)
    with open_transport(url, elf) as transport, Spy(transport, url, path) as spy:
        yield spy


def board_of(rest: str) -> str:
    """The board that the inner URL starts; "" for none."""
    return transports.board_of(_parts(rest)[1])


def _recorded(url: str) -> str:
    """When the traffic at `url` passes or, where that is a recording, passed: a replay makes it no newer."""
    if played := transports.recording_of(url):
        return traffic.header(played).recorded
    return datetime.now().astimezone().isoformat(timespec="seconds")


def recording_of(rest: str) -> Path | None:
    """The recorded traffic that the inner URL plays; None for a device."""
    return transports.recording_of(_parts(rest)[1])


def emulator_of(rest: str) -> str:
    """The version of the emulator that the inner URL starts; "" without one."""
    return transports.emulator_of(_parts(rest)[1])


def _parts(rest: str) -> tuple[Path, str]:
    """The file ends at the first scheme behind it: it may itself have a colon, as on Windows."""
    if rest.startswith('"') and _END in rest:
        text, _, url = rest[1:].partition(_END)
        return Path(text), url
    words = rest.split(":")
    for at in range(1, len(words)):
        if words[at] in schemes() and words[at - 1]:
            return Path(":".join(words[:at])), ":".join(words[at:])
    raise ConfigError("spy: needs a file and a URL", got=rest or "nothing", hint="for example spy:traffic.jsonl:host:")
