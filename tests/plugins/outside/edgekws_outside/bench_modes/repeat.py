"""Whether the device answers the same clip in the same way twice."""

from __future__ import annotations

from firmware_io.bench.modes import Figures, Setup

ORDER = 10


class Runner:
    def __init__(self, setup: Setup) -> None:
        self._setup, self._clips, self._equal = setup, 0, 0

    def measure(self) -> None:
        """Raises BoardError or ProtocolError when the device breaks off."""
        for features in self._setup.vectors.features[:2]:
            first, second = (self._setup.session.classify(features).permille for _ in range(2))
            self._clips += 1
            self._equal += first == second

    def section(self) -> Figures | None:
        if not self._clips:
            return None
        wrong = self._clips - self._equal
        reasons = (f"{wrong} clips were answered in two ways",) if wrong else ()
        return Figures((("clips answered alike twice", self._equal, "clips", self._clips),), reasons)
