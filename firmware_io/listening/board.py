"""The conversation with a board that listens.

    wake(transport)
    session.start()
    listener = Listener(session)
    listener.require(front_end, graph)
    for detection in listener.events(blocks): ...
    listener.heard                     what the board says of the stream

Frames are answered one by one, and at most `in_flight` of them wait for an answer, so none is sent that the board
cannot hold. A frame that was damaged or lost on the way is sent again; the board takes every sample once and in order.
Answers are verified by checksums at the end of the stream (protocol/line.py): when one was damaged, the stream fails.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from edgekws.errors import BoardError, unknown
from edgekws.types import Detection
from firmware_io.listening.sending import Sent, Stream
from firmware_io.protocol import parser as msg
from firmware_io.protocol import stream_lines as lines
from firmware_io.protocol.line import Line, first
from firmware_io.protocol.session import Session
from firmware_io.transport import Transport

STAGES = ("front end", "network", "detector")
"""ekw_stream_stage of firmware/stream/laps.h."""


@dataclass(frozen=True)
class Detector:
    """The detector in the board's RAM. keywords, thresholds_permille: in the order of the board's numbers."""

    smoothing_steps: int
    refractory_steps: int
    keywords: tuple[str, ...]
    thresholds_permille: tuple[int, ...]


@dataclass(frozen=True)
class Stage:
    """Of the streams since the last reset: how often a stage ran, and seconds of the board's clock in all."""

    name: str
    laps: int
    seconds: float


def wake(transport: Transport) -> None:
    """End a frame that an earlier host has not finished, so that the device understands commands again."""
    transport.write(b"\0")


class Listener:
    """A board whose session has been started. Raises BoardError and ProtocolError as the session does."""

    def __init__(self, session: Session, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: counts seconds, for streams in real time."""
        self._session = session
        self._clock = clock
        self.about = session.exchange(_about)
        self.sent = Sent()
        """Of the last stream."""
        self.activations: tuple[int, ...] = ()
        """Of the last stream, if it was one of the benchmark: int8 scores of the wake word, the first 65 s."""
        self.heard: lines.Heard | None = None
        """What the board says of the last stream; None until it has ended."""

    def require(self, front_end: str, graph: str) -> None:
        """Raises BoardError unless the board computes this front end and this graph: the digits of lines.Stream."""
        pairs = (("front end", front_end, self.about.front_end), ("network", graph, self.about.graph))
        for what, expected, got in pairs:
            if expected != got:
                raise BoardError(
                    f"the board should compute the {what} of this model, {expected}",
                    got=f"the {what} {got}, of another model or another version",
                    hint="build and write the firmware of this model again",
                )

    def events(
        self, blocks: Iterable[np.ndarray], real_time: bool = False, benchmark: bool = False
    ) -> Iterator[Detection]:
        """Send a stream, int16 [n] blocks of any length, and give the board's events as they come.

        real_time: no sample is sent before it would have been heard. benchmark: with the commands of MLPerf Tiny's
        streaming wake word, which only its firmware knows. After the last event the answers are verified.
        """
        stream = Stream(self.about, blocks, self._clock if real_time else None, benchmark)
        self.heard, self.sent, self.activations = None, stream.sent, ()
        yield from self._session.streamed(stream.run)
        self.heard, self.activations = stream.heard, stream.activations

    def detector(self) -> Detector:
        """Thresholds and smoothing as they are in the board's RAM."""
        return self._session.exchange(lambda line: _detector(line, "settings"))

    def change(
        self,
        thresholds: dict[str, int] | None = None,
        smoothing_steps: int | None = None,
        refractory_steps: int | None = None,
    ) -> Detector:
        """Change what is given, until the next reset of the board; returns what the board then has.

        thresholds: keyword -> thousandths, 1001 for never. Raises ProtocolError with the board's own words for a value
        that it refuses, BoardError for a keyword that it does not know.
        """
        detector = self.detector()
        commands = [f"threshold {_number(detector, word)} {value}" for word, value in (thresholds or {}).items()]
        commands += [f"smoothing {smoothing_steps}"] * (smoothing_steps is not None)
        commands += [f"refractory {refractory_steps}"] * (refractory_steps is not None)
        for command in commands:
            detector = self._session.exchange(partial(_detector, command=command))
        return detector

    def histogram(self, reset: bool = False) -> np.ndarray:
        """int64 [keywords, bins]: steps by posterior since the boot or the last reset."""
        command = "histogram reset" if reset else "histogram"
        return self._session.exchange(lambda line: _histogram(line, command))

    def cost(self, reset: bool = False) -> tuple[Stage, ...]:
        """Laps and time of the stages. reset: forget them then."""
        command = "cost reset" if reset else "cost"
        return self._session.exchange(lambda line: _cost(line, command))


def _about(line: Line) -> lines.Stream:
    answer = line.command("stream")
    if any(isinstance(message, msg.DeviceError) and message.unknown("stream") for message in answer):
        raise BoardError(
            "the board should run a firmware that listens to a stream",
            got="one that classifies clips",
            hint="build and write the one of a streaming model",
        )
    line.verify("stream", answer, (lines.Stream, msg.Ready))
    return first(answer, lines.Stream)


def _number(detector: Detector, keyword: str) -> int:
    if keyword not in detector.keywords:
        raise BoardError(unknown("keyword", keyword, detector.keywords))
    return detector.keywords.index(keyword)


def _detector(line: Line, command: str) -> Detector:
    answer = line.command(command, longest=_LONGEST)
    rows = [message for message in answer if isinstance(message, lines.Threshold)]
    line.verify(command, answer, (lines.Detector, *[lines.Threshold] * len(rows), msg.Ready))
    head = first(answer, lines.Detector)
    words, values = tuple(row.keyword for row in rows), tuple(row.permille for row in rows)
    return Detector(head.smoothing_steps, head.refractory_steps, words, values)


def _histogram(line: Line, command: str) -> np.ndarray:
    answer = line.command(command, longest=_LONGEST)
    line.verify(command, answer, (*[lines.Histogram] * (len(answer) - 1), msg.Ready))
    return np.array([row.counts for row in answer if isinstance(row, lines.Histogram)], np.int64)


def _cost(line: Line, command: str) -> tuple[Stage, ...]:
    answer = line.command(command)
    line.verify(command, answer, (lines.Cost, *[lines.Stage] * len(STAGES), msg.Ready))
    rate = first(answer, lines.Cost).ticks_per_s
    rows = [row for row in answer if isinstance(row, lines.Stage)]
    return tuple(Stage(name, row.laps, row.ticks / rate) for name, row in zip(STAGES, rows, strict=True))


_LONGEST = 300
"""Lines of an answer that has one for each keyword."""
