"""Budgets of mixed precision: "flash=24kB", "latency=2.5ms", "drop=0.5"."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from edgekws.errors import ConfigError

Kind = Literal["flash", "latency", "drop"]
_UNITS: dict[Kind, dict[str, float]] = {
    "flash": {"B": 1, "kB": 1e3, "KiB": 1024, "MB": 1e6, "MiB": 1024**2},
    "latency": {"s": 1, "ms": 1e-3, "us": 1e-6},
    "drop": {"": 1},
}
_FORM = re.compile(r"(flash|latency|drop)=([0-9]+\.?[0-9]*|\.[0-9]+)\s*([A-Za-z]*)")


@dataclass(frozen=True)
class Budget:
    """The most that a network may cost.

    limit: bytes of weights and requantization parameters (flash), estimated seconds (latency), or points of accuracy on
    the validation split, in percent, that may be lost against the float network, over all clips and as mean of
    the classes (drop). text: as given.
    """

    kind: Kind
    limit: float
    text: str


def parse(text: str) -> Budget:
    """Read a budget. Raises ConfigError that names the kinds and units."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise _refused(text)
    kind: Kind = next(known for known in _UNITS if known == match[1])
    factor = _UNITS[kind].get(match[3])
    if factor is None:
        raise _refused(text)
    return Budget(kind, float(match[2]) * factor, match[0])


def format_limit(kind: Kind, value: float) -> str:
    """The part of a budget after "=", rounded up so that a network of this cost fits it."""
    if kind == "flash":
        return f"{math.ceil(value)}B"
    if kind == "latency":
        microseconds = math.ceil(value * 1e6)
        return f"{microseconds / 1000:.3f}ms" if microseconds >= 1000 else f"{microseconds}us"
    return f"{math.ceil(value * 1000 - 1e-6) / 1000:.3f}"


def _refused(text: str) -> ConfigError:
    known = "; ".join(f"{kind} in {', '.join(units)}" for kind, units in _UNITS.items() if kind != "drop")
    return ConfigError(
        f"--budget should be a kind, = and a number with a unit ({known}), or drop= and points of accuracy",
        got=text,
        hint="for example flash=24kB, latency=2.5ms or drop=0.5",
    )
