"""A board and this computer on the same stream, and whether they heard the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edgekws.detect.listener import Listener as HostListener
from edgekws.detect.settings import Settings
from edgekws.emit.c import listening
from edgekws.errors import ParityError
from edgekws.graph import io
from edgekws.graph.ir import Graph
from edgekws.types import Detection
from firmware_io import build
from firmware_io.bench import build_check
from firmware_io.board import Board
from firmware_io.listening.board import Listener, wake
from firmware_io.protocol.session import Session
from firmware_io.transport import open_transport

_LATE_S = 0.25
"""Behind real time, at which it is said."""


@dataclass(frozen=True)
class Comparison:
    """What both heard of one stream. only_board, only_host: events that the other one does not have.

    damaged, missing: frames that arrived damaged at the board, or not; repeated: that were sent again.
    """

    samples: int
    steps: int
    events: int
    board_crc32: int
    host_crc32: int
    only_board: tuple[Detection, ...]
    only_host: tuple[Detection, ...]
    damaged: int
    missing: int
    repeated: int
    late_s: float

    @property
    def is_equal(self) -> bool:
        """Whether all scores and all events are the same."""
        return self.board_crc32 == self.host_crc32 and not self.only_board and not self.only_host

    def lines(self) -> list[str]:
        """For a person: the verdict, and what happened on the line where anything did."""
        verdict = "equal" if self.is_equal else "NOT equal"
        text = [
            f"board and this computer are {verdict}: {self.events} events, scores of {self.steps} steps "
            f"(CRC-32 {self.board_crc32:08x} on the board, {self.host_crc32:08x} here)"
        ]
        if self.damaged or self.missing or self.repeated:
            text.append(
                f"the serial line damaged {self.damaged} frames and lost some before {self.missing}; {self.repeated} "
                "frames were sent again, so the board has heard every sample once"
            )
        if self.late_s > _LATE_S:
            text.append(f"the board was {self.late_s:.1f} s behind real time: it or its line is slower than the sound")
        return text

    def require(self, name: str) -> None:
        """Raises ParityError unless both heard the same. name: of the board."""
        if not self.is_equal:
            extra = [f"only the board: {_text(self.only_board)}", f"only here: {_text(self.only_host)}"]
            raise ParityError(
                f"{name} should hear what this computer hears",
                got=f"scores CRC-32 {self.board_crc32:08x} and {self.host_crc32:08x}; {'; '.join(extra)}",
                hint="this is a bug of edgekws: report it with the recording, the model and the version",
            )


class Both:
    """One stream to the board, heard here too."""

    def __init__(self, board: Listener, graph: Graph, settings: Settings, engine: str | None = None) -> None:
        """engine: of the graph here, see Graph.stream."""
        self._board, self.host = board, HostListener(graph, settings, engine)
        self._names = dict(zip(listening.keyword_names(settings), settings.keywords, strict=True))
        self._sha256 = io.digest(graph)
        self._expected: list[Detection] = []
        self._events: list[Detection] = []

    def events(self, blocks: Iterable[np.ndarray], real_time: bool = False) -> Iterator[Detection]:
        """The board's events, in this computer's words. blocks: int16 [n]."""
        for event in self._board.events(self._heard_here(blocks), real_time):
            keyword = self._names.get(event.keyword, event.keyword)
            self._events.append(replace(event, keyword=keyword, model_sha256=self._sha256))
            yield self._events[-1]

    def _heard_here(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for block in blocks:
            self._expected += self.host.push(block)
            yield block

    def comparison(self) -> Comparison:
        """After the end of `events`."""
        heard, sent = self._board.heard, self._board.sent
        if heard is None:
            raise ValueError("the stream has not ended")
        return Comparison(
            samples=heard.samples,
            steps=heard.steps,
            events=heard.events,
            board_crc32=heard.scores_crc32,
            host_crc32=self.host.scorer.scores_crc32,
            only_board=tuple(event for event in self._events if event not in self._expected),
            only_host=tuple(event for event in self._expected if event not in self._events),
            damaged=heard.damaged,
            missing=heard.missing,
            repeated=sent.repeated,
            late_s=sent.late_s,
        )


@contextmanager
def connected(board: Board, graph: Graph, settings: Settings, url: str) -> Iterator[Listener]:
    """The board with the firmware of this model, running. A physical board has to hold it already.

    Raises BoardError when it cannot be built or reached or runs another build, and what edgekws.emit.c.listening.files
    raises for a model that cannot listen.
    """
    with TemporaryDirectory(prefix="edgekws-board-") as folder:
        firmware = build.build(board, listening.files(graph, settings), Path(folder) / f"{board.name}.elf")
        with open_transport(url, firmware.elf) as transport:
            wake(transport)
            session = Session(transport)
            session.start()
            listener = Listener(session)
            listener.require(listening.front_end_id(graph.front_end), listening.graph_id(graph))
            build_check.compared(board, session, firmware)
            yield listener


def adopt(listener: Listener, settings: Settings) -> bool:
    """Give the board these thresholds, smoothing and refractory time. Returns whether it had others."""
    own, words = listener.detector(), listening.keyword_names(settings)
    wanted = (settings.smoothing_steps, settings.refractory_steps, words, settings.thresholds_permille)
    if (own.smoothing_steps, own.refractory_steps, own.keywords, own.thresholds_permille) == wanted:
        return False
    thresholds = dict(zip(words, settings.thresholds_permille, strict=True))
    listener.change(thresholds, settings.smoothing_steps, settings.refractory_steps)
    return True


def _text(events: tuple[Detection, ...]) -> str:
    shown = ", ".join(f"{event.keyword} at {event.time_samples} ({event.score})" for event in events[:3])
    return f"{len(events)} events" + (f", {shown}" if shown else "")
