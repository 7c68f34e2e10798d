"""How each node of a graph becomes a TFLite operator, before the real scales are known."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edgekws.emit._rounding import RAISE, RoundForm, check_bounds, kernel, round_form
from edgekws.emit.tflite import steps as _steps
from edgekws.emit.tflite.steps import Candidate, Steps
from edgekws.errors import TargetError
from edgekws.graph.ir import Graph, Node

EXACT_LOG2 = 23
_ACCUMULATOR_LOG2 = 29
_INT8_LIMIT = 127


@dataclass(frozen=True)
class Plan:
    """form: of `_rounding`, for factors 2^-n; else candidates and steps: of `steps`; none for ops that only clip.

    bounds: lowest and highest integer of the inputs. raised_in, raised: how far the input and the output are raised
    in TFLite.
    """

    node: Node
    bounds: tuple[int, int]
    raised_in: int = 0
    raised: int = 0
    form: RoundForm | None = None
    steps: Steps | None = None
    candidates: list[list[Candidate]] = field(default_factory=list)


@dataclass(frozen=True)
class Filter:
    """The integers of one convolution.

    weight: int8 [c_out, k_h, k_w, c_in] or [c, k_h, k_w]; bias: int64 [c_out]; scale: float32 [c_out].
    tie_free: bool [c_out], exact in runtimes that round once; wrong: int64 [c_out], accumulators that give
    another output than the graph. stored: "INT8" or "INT4". searched: whether `steps` chose it.
    """

    weight: np.ndarray
    bias: np.ndarray
    scale: np.ndarray
    tie_free: np.ndarray
    wrong: np.ndarray
    stored: str
    searched: bool


def plans_of(graph: Graph) -> list[Plan]:
    """One plan for each node. Raises TargetError for numbers that TFLite cannot hold."""
    plans: dict[str, Plan] = {}
    for node, lo, hi in graph.ranges():
        source = plans.get(node.inputs[0])
        raised_in = source.raised if source is not None and reads_raised(node) else 0
        plans[node.name] = _plan(node, raised_in, lo, hi)
    return list(plans.values())


def reads_raised(node: Node) -> bool:
    """Whether the bias of `node` can absorb the raise of its input: with padding, or without a bias, it cannot."""
    return node.operation.is_scaled and not any(node.pad)


def _plan(node: Node, raised_in: int, lo: int, hi: int) -> Plan:
    if not node.operation.is_scaled:
        return Plan(node, (lo, hi))
    form = _power_of_two_form(node, raised_in, lo, hi)
    if form is not None:
        return Plan(node, (lo, hi), raised_in, form.raised, form)
    return _searched(node, raised_in, lo, hi)


def _power_of_two_form(node: Node, raised_in: int, lo: int, hi: int) -> RoundForm | None:
    """None where a factor is not 2^-n, or where the proof of `_rounding` does not hold."""
    mult, shift = node.requant.mult.astype(np.int64), node.requant.shift.astype(np.int64)
    if node.requant.rule == "fixed-point" or np.any(mult & (mult - 1)) or np.any(mult > 1 << shift):
        return None
    form = round_form(node, raised_in)
    try:
        check_bounds(node, form, lo + raised_in, hi + raised_in, EXACT_LOG2)
    except TargetError:
        return None
    return form


def _searched(node: Node, raised_in: int, lo: int, hi: int) -> Plan:
    requant, weight = node.requant, kernel(node)
    native = requant.rule == "fixed-point"
    raised = RAISE if requant.lo < 0 and not native else 0
    low, high = _sum_bounds(node, weight, lo, hi)
    largest = np.maximum(np.abs(low), np.abs(high)) + 1
    room = np.maximum(_INT8_LIMIT // np.maximum(np.abs(weight.reshape(len(weight), -1)).max(1), 1), 1)
    most = np.ones_like(room) if native else np.minimum(room, (1 << _ACCUMULATOR_LOG2) // largest)
    steps = _steps.steps_of(requant, raised, low, high)
    candidates = _steps.search(steps, requant.factor, most, only_nominal=native)
    if not all(candidates):
        channel = next(number for number, each in enumerate(candidates) if not each)
        raise TargetError(
            f"{node.name}: TFLite scales int8 sums only down, and accumulators have 32 bits",
            got=f"a factor of {requant.factor[channel]:.4g} in channel {channel}",
            hint="use smaller factors or offsets in this layer, or export c",
        )
    return Plan(node, (lo, hi), raised_in, raised, None, steps, candidates)


def _sum_bounds(node: Node, weight: np.ndarray, lo: int, hi: int) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of acc + offset, int64 [c]; padding adds zero."""
    lo, hi = min(lo, 0), max(hi, 0)
    flat, offset = weight.reshape(len(weight), -1), node.requant.offset.astype(np.int64)
    return np.minimum(flat * lo, flat * hi).sum(1) + offset, np.maximum(flat * lo, flat * hi).sum(1) + offset


def filter_of(plan: Plan, s_in: np.float32, s_out: np.float32, unit: np.float32 | None) -> Filter:
    """unit: of a plan with a form (`scales`). Raises TargetError for accumulators beyond 32 bits."""
    if plan.form is not None:
        assert unit is not None, "scales_of leaves a margin for every plan with a form"
        form, scale = plan.form, np.ldexp(unit, -plan.form.shift.astype(int)).astype(np.float32)
        return Filter(form.weight, form.bias, scale, form.tie_free, np.zeros_like(form.shift), "INT8", False)
    assert plan.steps is not None
    chosen = [_steps.choose_scale(each, plan.steps, c, s_in, s_out) for c, each in enumerate(plan.candidates)]
    k, b, scale, wrong, single_rounding = (
        np.array([getattr(each, name) for each in chosen]) for name in ("k", "b", "scale", "wrong", "single_rounding")
    )
    weight = kernel(plan.node) * k.reshape(-1, *[1] * (kernel(plan.node).ndim - 1))
    raise_of_input = plan.raised_in * weight.reshape(len(weight), -1).sum(1)
    bias = k * plan.node.requant.offset.astype(np.int64) + b - raise_of_input
    inputs = [bound + plan.raised_in for bound in plan.bounds]
    check_bounds(plan.node, RoundForm(weight, bias, 0 * k, k == 2, 0), inputs[0], inputs[1], EXACT_LOG2)
    native = plan.node.requant.rule == "fixed-point" and plan.node.weight_bits == 4
    return Filter(weight.astype(np.int8), bias, scale, single_rounding, wrong, "INT4" if native else "INT8", True)
