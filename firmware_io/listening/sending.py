"""One stream to a board: frames with a window, repetitions, pace."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from edgekws.errors import BoardError, ProtocolError
from edgekws.types import Detection
from firmware_io.listening import frames
from firmware_io.protocol import parser as msg
from firmware_io.protocol import stream_lines as lines
from firmware_io.protocol.line import Line, first
from firmware_io.protocol.message import Message

ATTEMPTS = 8
"""How often a frame is sent before the line is called too bad."""
QUIET_S = 0.2
"""Silence after which the answers to all frames behind a damaged one have arrived."""
ANSWER_S = 10.0
"""Longest silence before a frame is sent again."""
_WHAT = "listen"


@dataclass
class Sent:
    """What became of a stream on this side. frames: sent, without repetitions; repeated: sent again.

    late_s: how far the board fell behind real time at most; 0 where the stream was sent as fast as it goes.
    """

    frames: int = 0
    repeated: int = 0
    late_s: float = 0.0


class Stream:
    """Call `run` once."""

    def __init__(
        self,
        about: lines.Stream,
        blocks: Iterable[np.ndarray],
        clock: Callable[[], float] | None = None,
        benchmark: bool = False,
    ) -> None:
        """clock: counts seconds, for real time; None: as fast as it goes.

        benchmark: with `start` and `stop` of MLPerf Tiny's streaming wake word.
        """
        self._benchmark = benchmark
        self._about = about
        self._blocks = blocks
        self._clock = clock
        self._waiting: deque[tuple[int, bytes]] = deque()  # sequence number and bytes of frames without an answer
        self._attempts = 0  # to send the first of them
        self.sent = Sent()
        self.heard: lines.Heard | None = None
        self.activations: tuple[int, ...] = ()
        """Of the answer to `stop`: scores of the wake word, as many as the board has memory for."""

    def run(self, line: Line) -> Iterator[Detection]:
        """The board's events. Raises BoardError for silence, ProtocolError for frames that never arrive undamaged."""
        command = "start" if self._benchmark else f"{_WHAT} {self._about.front_end}"
        line.ask(command, msg.Ready)
        begun = self._clock() if self._clock else 0.0
        samples = sequence = 0
        for part in parts(self._blocks, self._about.frame_samples):
            samples += len(part)
            self._pace(begun + samples / self._about.rate_hz)
            self._send(line, sequence, frames.audio(sequence, part))
            sequence += 1
            self.sent.frames += 1
            while len(self._waiting) >= self._about.in_flight:
                yield from self._answer(line)
        while self._waiting:
            yield from self._answer(line)
        self._send(line, sequence, frames.end(sequence))
        while self.heard is None:
            yield from self._answer(line)
        line.expect_ready(_WHAT)
        if self._benchmark:
            self.activations = _stopped(line)

    def _pace(self, due_s: float) -> None:
        if self._clock is None:
            return
        early_s = due_s - self._clock()
        if early_s > 0:
            time.sleep(early_s)
        self.sent.late_s = max(self.sent.late_s, -early_s)

    def _send(self, line: Line, sequence: int, content: bytes) -> None:
        self._waiting.append((sequence % frames.SEQUENCES, content))
        line.send(content)

    def _answer(self, line: Line) -> Iterator[Detection]:
        """Read one line; give the event in it."""
        try:
            message = line.next(_WHAT, ANSWER_S)
        except BoardError:
            if self._attempts >= ATTEMPTS:
                raise
            yield from self._again(line)
            return
        yield from self._understood(line, message)
        if isinstance(message, lines.Refused):
            yield from self._again(line)

    def _understood(self, line: Line, message: Message) -> Iterator[Detection]:
        if isinstance(message, lines.Event):
            yield Detection(message.keyword, message.time_samples, message.score)
        elif isinstance(message, lines.Taken | lines.Refused):
            self._settle(message.expected)
        elif isinstance(message, lines.Heard):
            self.heard = message
            self._waiting.clear()
        elif isinstance(message, msg.TimestampMode | msg.InitDone | msg.LapUs):
            line.restarted(_WHAT)
        else:
            line.unexpected(_WHAT, "events and the answers to frames", type(message).__name__)

    def _settle(self, expected: int) -> None:
        """Forget the frames before the one with the number `expected`."""
        while self._waiting and (expected - self._waiting[0][0] - 1) % frames.SEQUENCES < frames.SEQUENCES // 2:
            self._waiting.popleft()
            self._attempts = 0

    def _again(self, line: Line) -> Iterator[Detection]:
        """Wait until the line is quiet, then send again what was not taken."""
        self._attempts += 1
        if self._attempts > ATTEMPTS:
            raise ProtocolError(
                "frames of the stream should arrive undamaged",
                got=f"one that did not in {ATTEMPTS} attempts",
                hint="use a shorter cable or a lower baud rate, and check that nothing else writes to the port",
            )
        while (message := line.poll(_WHAT, QUIET_S)) is not None:
            yield from self._understood(line, message)
        if self._waiting:
            self.sent.repeated += len(self._waiting)
            line.send(b"\0" + b"".join(content for _, content in self._waiting))


def _stopped(line: Line) -> tuple[int, ...]:
    answer = line.command("stop")
    left_out = (lines.LeftOut,) if any(isinstance(message, lines.LeftOut) for message in answer) else ()
    line.verify("stop", answer, (lines.Stopped, lines.Activations, *left_out, msg.Ready))
    return first(answer, lines.Activations).values


def parts(blocks: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """int16 blocks of any length as parts of `size` samples; the last one has the rest."""
    rest = np.zeros(0, np.int16)
    for block in blocks:
        rest = np.concatenate([rest, block])
        whole = len(rest) // size * size
        yield from rest[:whole].reshape(-1, size)
        rest = rest[whole:]
    if len(rest):
        yield rest
