"""A stream of blocks, and what there is to say about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from edgekws.data.streams.conversion import Conversion

BLOCK_S = 0.5
"""Of one block, about: short enough for a live stream, long enough for NumPy."""


@dataclass
class Source:
    """Sound as int16 [n] at `rate_hz`; iterate over it once.

    name: of the file or device. own_rate_hz, channels: of the sound itself. total: samples at `rate_hz`, where the
    source says it. raw: its own samples, [n, channels] as int16 or float in +-1. faults: what went wrong while it was
    read, each a sentence; complete when the iteration ends.
    """

    name: str
    rate_hz: int
    own_rate_hz: int
    channels: int
    raw: Iterable[np.ndarray]
    total: int | None = None
    faults: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[np.ndarray]:
        conversion = Conversion(self.name, self.own_rate_hz, self.rate_hz)
        for block in self.raw:
            converted = conversion.push(block)
            if len(converted):
                yield converted
        rest = conversion.finish()
        if len(rest):
            yield rest
        self.faults += conversion.faults()

    @property
    def changes(self) -> tuple[str, ...]:
        """What is done to its samples, in a few words each."""
        mixed = (f"{self.channels} channels mixed down to one",) if self.channels > 1 else ()
        rate = (f"resampled from {self.own_rate_hz:,} Hz",) if self.own_rate_hz != self.rate_hz else ()
        return (*mixed, *rate)


def of_samples(samples: np.ndarray, rate_hz: int, name: str) -> Source:
    """A source of int16 [n] in memory, at `rate_hz`."""
    size = int(rate_hz * BLOCK_S)
    blocks = (samples[at : at + size, None] for at in range(0, len(samples), size))
    return Source(name, rate_hz, rate_hz, 1, blocks, len(samples))
