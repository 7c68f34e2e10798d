"""The real scales of a TFLite file: near those of the graph, and chosen so that the multipliers are exact.

A node of factor 2^-n needs s_in * unit / s_out = 1 - margin, with a margin of 2^-31 to 2^-26 and a float32 `unit` as
the scale of its filter:

- TFLite's kernels convert it in double precision to a 31-bit multiplier. An exact 2^-n would become 2^30, whose
  first rounding step drops the lowest bit; slightly less becomes 2^31 - k, and the first step keeps every
  accumulator below 2^23 exact.
- XNNPACK computes it in float32, where the margin vanishes: exactly 2^-n.

For this margin, scales differ from those of the graph by less than one part in 1,000. All other nodes have filter
scales of their own (`steps`) and need no margin.

The inputs and the output of an addition have one scale in the graph; here they differ by up to some 2^-12. The
kernels round to nearest, and the sum of two integers is off by less than a quarter, so it stays exact.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekws.emit.tflite.plan import Plan
from edgekws.emit.tflite.steps import most_expressible
from edgekws.errors import TargetError
from edgekws.graph.ir import INPUT, Graph, Node

_MARGIN_LOW, _MARGIN_HIGH = 2.0**-31, 2.0**-26
_STEPS = np.arange(1024, 8192)
"""How many float32 steps a scale may be moved."""
_FEW_STEPS = np.array([0, *(sign * step for step in range(1, 512) for sign in (1, -1))])
_LARGEST = 255
_ADD_ERROR = 0.25


def scales_of(graph: Graph, plans: Sequence[Plan]) -> dict[str, np.float32]:
    """Node name (or INPUT) -> scale of its tensor. Raises TargetError if there are no such scales."""
    scales: dict[str, np.float32] = {}
    followers = _followers(plans)
    scales[INPUT] = free_scale(graph.input_scale, followers.get(INPUT, []))
    for plan in plans:
        node, after = plan.node, followers.get(plan.node.name, [])
        s_in = scales[node.inputs[0]]
        if node.operation.is_window_pool:
            scales[node.name] = s_in
        elif not node.operation.is_scaled:
            sources = [scales[name] for name in node.inputs]
            scales[node.name] = _checked_add(node, free_scale(float(s_in), after), sources)
        elif plan.form is not None:
            scales[node.name] = scale_with_margin(s_in, node.out_scale, after)
        elif after or node.requant.rule != "fixed-point":
            scales[node.name] = free_scale(node.out_scale, after)
        else:
            scales[node.name] = most_expressible(plan.candidates, s_in, _few_near(node.out_scale))
    return scales


def scale_with_margin(s_in: np.float32, target: float, followers: Sequence[float] = ()) -> np.float32:
    """A scale near `target` that has a margin from `s_in`, and from which each of `followers` has one too.

    A power of two never has one. Raises TargetError if there is none.
    """
    candidates = near(target)
    return _with_margins(candidates[~np.isnan(_units(s_in, candidates))], followers, target)


def free_scale(target: float, followers: Sequence[float]) -> np.float32:
    """A scale near `target`, from which each of `followers` has a margin; `target` itself without followers."""
    return _with_margins(near(target), followers, target) if followers else np.float32(target)


def unit_of(s_in: np.float32, s_out: np.float32) -> np.float32 | None:
    """The unit for which s_in * unit / s_out = 1 - margin; None if there is none."""
    unit = np.float32(_units(s_in, np.array([s_out]))[0])
    return None if np.isnan(unit) else unit


def _units(s_in: np.float32, s_outs: np.ndarray) -> np.ndarray:
    """`unit_of` for each of `s_outs`, float32; NaN where there is none."""
    nearest = (s_outs.astype(np.float64) / float(s_in)).astype(np.float32)
    below = np.nextafter(nearest, np.float32(0))
    fits, fits_below = (_is_margin(1 - float(s_in) * unit.astype(np.float64) / s_outs) for unit in (nearest, below))
    return np.where(fits, nearest, np.where(fits_below, below, np.float32(np.nan)))


def _is_margin(gap: np.ndarray) -> np.ndarray:
    return np.asarray((gap >= _MARGIN_LOW) & (gap <= _MARGIN_HIGH))


def near(target: float) -> np.ndarray:
    """float32 values around `target`, nearest first, without those that probably have a short mantissa."""
    moves = _STEPS * float(np.spacing(np.float32(target)))
    return np.stack([target - moves, target + moves], axis=1).ravel().astype(np.float32)


def _followers(plans: Sequence[Plan]) -> dict[str, list[float]]:
    """Tensor -> the output scales of the nodes that read it, directly or after a max_pool, and need a margin."""
    alias: dict[str, str] = {}
    followers: dict[str, list[float]] = {}
    for plan in plans:
        source = alias.get(plan.node.inputs[0], plan.node.inputs[0])
        if plan.node.operation.is_window_pool:
            alias[plan.node.name] = source
        elif plan.form is not None:
            followers.setdefault(source, []).append(plan.node.out_scale)
    return followers


def _with_margins(candidates: np.ndarray, followers: Sequence[float], target: float) -> np.float32:
    for scale in candidates:
        if not any(np.isnan(_units(scale, near(each))).all() for each in followers):
            return np.float32(scale)
    raise TargetError("scales near those of the graph should allow exact multipliers", got=str([target, *followers]))


def _few_near(target: float) -> np.ndarray:
    """`target` itself, which fits a graph with float32 scales, and some hundred values around it."""
    return np.asarray(target + _FEW_STEPS * float(np.spacing(np.float32(target))), np.float32)


def _checked_add(node: Node, scale: np.float32, inputs: Sequence[np.float32]) -> np.float32:
    error = sum(_LARGEST * abs(float(each) / float(scale) - 1) for each in inputs)
    if error > _ADD_ERROR:
        raise TargetError(f"{node.name}: both inputs should have one scale", got=f"{[*map(float, inputs)]}")
    return scale
