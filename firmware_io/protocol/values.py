"""The values that a session takes and returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Mode = Literal["performance", "energy"]
"""performance: the firmware prints its time stamps; energy: it signals them as falling edges of a pin."""


@dataclass(frozen=True)
class Timeouts:
    """Seconds. line_s: until the next line; infer_s: the same during `infer`; quiet_s: silence that ends a banner."""

    line_s: float = 5.0
    infer_s: float = 30.0
    quiet_s: float = 0.05


@dataclass(frozen=True)
class Identity:
    """Answers to `name` and `profile`: the vendor's name, the benchmark's profile and the model's id."""

    name: str
    profile: str
    model: str


@dataclass(frozen=True)
class Window:
    """One timed run of `iterations` inferences. start_us, end_us: on the device's clock, in microseconds.

    permille: probabilities in thousandths. host_s: seconds on this computer from the command to the end of its
    answer, warm-ups included.
    """

    iterations: int
    start_us: int
    end_us: int
    permille: tuple[int, ...]
    host_s: float = 0.0

    @property
    def device_us(self) -> int:
        """Length of the window in microseconds of the device's clock."""
        return self.end_us - self.start_us


@dataclass(frozen=True)
class EnergyRun:
    """One run of `iterations` inferences between two edges of the device's pin.

    permille, host_s: as in Window. attempts: how many runs it took until an answer arrived undamaged. Only the last
    run counts, so its edges are the last two.
    """

    iterations: int
    permille: tuple[int, ...]
    host_s: float
    attempts: int = 1


@dataclass(frozen=True)
class Answer:
    """The device's answer to one clip. permille: probabilities in thousandths.

    scores: int8 scores, None when the device does not know `raw`. loads: how often the input was sent until it
    arrived undamaged.
    """

    permille: tuple[int, ...]
    scores: tuple[int, ...] | None
    loads: int = 1


@dataclass(frozen=True)
class Transfers:
    """Statistics of a session. checked: every exchange is verified by checksums. commands: sent in total.

    repeated: exchanges that were damaged and retried.
    """

    checked: bool
    commands: int
    repeated: int
