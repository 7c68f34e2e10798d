"""What a session takes and gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Mode = Literal["performance", "energy"]
"""performance: the firmware prints its time stamps; energy: they are edges of a pin."""


@dataclass(frozen=True)
class Timeouts:
    """Seconds. line: until the next line; infer: until a line while it infers; quiet: end of a banner."""

    line_s: float = 5.0
    infer_s: float = 30.0
    quiet_s: float = 0.05


@dataclass(frozen=True)
class Identity:
    """What the device says of itself."""

    name: str
    profile: str
    model: str


@dataclass(frozen=True)
class Window:
    """One timed run of `iterations` inferences; times in microseconds of the device's clock.

    host_s: seconds of this computer from the command to the end of its answer, warm-ups included.
    """

    iterations: int
    start_us: int
    end_us: int
    permille: tuple[int, ...]
    host_s: float = 0.0

    @property
    def device_us(self) -> int:
        return self.end_us - self.start_us


@dataclass(frozen=True)
class EnergyRun:
    """One run of `iterations` inferences between two edges of the device's pin.

    host_s: as of a Window. attempts: how often it ran until its answer came undamaged; the run that counts is the
    last one, so its edges are the last two.
    """

    iterations: int
    permille: tuple[int, ...]
    host_s: float
    attempts: int = 1


@dataclass(frozen=True)
class Answer:
    """The device's answer for one clip. scores: None when the device cannot give them.

    loads: how often the input was sent until it had arrived undamaged.
    """

    permille: tuple[int, ...]
    scores: tuple[int, ...] | None
    loads: int = 1


@dataclass(frozen=True)
class Transfers:
    """What a session sent. checked: the device proves every exchange; repeated: exchanges that were damaged."""

    checked: bool
    commands: int
    repeated: int
