"""Requantization as a step function, and the search for TFLite parameters with the same steps.

Requantization maps an integer z = acc + offset to an output and is monotone, so its thresholds define it: the
smallest z that gives at least y, for every output y but the lowest. Two requantizations agree on every z iff their
thresholds do; thresholds that no input can reach do not count. Both rules of the graph have closed forms:

offset-scale-shift   floor(z * m / 2^n) >= y           iff  z >= ceil(y * 2^n / m)
fixed-point          round(round(z * f) / 2^s) >= y    iff  z >= ceil(high(y) / f), with f = q / 2^31 and
                     high(y) = y * 2^s - 2^(s-1) - 1/2, plus 1 where y <= 0: the inner rounding takes halves up,
                     the outer one away from zero. For s = 0, high(y) = y - 1/2.

TFLite runs the second rule on acc' = k z + b, where the weights are multiplied by an integer k and b is a part
of the bias. Weights of 4 and 2 bits allow k up to 18 and 127, so that the steps can be placed on a
grid finer than z. Both are equal iff, with p = 1 / f and the thresholds T of the graph,

    k (T - 1) + b < high(y) * p <= k T + b          for all y

which bounds p from both sides. `search` ranks the pairs k, b by the width of the interval that they leave for p, and
`choose_scale` takes, of the multipliers that float32 scales can express within it, one that has the thresholds by
exact integer arithmetic. For y > 0, high(y) is linear in y; it jumps at 0, so outputs that may be negative are raised
by 128 before.

Runtimes that round once (to nearest, at y - 1/2) have another high(y). Parameters that satisfy both, with a margin
for float32's errors, are exact in these runtimes too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgekws.graph.ir import FIXED_POINT_BITS, Requant

FLOAT32_MARGIN = 2.0**-22
"""More than three roundings to float32, relative."""
_MULTIPLES = 40
"""How many values of k are tried, from the largest down: together they place b / k on a fine grid."""
_CANDIDATES = 24
"""Pairs k, b that are tried for each channel."""


@dataclass(frozen=True)
class Steps:
    """The thresholds of one node, and the range of z.

    levels: int64 [levels], the outputs in TFLite, with the raise. thresholds: int64
    [c, levels]. low, high: int64 [c], bounds of z.
    """

    levels: np.ndarray
    thresholds: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Candidate:
    """acc' = k z + b, then a multiplier of 2^-shift / p with p within low..high, if low is below high at all.

    nominal: the p of the graph's own factor. single_rounding: whether low..high also holds where runtimes round once.
    """

    k: int
    b: int
    shift: int
    low: float
    high: float
    nominal: float
    single_rounding: bool

    @property
    def preference(self) -> tuple[bool, float]:
        """Sort key: a larger one is better."""
        return self.single_rounding, self.high - self.low

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2 if self.low < self.high else self.nominal


@dataclass(frozen=True)
class ChannelScale:
    """The parameters of one channel. scale: of the filter; wrong: how many z differ; others: see Candidate."""

    k: int
    b: int
    scale: np.float32
    wrong: int
    single_rounding: bool


def steps_of(requant: Requant, raised: int, low: np.ndarray, high: np.ndarray) -> Steps:
    """low, high: int64 [c], bounds of acc + offset. raised: how far the output is raised in TFLite."""
    levels = np.arange(requant.lo + 1, requant.hi + 1)
    mult, shift = requant.mult.astype(np.int64), requant.shift.astype(np.int64)
    if requant.rule == "fixed-point":
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

    factor: float64 [c], of the graph. most: int64 [c], the largest k. only_nominal: only k = 1 and b = 0, for
    a graph with TFLite's own rule.
    """
    candidates: list[list[Candidate]] = [[] for _ in factor]
    for less in range(1 if only_nominal else _MULTIPLES):
        k = np.ones_like(most) if only_nominal else most - less
        usable = np.flatnonzero((k >= 1) & (factor < k))
        if usable.size:
            part = _Part.of(steps, factor, usable, k[usable])
            for b in [np.zeros(usable.size)] if only_nominal else part.offsets():
                part.add_candidates(b, candidates)
    return [sorted(each, key=lambda c: c.preference, reverse=True)[:_CANDIDATES] for each in candidates]


@dataclass(frozen=True)
class _Part:
    """Some channels, each with one k. below, at: float64 [c, levels], k z just below and at each threshold.

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
        """The interval of p that the thresholds allow, within 1..2; empty if the first is above the second."""
        below = np.where(self.counts_below, (self.below + b[:, None]) / line, np.nan)
        at = np.where(self.counts_at, (self.at + b[:, None]) / line, np.nan)
        least, most = np.where(line > 0, below, at), np.where(line > 0, at, below)
        return np.fmax.reduce(least, axis=1, initial=1.0), np.fmin.reduce(most, axis=1, initial=2.0)

    def add_candidates(self, b: np.ndarray, candidates: list[list[Candidate]]) -> None:
        """Append the candidate with this b, float64 [c], of each channel."""
        low, high = self._interval(b, self._line(2))
        single_low, single_high = self._interval(b, self._line(1))
        single_low = np.maximum(low, single_low * (1 + FLOAT32_MARGIN))
        single_high = np.minimum(high, single_high * (1 - FLOAT32_MARGIN))
        single = single_low < single_high
        low, high = np.where(single, single_low, low), np.where(single, single_high, high)
        columns = (self.k, b.astype(np.int64), self.shift, low, high, self.nominal, single)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for channel, row in zip(self.channels, rows, strict=True):
            candidates[channel].append(Candidate(*row))


def choose_scale(
    candidates: list[Candidate], steps: Steps, channel: int, s_in: np.float32, s_out: np.float32
) -> ChannelScale:
    """The first candidate with a float32 scale that has every threshold, else the one with the fewest wrong z."""
    best: ChannelScale | None = None
    for candidate in candidates:
        for scale in _scales_near(candidate, float(s_in), float(s_out)):
            result = _evaluated(candidate, steps, channel, scale, float(s_in) * float(scale) / float(s_out))
            if result.wrong == 0:
                return result
            if best is None or result.wrong < best.wrong:
                best = result
    assert best is not None, "search returns at least one candidate"
    return best


def most_expressible(candidates: list[list[Candidate]], s_in: np.float32, s_outs: np.ndarray) -> np.float32:
    """The first of `s_outs` (float32) with which most channels have a float32 scale within their best interval."""
    best = [each[0] for each in candidates]
    low, high, middle = (np.array([getattr(c, name) for c in best]) for name in ("low", "high", "middle"))
    factors = np.ldexp(1 / middle, [-c.shift for c in best])
    ratio = s_outs.astype(np.float64)[:, None] / float(s_in)
    p = middle * (factors * ratio) / (factors * ratio).astype(np.float32)
    within = ((low < p) & (p < high)).sum(1)
    return np.float32(s_outs[within.argmax()])


def _p_of(candidate: Candidate, scale: float) -> float:
    return math.ldexp(1 / scale, -candidate.shift)


def _scales_near(candidate: Candidate, s_in: float, s_out: float) -> list[np.float32]:
    nearest = np.float32(math.ldexp(1 / candidate.middle, -candidate.shift) * s_out / s_in)
    return [nearest, np.nextafter(nearest, np.float32(0)), np.nextafter(nearest, np.float32(np.inf))]


def _evaluated(candidate: Candidate, steps: Steps, channel: int, scale: np.float32, factor: float) -> ChannelScale:
    """Compare the requantization by this factor, s_in * s_w / s_out, in exact integers."""
    mult, shift = quantized(factor)
    left = max(-shift, 0)  # of a factor of 1: TFLite shifts before it multiplies
    at = -((candidate.b - fixed_point(mult << left, shift + left, steps.levels)) // candidate.k)
    low, high = steps.low[channel], steps.high[channel] + 1
    gaps = np.clip(at, low, high) - np.clip(steps.thresholds[channel], low, high)
    single = candidate.single_rounding and candidate.low < _p_of(candidate, factor) < candidate.high
    return ChannelScale(candidate.k, candidate.b, scale, int(np.abs(gaps).sum()), single)
