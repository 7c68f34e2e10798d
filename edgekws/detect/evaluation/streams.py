"""A stream that was heard once: its posteriors, from which any detector's events follow, and the words in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from edgekws.detect import runs
from edgekws.detect.clock import Clock
from edgekws.detect.detector import Event
from edgekws.detect.settings import Settings


class Word(NamedTuple):
    """A keyword that is spoken in samples [onset, end) of a stream.

    keyword: index into the detector's keywords. speaker: "" where unknown. clip: the recording it is from. snr_db: None
    where nothing was added. room: "" for none.
    """

    keyword: int
    onset: int
    end: int
    speaker: str = ""
    clip: str = ""
    snr_db: float | None = None
    room: str = ""


class Piece(NamedTuple):
    """A recording that begins at sample `start` of the stream."""

    start: int
    name: str


@dataclass(frozen=True)
class Heard:
    """posteriors: int16 [steps, keywords], thousandths. samples: length of the stream. words: in order of their onset.

    pieces: recordings that it consists of, in order. synthetic: whether a program made the speech in it. read: samples
    [start, stop) of it as int16, for listening; None where the sound is gone.
    """

    name: str
    posteriors: np.ndarray
    samples: int
    clock: Clock
    words: tuple[Word, ...] = ()
    pieces: tuple[Piece, ...] = ()
    synthetic: bool = False
    read: Callable[[int, int], np.ndarray] | None = None

    @property
    def hours(self) -> float:
        return self.samples / self.clock.rate_hz / 3600

    def events(self, settings: Settings) -> list[Event]:
        """Of a detector with these settings, from the beginning of the stream."""
        return runs.events(runs.sums(self.posteriors, settings.smoothing_steps), settings)

    def place(self, sample: int) -> tuple[str, float]:
        """The recording that holds a sample of the stream, and how many seconds after its start."""
        before = [piece for piece in self.pieces if piece.start <= sample] or [Piece(0, self.name)]
        return before[-1].name, (sample - before[-1].start) / self.clock.rate_hz


def hours(streams: Sequence[Heard]) -> float:
    return sum(stream.hours for stream in streams)
