"""The detector in integers: this is its definition. firmware_io/firmware/kernels/detector.h is its mirror in C.

posterior of each keyword, in thousandths, at step t (Graph.permille)
sum       of the last M posteriors; those before the start are 0
passes    sum >= threshold * M
armed     at the start, and again once it does not pass: one event a word
event     a keyword that passes and is armed, when at least `refractory_steps` steps went by since the last event
          of any keyword; of several the highest sum, of equal sums the keyword that stands first
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from edgekws.detect.settings import ONE, Settings
from edgekws.errors import ArtifactError

BINS = 32
"""Of the histogram of posteriors: bin b counts posteriors of 32 b to 32 b + 31 thousandths."""
_BIN_BITS = 5


def bins_of(posteriors: np.ndarray) -> np.ndarray:
    """Thousandths -> bins, of the same shape."""
    return posteriors >> _BIN_BITS


class Event(NamedTuple):
    """keyword: index into Settings.keywords. step: from 0. score: the mean posterior in thousandths, rounded down."""

    keyword: int
    step: int
    score: int


class Detector:
    """The events of one stream, step by step; its memory does not grow.

    histogram: int64 [keywords, BINS], the posteriors of all steps so far; it shows, without any audio, whether a
    detector in the field sees what it saw in validation.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.histogram = np.zeros((len(settings.keywords), BINS), np.int64)
        self._recent = np.zeros((settings.smoothing_steps, len(settings.keywords)), np.int64)
        self._sums = np.zeros(len(settings.keywords), np.int64)
        self._levels = np.array(settings.thresholds_permille) * settings.smoothing_steps
        self._armed = np.ones(len(settings.keywords), bool)
        self._rest = 0
        self.steps = 0
        """Steps so far."""

    def step(self, posteriors: np.ndarray) -> Event | None:
        """posteriors: int [keywords], thousandths."""
        slot = self._recent[self.steps % len(self._recent)]
        self._sums += posteriors - slot
        slot[:] = posteriors
        self.histogram[np.arange(len(posteriors)), bins_of(posteriors)] += 1
        return self._event(self._sums >= self._levels)

    def push(self, posteriors: np.ndarray) -> list[Event]:
        """posteriors: int [steps, keywords], 0..1000. Raises ArtifactError for others."""
        wide = posteriors.astype(np.int64)
        if posteriors.ndim != 2 or wide.shape[1] != len(self._sums) or (wide < 0).any() or (wide > ONE).any():
            got = f"{posteriors.dtype} {list(posteriors.shape)}"
            raise ArtifactError(f"posteriors should be [steps, {len(self._sums)}], 0..{ONE}", got=got)
        return [event for event in map(self.step, wide) if event is not None]

    def _event(self, passes: np.ndarray) -> Event | None:
        """The event of this step; counts the step."""
        step, self.steps = self.steps, self.steps + 1
        self._armed |= ~passes
        self._rest = max(self._rest - 1, 0)
        ready = passes & self._armed
        if self._rest or not ready.any():
            return None
        keyword = int(np.argmax(np.where(ready, self._sums, -1)))
        self._armed[keyword] = False
        self._rest = self.settings.refractory_steps
        return Event(keyword, step, int(self._sums[keyword]) // len(self._recent))
