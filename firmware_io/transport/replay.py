"""replay:FILE: replays recorded traffic and refuses any deviation from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgekws.errors import ProtocolError
from firmware_io.traffic import Event, load


class Replay:
    """Answers as recorded, once everything was written that precedes the answer in the recording."""

    def __init__(self, events: list[Event]) -> None:
        self._events = events
        self._next = 0
        self._owed = b""  # what is written may be cut differently than it was recorded
        self._deviated = False

    def read(self, timeout_s: float) -> bytes:  # noqa: ARG002 - recorded silence takes no time
        """The next recorded bytes from the device; b"" where silence was recorded or a write comes first."""
        if self._owed or not self._at("from"):
            return b""
        self._next += 1
        return self._events[self._next - 1].content

    def write(self, content: bytes) -> None:
        """Raises ProtocolError unless `content` was recorded here, in pieces of any size."""
        while content:
            if not self._owed:
                self._owed = self._take_write(content)
            count = min(len(content), len(self._owed))
            if content[:count] != self._owed[:count]:
                raise self._deviation(f"{self._owed!r}", f"{content!r}")
            content, self._owed = content[count:], self._owed[count:]

    def close(self) -> None:
        """Skip the rest of the recording."""
        self._next = len(self._events)

    def check_finished(self) -> None:
        """Raises ProtocolError when the recording has further writes; does nothing after a deviation was raised."""
        if self._deviated:
            return
        rest = [event for event in self._events[self._next :] if event.direction == "to"]
        if self._owed or rest:
            raise self._deviation(f"{(self._owed or rest[0].content)!r}", "the end of the session")

    def _take_write(self, content: bytes) -> bytes:
        while self._at("from") and not self._events[self._next].content:
            self._next += 1  # whether a silence was waited for depends on the speed of the computer
        if not self._at("to"):
            expected = "a read" if self._next < len(self._events) else "the end of the session"
            raise self._deviation(expected, f"{content!r}")
        self._next += 1
        return self._events[self._next - 1].content

    def _at(self, direction: str) -> bool:
        return self._next < len(self._events) and self._events[self._next].direction == direction

    def _deviation(self, expected: str, got: str) -> ProtocolError:
        self._deviated = True
        return ProtocolError(
            f"step {self._next} of the recorded traffic is {expected}",
            got=got,
            hint="replay it with the same model, vectors and options, or record it again",
        )


@contextmanager
def connect(rest: str, elf: Path | None = None) -> Iterator[Replay]:  # noqa: ARG001
    """Replay a file for a `with` block. Raises ArtifactError for another file, ProtocolError for any deviation."""
    replay = Replay(load(Path(rest)))
    yield replay
    replay.check_finished()


def recording_of(rest: str) -> Path:
    """The file that the URL plays."""
    return Path(rest)
