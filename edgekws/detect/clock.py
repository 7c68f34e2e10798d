"""The time of steps, in samples."""

from __future__ import annotations

from typing import NamedTuple


class Clock(NamedTuple):
    """Which samples a step has heard: `first` before the first step is complete, then `step` for each further one."""

    first: int
    step: int
    rate_hz: int

    def samples(self, step: int) -> int:
        """Samples that were read when this step was complete."""
        return self.first + step * self.step

    @property
    def step_ms(self) -> float:
        """From one score to the next."""
        return 1000 * self.step / self.rate_hz
