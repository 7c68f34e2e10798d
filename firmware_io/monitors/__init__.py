"""Energy meters: one file each, found by the file's name; a meter is a URL like `lpm01a:/dev/ttyACM1?rate_hz=10000`.

Every module has
    CAPABILITIES                        what the instrument can do, as data
and, by CAPABILITIES.kind,
    live    connect(rest) -> context[Monitor]       an instrument that streams while the board runs
    file    load(rest) -> Trace                     what some other instrument recorded
    model   estimate(board, us, instructions) -> Estimate     no instrument at all: always labelled estimated

`rest` is what stands behind the scheme. Heavy or rare packages of vendors are imported inside of `connect` and are
extras of this package; without them `connect` raises ConfigError with the line that installs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, cast

import numpy as np

from edgekws import plugins
from edgekws.errors import ConfigError
from edgekws.types import Interval
from firmware_io.monitors._url import rate_hz as rate_hz

Kind = Literal["live", "file", "model"]
_HINT = "for example lpm01a:/dev/ttyACM1 or model:"


@dataclass(frozen=True)
class Capabilities:
    """What an instrument can do.

    rates_hz: samples per second that it can be set to, ascending; empty for kinds that do not sample.
    default_rate_hz: the one for a bench. max_current_a: 0 when it does not matter.
    supplies_v: lowest and highest voltage that it feeds a board with; None: it only watches.
    edges: it has an input for the board's timestamp pin, and samples are counted by the same clock.
    extra: the optional dependency of this package that its driver needs; "" for none.
    """

    title: str
    kind: Kind
    rates_hz: tuple[float, ...] = ()
    default_rate_hz: float = 0.0
    max_current_a: float = 0.0
    supplies_v: tuple[float, float] | None = None
    edges: bool = False
    extra: str = ""


class Monitor(Protocol):
    """A live meter. All methods raise BoardError when the instrument is gone, refuses, or lost a sample."""

    def set_voltage(self, volts: float) -> None:
        """Feed the board with `volts`; 0 switches it off. ConfigError outside of CAPABILITIES.supplies_v."""

    def start(self, rate_hz: float) -> None:
        """Sample from now on; sample 0 is the first one. ConfigError for a rate that it does not have."""

    def samples(self, timeout_s: float) -> np.ndarray:
        """float64 [n]: joules of each sample period since the last call; n = 0 only after `timeout_s` of silence."""

    def edges(self) -> tuple[int, ...]:
        """Samples (counted from the start) in which the timestamp pin fell, new since the last call, in order."""

    def stop(self) -> None:
        """Stop sampling. What was sampled before can still be read: `samples` until it gives none, then `edges`."""


@dataclass(frozen=True)
class Trace:
    """What a meter recorded. joules: float64 [n] of each sample period; edges: samples in which the pin fell.

    volts: of the supply; None when it is not known. dropped: samples that the instrument says it lost.
    """

    meter: str
    rate_hz: float
    joules: np.ndarray
    edges: tuple[int, ...]
    volts: float | None = None
    dropped: int = 0


@dataclass(frozen=True)
class Estimate:
    """Joules of one inference by a model, between bounds that published constants allow. source: of these constants.

    chip: the one that the estimate stands for, with its clock and supply.
    """

    joules: float
    interval: Interval
    source: str
    chip: str = ""


class MeterModule(Protocol):
    """The module of a meter; its functions depend on CAPABILITIES.kind."""

    CAPABILITIES: Capabilities


def names() -> list[str]:
    """The schemes of all meters, sorted."""
    return plugins.names("meters")


def load(url: str) -> tuple[MeterModule, str]:
    """(module, rest) of a meter's URL. Raises ConfigError that lists the meters there are."""
    scheme, separator, rest = url.partition(":")
    if not separator:
        expected = f"--meter should be a URL with one of the schemes {', '.join(names())}"
        raise ConfigError(expected, got=url or "nothing", hint=_HINT)
    return cast(MeterModule, plugins.load("meters", scheme, _HINT)), rest
