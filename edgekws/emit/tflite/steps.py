"""Stages as step functions, and the search for a TFLite stage that steps at the same places.

A stage takes an integer z = acc + offset to an output and never falls, so it is known by its thresholds: the
smallest z that gives at least y, for every output y but the lowest. Two stages agree on every z iff their
thresholds do; those that no input can reach do not count. Both rules of the graph have closed forms:

offset-scale-shift   floor(z * m / 2^n) >= y           iff  z >= ceil(y * 2^n / m)
fixed-point          round(round(z * f) / 2^s) >= y    iff  z >= ceil(high(y) / f), with f = q / 2^31 and
                     high(y) = y * 2^s - 2^(s-1) - 1/2, plus 1 where y <= 0: the inner rounding takes halves up,
                     the outer one away from zero. For s = 0, high(y) = y - 1/2.

TFLite runs the second rule on acc' = k z + b, where the weights are multiplied by an integer k and b is a part
of the bias. Weights of 4 and 2 bits leave room for k up to 18 and 127, so that the steps can be placed on a
grid finer than z. The stages are equal iff, with p = 1 / f and the thresholds T of the graph,

    k (T - 1) + b < high(y) * p <= k T + b          for all y

which bounds p from both sides. `search` lists the pairs k, b by how wide an interval they leave to p, and
`settle` takes, of the multipliers that float32 scales can express within it, one that has the thresholds by
exact integer arithmetic. For y > 0 both ends stand on one line; the jump at 0 does not, so outputs that may
be negative are raised by 128 before.

Runtimes that round once (to nearest, at y - 1/2) have another line. A stage that also fits it, with room
for float32's errors, is exact in these runtimes too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgekws.graph.ir import FIXED_POINT_BITS, Requant

FLOAT32_ROOM = 2.0**-22
"""More than three roundings to float32, relative."""
_MULTIPLES = 40
"""How many values of k are tried, from the largest down: together they place b / k on a fine grid."""
_CANDIDATES = 24
"""Pairs k, b that are tried for each channel."""


@dataclass(frozen=True)
class Steps:
    """The thresholds of one node, and which z occur.

    levels: int64 [levels], the outputs as TFLite counts them, raised ones included. thresholds: int64
    [c, levels]. low, high: int64 [c], bounds of z.
    """

    levels: np.ndarray
    thresholds: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Candidate:
    """acc' = k z + b, then a multiplier of 2^-shift / p with p within low..high, if low is below high at all.

    nominal: the p of the graph's own factor. once: whether runtimes that round once are met within low..high too.
    """

    k: int
    b: int
    shift: int
    low: float
    high: float
    nominal: float
    once: bool

    @property
    def room(self) -> tuple[bool, float]:
        """What makes one candidate better than another."""
        return self.once, self.high - self.low

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2 if self.low < self.high else self.nominal


@dataclass(frozen=True)
class Settled:
    """The stage of one channel. scale: of the filter; wrong: how many z differ; once: see Candidate."""

    k: int
    b: int
    scale: np.float32
    wrong: int
    once: bool


def steps_of(stage: Requant, raised: int, low: np.ndarray, high: np.ndarray) -> Steps:
    """low, high: int64 [c], bounds of acc + offset. raised: how far above its meaning TFLite sees the output."""
    levels = np.arange(stage.lo + 1, stage.hi + 1)
    mult, shift = stage.mult.astype(np.int64), stage.shift.astype(np.int64)
    if stage.rule == "fixed-point":
        thresholds = np.stack([fixed_point(int(q), int(s), levels) for q, s in zip(mult, shift, strict=True)])
    else:
        thresholds = -((-levels << shift[:, None]) // mult[:, None])
    return Steps(levels + raised, thresholds, low, high)


def fixed_point(mult: int, shift: int, levels: np.ndarray) -> np.ndarray:
    """Thresholds of TFLite's rule, int64 [levels], computed beyond 64 bits. mult: within [2^30, 2^31)."""
    numerators = [_doubled_high(int(y), shift) << (FIXED_POINT_BITS - 1) for y in levels]
    return np.array([-(-numerator // mult) for numerator in numerators], np.int64)


def quantized(scale: float) -> tuple[int, int]:
    """The multiplier and right shift that TFLite makes of s_in * s_w / s_out, below 1."""
    fraction, exponent = math.frexp(scale)
    mult = math.floor(fraction * 2.0**FIXED_POINT_BITS + 0.5)
    return (mult >> 1, -exponent - 1) if mult >> FIXED_POINT_BITS else (mult, -exponent)


def _doubled_high(y: int, shift: int) -> int:
    """2 * high(y), an odd integer."""
    if shift == 0:
        return 2 * y - 1
    return (y << (shift + 1)) - (1 << shift) - (1 if y > 0 else -1)


def search(steps: Steps, factor: np.ndarray, most: np.ndarray, only_nominal: bool) -> list[list[Candidate]]:
    """The best candidates of each channel, best first; none where `factor` needs a larger k.

    factor: float64 [c], of the graph. most: int64 [c], the largest k. only_nominal: k = 1 and b = 0 alone, for
    a graph that has TFLite's own rule.
    """
    found: list[list[Candidate]] = [[] for _ in factor]
    for less in range(1 if only_nominal else _MULTIPLES):
        k = np.ones_like(most) if only_nominal else most - less
        usable = np.flatnonzero((k >= 1) & (factor < k))
        if usable.size:
            part = _Part.of(steps, factor, usable, k[usable])
            for b in [np.zeros(usable.size)] if only_nominal else part.offsets():
                part.collect(b, found)
    return [sorted(each, key=lambda c: c.room, reverse=True)[:_CANDIDATES] for each in found]


@dataclass(frozen=True)
class _Part:
    """Some channels, each with one k. below, at: float64 [c, levels], k z just before and at each threshold.

    counts_below, counts_at: bool [c, levels], whether inputs reach these z.
    """

    k: np.ndarray
    channels: np.ndarray
    shift: np.ndarray
    nominal: np.ndarray
    levels: np.ndarray
    below: np.ndarray
    at: np.ndarray
    counts_below: np.ndarray
    counts_at: np.ndarray

    @classmethod
    def of(cls, steps: Steps, factor: np.ndarray, channels: np.ndarray, k: np.ndarray) -> _Part:
        fraction, exponent = np.frexp(factor[channels] / k)
        low, high = steps.low[channels, None], steps.high[channels, None]
        at, below = np.maximum(steps.thresholds[channels], low), np.minimum(steps.thresholds[channels] - 1, high)
        reached = (below >= low, at <= high)
        times = k[:, None].astype(np.float64)
        return cls(k, channels, -exponent, 1 / fraction, steps.levels, times * below, times * at, *reached)

    def _line(self, roundings: int) -> np.ndarray:
        """high(y), float64 [c, levels], of TFLite's rule or of a single rounding."""
        shift = self.shift[:, None]
        single = np.ldexp(self.levels - 0.5, shift)
        inner = np.where(shift > 0, np.where(self.levels > 0, 0.5, -0.5), 0)
        return np.asarray(single if roundings == 1 else single - inner)

    def offsets(self) -> list[np.ndarray]:
        """Values of b around the middle of what the nominal p allows."""
        line = self._line(2) * self.nominal[:, None]
        least = np.where(self.counts_at, line - self.at, -np.inf).max(1)
        most = np.where(self.counts_below, line - self.below, np.inf).min(1)
        least, most = (np.where(np.isfinite(x), x, y) for x, y in ((least, most), (most, least)))
        middle = np.where(np.isfinite(least), np.floor((least + most) / 2), 0)
        return [middle, middle + 1, middle - 1]

    def _interval(self, b: np.ndarray, line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the thresholds leave to p, within 1..2; the lower end may be the higher one."""
        below = np.where(self.counts_below, (self.below + b[:, None]) / line, np.nan)
        at = np.where(self.counts_at, (self.at + b[:, None]) / line, np.nan)
        least, most = np.where(line > 0, below, at), np.where(line > 0, at, below)
        return np.fmax.reduce(least, axis=1, initial=1.0), np.fmin.reduce(most, axis=1, initial=2.0)

    def collect(self, b: np.ndarray, found: list[list[Candidate]]) -> None:
        low, high = self._interval(b, self._line(2))
        once_low, once_high = self._interval(b, self._line(1))
        once_low = np.maximum(low, once_low * (1 + FLOAT32_ROOM))
        once_high = np.minimum(high, once_high * (1 - FLOAT32_ROOM))
        once = once_low < once_high
        low, high = np.where(once, once_low, low), np.where(once, once_high, high)
        columns = (self.k, b.astype(np.int64), self.shift, low, high, self.nominal, once)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for channel, row in zip(self.channels, rows, strict=True):
            found[channel].append(Candidate(*row))


def settle(candidates: list[Candidate], steps: Steps, channel: int, s_in: np.float32, s_out: np.float32) -> Settled:
    """The first candidate with a float32 scale that has every threshold, else the one with the fewest wrong z."""
    best: Settled | None = None
    for candidate in candidates:
        for scale in _scales_near(candidate, float(s_in), float(s_out)):
            settled = _tried(candidate, steps, channel, scale, float(s_in) * float(scale) / float(s_out))
            if settled.wrong == 0:
                return settled
            if best is None or settled.wrong < best.wrong:
                best = settled
    assert best is not None, "search gives at least one candidate"
    return best


def most_expressible(candidates: list[list[Candidate]], s_in: np.float32, s_outs: np.ndarray) -> np.float32:
    """The first of `s_outs` (float32) with which most channels have a float32 scale within their best interval."""
    best = [each[0] for each in candidates]
    low, high, middle = (np.array([getattr(c, name) for c in best]) for name in ("low", "high", "middle"))
    wanted = np.ldexp(1 / middle, [-c.shift for c in best])
    ratio = s_outs.astype(np.float64)[:, None] / float(s_in)
    p = middle * (wanted * ratio) / (wanted * ratio).astype(np.float32)
    within = ((low < p) & (p < high)).sum(1)
    return np.float32(s_outs[within.argmax()])


def _p_of(candidate: Candidate, scale: float) -> float:
    return math.ldexp(1 / scale, -candidate.shift)


def _scales_near(candidate: Candidate, s_in: float, s_out: float) -> list[np.float32]:
    nearest = np.float32(math.ldexp(1 / candidate.middle, -candidate.shift) * s_out / s_in)
    return [nearest, np.nextafter(nearest, np.float32(0)), np.nextafter(nearest, np.float32(np.inf))]


def _tried(candidate: Candidate, steps: Steps, channel: int, scale: np.float32, factor: float) -> Settled:
    """How the stage with this factor, s_in * s_w / s_out, compares: exact integers."""
    mult, shift = quantized(factor)
    left = max(-shift, 0)  # of a factor of 1: TFLite shifts before it multiplies
    at = -((candidate.b - fixed_point(mult << left, shift + left, steps.levels)) // candidate.k)
    low, high = steps.low[channel], steps.high[channel] + 1
    gaps = np.clip(at, low, high) - np.clip(steps.thresholds[channel], low, high)
    once = candidate.once and candidate.low < _p_of(candidate, factor) < candidate.high
    return Settled(candidate.k, candidate.b, scale, int(np.abs(gaps).sum()), once)
