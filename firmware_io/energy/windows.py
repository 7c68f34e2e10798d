"""Joules per sample period and edges of a pin -> energy of one inference. Pure functions; sums are float64.

            edge       edge                edge       edge
    idle ____|~~~window~|_idle__load~_idle___|~~~window~|__idle____

A window is the samples from the one in which the pin fell before the inferences to the one before it fell again.
Idle power is the lowest mean power over one second of each gap (before, between and after the windows): the host may
load a clip there, but the board also rests for a second. A window's idle power is the mean of the two gaps beside it.
Source of the order of edges: the session logs of MLPerf Tiny's EnergyRunner.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from edgekws.errors import ConfigError
from firmware_io.monitors import Trace

MOST_POINTS = 4000
_BLOCKS = 100
"""Resolution of the search for the quietest interval: a hundredth of its length."""
_CHUNK = 1 << 22


@dataclass(frozen=True)
class Span:
    """Samples first..last-1 of a trace, in which `iterations` inferences ran."""

    first: int
    last: int
    iterations: int


@dataclass(frozen=True)
class EnergyWindow:
    """Energy of one window. seconds: its length on the meter's clock. joules: its total.

    idle_watts: mean of the gaps beside it; None when both are too short, and then so is the energy above idle.
    """

    iterations: int
    seconds: float
    joules: float
    idle_watts: float | None
    uj_per_inference: float
    uj_per_inference_above_idle: float | None


@dataclass(frozen=True)
class Points:
    """A trace for a plot: mean power of each point in watts; edges_s: falling edges, in seconds from the start."""

    seconds_per_point: float
    watts: tuple[float, ...]
    edges_s: tuple[float, ...]


def spans(edges: Sequence[int], iterations: int) -> tuple[Span, ...]:
    """Pairs of edges as windows. With an odd number the first edge is the single `timestamp` of MLPerf Tiny's hosts.

    Raises ConfigError without a pair, or with edges that are not in order.
    """
    hint = "the pin falls before and after each window; name its column or file: csv:FILE?edge=COLUMN or ?edges=FILE"
    if len(edges) < 2:
        raise ConfigError("the trace should have two edges for each window", got=f"{len(edges)} edges", hint=hint)
    if any(later <= earlier for earlier, later in pairwise(edges)):
        raise ConfigError("the edges of the trace should be in order", got="one that is not after the last", hint=hint)
    pairs = edges[len(edges) % 2 :]
    return tuple(Span(pairs[at], pairs[at + 1], iterations) for at in range(0, len(pairs), 2))


def windows(trace: Trace, spans: Sequence[Span], idle_s: float) -> tuple[EnergyWindow, ...]:
    """Energy of each span; idle power is taken from the quietest `idle_s` seconds of each gap."""
    borders = [0, *(sample for span in spans for sample in (span.first, span.last)), len(trace.joules)]
    gaps = [quietest_watts(trace, borders[at], borders[at + 1], idle_s) for at in range(0, len(borders), 2)]
    return tuple(_window(trace, span, gaps[at : at + 2]) for at, span in enumerate(spans))


def _window(trace: Trace, span: Span, gaps: Sequence[float | None]) -> EnergyWindow:
    seconds = (span.last - span.first) / trace.rate_hz
    joules = total_joules(trace.joules, span.first, span.last)
    known = [watts for watts in gaps if watts is not None]
    idle_watts = sum(known) / len(known) if known else None
    above = None if idle_watts is None else (joules - idle_watts * seconds) * 1e6 / span.iterations
    return EnergyWindow(span.iterations, seconds, joules, idle_watts, joules * 1e6 / span.iterations, above)


def total_joules(joules: np.ndarray, first: int, last: int) -> float:
    """The sum of samples first..last-1, computed in float64 for any stored dtype."""
    parts = range(first, last, _CHUNK)
    return math.fsum(float(joules[at : min(at + _CHUNK, last)].sum(dtype=np.float64)) for at in parts)


def quietest_watts(trace: Trace, first: int, last: int, seconds: float) -> float | None:
    """Lowest mean power over `seconds` within samples first..last-1; None when there are not enough samples."""
    block = max(1, round(trace.rate_hz * seconds / _BLOCKS))
    length = max(1, round(trace.rate_hz * seconds / block))
    count = (last - first) // block
    if count < length:
        return None
    sums = _block_sums(trace.joules, first, block, count)
    before = np.concatenate([[0.0], np.cumsum(sums)])
    lowest = float((before[length:] - before[:-length]).min())
    return lowest * trace.rate_hz / (length * block)


def peak_watts(trace: Trace) -> float:
    """Highest power of a single sample, in watts; 0 without samples."""
    return max((float(np.max(part)) for part in _parts(trace.joules)), default=0.0) * trace.rate_hz


def points(trace: Trace, most: int = MOST_POINTS) -> Points:
    """The trace as at most `most` points, each the mean of equally many samples; an incomplete last one is omitted."""
    block = max(1, math.ceil(len(trace.joules) / most))
    sums = _block_sums(trace.joules, 0, block, len(trace.joules) // block)
    watts = tuple((sums * trace.rate_hz / block).tolist())
    return Points(block / trace.rate_hz, watts, tuple(edge / trace.rate_hz for edge in trace.edges))


def _block_sums(joules: np.ndarray, first: int, block: int, count: int) -> np.ndarray:
    """float64 [count]: sums of consecutive blocks of samples, without a copy of a trace that is larger than memory."""
    at_once = max(1, _CHUNK // block)
    sums = [
        joules[first + at * block : first + min(at + at_once, count) * block].reshape(-1, block).sum(1, np.float64)
        for at in range(0, count, at_once)
    ]
    return np.concatenate([np.zeros(0), *sums])


def _parts(joules: np.ndarray) -> list[np.ndarray]:
    return [joules[at : at + _CHUNK] for at in range(0, len(joules), _CHUNK)]
