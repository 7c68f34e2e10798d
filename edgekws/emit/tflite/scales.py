"""The real scales of a TFLite file: near those of the graph, and such that multipliers come out as wanted.

A node of factor 2^-n wants s_in * unit / s_out to be 1 less a hair of 2^-31 to 2^-26, with a float32 `unit` for
the scale of its filter:

- TFLite's kernels take it in double precision as a 31-bit multiplier. An exact 2^-n would become 2^30,
  whose first rounding step drops the lowest bit; a hair less becomes 2^31 - k, and the first step keeps
  every accumulator below 2^23 whole.
- XNNPACK takes it in float32, where the hair vanishes: exactly 2^-n.

To make room for the hair, scales differ from those of the graph by less than one part in 1,000. All other nodes
have filter scales of their own (`_steps`) and ask for no room.

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

_HAIR_LOW, _HAIR_HIGH = 2.0**-31, 2.0**-26
_STEPS = np.arange(1024, 8192)
"""How many float32 steps a scale may be moved."""
_FEW_STEPS = np.array([0, *(sign * step for step in range(1, 512) for sign in (1, -1))])
_LARGEST = 255
_ADD_ERROR = 0.25


def scales_of(graph: Graph, plans: Sequence[Plan]) -> dict[str, np.float32]:
    """Node name (or INPUT) -> scale of its tensor. Raises TargetError if there are no such scales."""
    found: dict[str, np.float32] = {}
    followers = _followers(plans)
    found[INPUT] = free(graph.input_scale, followers.get(INPUT, []))
    for plan in plans:
        node, after = plan.node, followers.get(plan.node.name, [])
        s_in = found[node.inputs[0]]
        if node.operation.is_window_pool:
            found[node.name] = s_in
        elif not node.operation.is_scaled:
            found[node.name] = _checked_add(node, free(float(s_in), after), [found[name] for name in node.inputs])
        elif plan.form is not None:
            found[node.name] = hairy(s_in, node.out_scale, after)
        elif after or node.requant.rule != "fixed-point":
            found[node.name] = free(node.out_scale, after)
        else:
            found[node.name] = most_expressible(plan.candidates, s_in, _few_near(node.out_scale))
    return found


def hairy(s_in: np.float32, wanted: float, followers: Sequence[float] = ()) -> np.float32:
    """A scale near `wanted` that leaves a hair after `s_in` and room for those of `followers`, which want it too.

    A power of two never leaves room. Raises TargetError if there is none.
    """
    candidates = near(wanted)
    return _with_room(candidates[~np.isnan(_units(s_in, candidates))], followers, wanted)


def free(wanted: float, followers: Sequence[float]) -> np.float32:
    """A scale near `wanted`, and `wanted` itself if there are no `followers` that want a hair."""
    return _with_room(near(wanted), followers, wanted) if followers else np.float32(wanted)


def unit_of(s_in: np.float32, s_out: np.float32) -> np.float32 | None:
    """The unit with which s_in * unit / s_out is 1 less a hair."""
    unit = np.float32(_units(s_in, np.array([s_out]))[0])
    return None if np.isnan(unit) else unit


def _units(s_in: np.float32, s_outs: np.ndarray) -> np.ndarray:
    """`unit_of` for each of `s_outs`, float32; NaN where there is none."""
    nearest = (s_outs.astype(np.float64) / float(s_in)).astype(np.float32)
    below = np.nextafter(nearest, np.float32(0))
    fits, fits_below = (_is_hair(1 - float(s_in) * unit.astype(np.float64) / s_outs) for unit in (nearest, below))
    return np.where(fits, nearest, np.where(fits_below, below, np.float32(np.nan)))


def _is_hair(gap: np.ndarray) -> np.ndarray:
    return np.asarray((gap >= _HAIR_LOW) & (gap <= _HAIR_HIGH))


def near(wanted: float) -> np.ndarray:
    """float32 values around `wanted`, nearest first, but none that is likely to have a short mantissa."""
    moves = _STEPS * float(np.spacing(np.float32(wanted)))
    return np.stack([wanted - moves, wanted + moves], axis=1).ravel().astype(np.float32)


def _followers(plans: Sequence[Plan]) -> dict[str, list[float]]:
    """Tensor -> the output scales of the nodes that read it, directly or behind a max_pool, and want a hair."""
    alias: dict[str, str] = {}
    found: dict[str, list[float]] = {}
    for plan in plans:
        source = alias.get(plan.node.inputs[0], plan.node.inputs[0])
        if plan.node.operation.is_window_pool:
            alias[plan.node.name] = source
        elif plan.form is not None:
            found.setdefault(source, []).append(plan.node.out_scale)
    return found


def _with_room(candidates: np.ndarray, followers: Sequence[float], wanted: float) -> np.float32:
    for scale in candidates:
        if not any(np.isnan(_units(scale, near(each))).all() for each in followers):
            return np.float32(scale)
    raise TargetError("scales near those of the graph should allow exact multipliers", got=str([wanted, *followers]))


def _few_near(wanted: float) -> np.ndarray:
    """`wanted` itself, which is right where the graph was made with float32 scales, and some hundred around it."""
    return np.asarray(wanted + _FEW_STEPS * float(np.spacing(np.float32(wanted))), np.float32)


def _checked_add(node: Node, scale: np.float32, inputs: Sequence[np.float32]) -> np.float32:
    error = sum(_LARGEST * abs(float(each) / float(scale) - 1) for each in inputs)
    if error > _ADD_ERROR:
        raise TargetError(f"{node.name}: both inputs should have one scale", got=f"{[*map(float, inputs)]}")
    return scale
