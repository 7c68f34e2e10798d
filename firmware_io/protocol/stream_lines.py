"""The lines of a firmware that listens to a stream (firmware/listen). docs/reference/protocol.md has the commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware_io.protocol.message import COUNT, INT8, Message


@dataclass(frozen=True)
class Stream(Message):
    """Answer to `stream`. front_end, graph: the first digits of their hashes. step_rows: rows of features a step.

    frame_samples: the most that one frame may hold. in_flight: frames that may wait for their answer.
    """

    front_end: str
    graph: str
    rate_hz: int
    hop_samples: int
    step_rows: int
    frame_samples: int
    in_flight: int


@dataclass(frozen=True)
class Heard(Message):
    """The end of a stream. scores_crc32: of the int8 scores of all steps. damaged: frames with a wrong checksum.

    missing: frames before which another one was lost.
    """

    samples: int
    steps: int
    events: int
    scores_crc32: int
    damaged: int
    missing: int


@dataclass(frozen=True)
class Event(Message):
    """A keyword. time_samples: samples read when it was detected; score: its mean probability in thousandths."""

    keyword: str
    time_samples: int
    score: int


@dataclass(frozen=True)
class Taken(Message):
    """A frame was taken, or had been before. expected: the sequence number of the next one."""

    expected: int


@dataclass(frozen=True)
class Refused(Message):
    """A frame was damaged, or not the one that was expected. expected: the sequence number of that one."""

    expected: int


@dataclass(frozen=True)
class Detector(Message):
    """First line of the answer to `settings`, and to every command that changes one."""

    smoothing_steps: int
    refractory_steps: int


@dataclass(frozen=True)
class Threshold(Message):
    """The threshold of one keyword in thousandths."""

    number: int
    keyword: str
    permille: int


@dataclass(frozen=True)
class Histogram(Message):
    """How many steps had a posterior in each bin, of one keyword."""

    number: int
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Cost(Message):
    """First line of the answer to `cost`. ticks_per_s: rate of the device's clock."""

    ticks_per_s: int


@dataclass(frozen=True)
class Stage(Message):
    """laps: how often the stage ran since the boot or `cost reset`; ticks: of the clock, in all."""

    number: int
    laps: int
    ticks: int


@dataclass(frozen=True)
class Lost(Message):
    """Samples of the microphone that were lost, because the device was busy; the stream begins again behind them."""

    samples: int


@dataclass(frozen=True)
class Stopped(Message):
    """First line of the answer to `stop`, of a firmware of MLPerf Tiny's streaming wake word."""


@dataclass(frozen=True)
class Activations(Message):
    """Its second line: the int8 scores of the wake word, one for each step since `start`."""

    values: tuple[int, ...]


@dataclass(frozen=True)
class LeftOut(Message):
    """How many more steps there were, for whose scores the device has no memory."""

    steps: int


def _heard(samples: str, steps: str, events: str, crc: str, damaged: str, missing: str) -> Heard:
    return Heard(int(samples), int(steps), int(events), int(crc, 16), int(damaged), int(missing))


def _scores(text: str) -> tuple[int, ...]:
    return tuple(int(value) for value in text.split(", ")) if text else ()


def _counts(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


LIST = b"target activations: ["
"""What the one line begins with that may be longer than any other."""
MAX_LIST_BYTES = 16_384
"""Its length: 2,048 scores of four characters and what separates them need 12 KiB."""
_ID, _WORD = r"([0-9a-f]{8})", r"([^,\]]+)"
LINES: tuple[tuple[str, Callable[..., Message]], ...] = (
    (
        rf"m-stream-\[{_ID},{_ID},{COUNT},{COUNT},{COUNT},{COUNT},{COUNT}\]",
        lambda front_end, graph, *counts: Stream(front_end, graph, *map(int, counts)),
    ),
    (rf"m-heard-\[{COUNT},{COUNT},{COUNT},{_ID},{COUNT},{COUNT}\]", _heard),
    (rf"m-event-\[{_WORD},{COUNT},{COUNT}\]", lambda word, *counts: Event(word, *map(int, counts))),
    (rf"m-ack-\[{COUNT}\]", lambda text: Taken(int(text))),
    (rf"m-nak-\[{COUNT}\]", lambda text: Refused(int(text))),
    (rf"m-detector-\[{COUNT},{COUNT}\]", lambda *counts: Detector(*map(int, counts))),
    (
        rf"m-threshold-\[{COUNT},{_WORD},{COUNT}\]",
        lambda number, word, permille: Threshold(int(number), word, int(permille)),
    ),
    (rf"m-histogram-\[{COUNT},(\d+(?:,\d+)*)\]", lambda number, text: Histogram(int(number), _counts(text))),
    (rf"m-cost-\[{COUNT}\]", lambda text: Cost(int(text))),
    (rf"m-stage-\[{COUNT},{COUNT},{COUNT}\]", lambda *counts: Stage(*map(int, counts))),
    (rf"m-lost-\[{COUNT}\]", lambda text: Lost(int(text))),
    (r"Streaming stopped\.", Stopped),
    (rf"target activations: \[((?:{INT8}(?:, {INT8})*)?)\]", lambda text: Activations(_scores(text))),
    (rf"m-activations-left-out-\[{COUNT}\]", lambda text: LeftOut(int(text))),
)
"""Pattern -> how to make a message of its groups."""
