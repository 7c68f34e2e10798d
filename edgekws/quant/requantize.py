"""Requantization in torch: the integers of edgekws.graph.interp, with straight-through gradients.

Tensors are float32 and hold integers, exact below 2**24. With the offset-scale-shift rule the product
(acc + offset) * mult may pass 2**24; float32 then rounds it, but such values always clip as long
as shift <= 16, and `lower` refuses graphs where that cannot be shown. The fixed-point rule has products
of 55 bits and is computed in int64.
"""

from __future__ import annotations

import torch
from torch.autograd.function import FunctionCtx
from torch.nn import functional

from edgekws.graph.ir import FIXED_POINT_BITS, Rule
from edgekws.quant.float_layers import along_channels


def requantize(
    acc: torch.Tensor, offset: torch.Tensor, factor: torch.Tensor, lo: int, hi: int, rule: Rule
) -> torch.Tensor:
    """clip(round(factor * (acc + offset)), lo, hi), rounded by `rule`, for acc [n, c, ...], offset and factor [c].

    Overwrites acc. Gradients (Bengio et al., arXiv 1308.3432): rounding passes them on, clipped values have none.
    """
    y: torch.Tensor = _Requantize.apply(acc, offset, factor, lo, hi, rule)  # type: ignore[no-untyped-call]
    return y


class _Requantize(torch.autograd.Function):
    """One pass over the tensor in each direction. Only the output is kept, which the next layer keeps anyway."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, acc: torch.Tensor, offset: torch.Tensor, factor: torch.Tensor, lo: int, hi: int, rule: Rule
    ) -> torch.Tensor:
        total = acc.add_(along_channels(offset, acc))
        if rule == "fixed-point":
            total.copy_(_fixed_point(total, factor))
        else:
            total.mul_(along_channels(factor, acc)).floor_()
        y = total.clamp_(lo, hi)
        ctx.mark_dirty(acc)
        ctx.save_for_backward(y, factor)
        ctx.range = (lo, hi)  # type: ignore[attr-defined]
        return y

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        y, factor = ctx.saved_tensors  # type: ignore[attr-defined]
        inside = torch.ops.aten.hardtanh_backward(grads[0], y, *ctx.range)  # type: ignore[attr-defined]
        others = [axis for axis in range(y.ndim) if axis != 1]
        grad_factor = None
        if ctx.needs_input_grad[2]:  # type: ignore[attr-defined]  # acc + offset is (y + 1/2) / factor on average over the floor
            grad_factor = (inside * y).sum(others).add_(inside.sum(others), alpha=0.5) / factor
        grad_acc = inside.mul_(along_channels(factor, y))
        grad_offset = grad_acc.sum(others) if ctx.needs_input_grad[1] else None  # type: ignore[attr-defined]
        return grad_acc, grad_offset, grad_factor, None, None, None


def _fixed_point(total: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """edgekws.graph.interp._fixed_point for a float64 factor of 31 significant bits."""
    fraction, exponent = torch.frexp(factor)
    mult = along_channels((fraction * 2.0**FIXED_POINT_BITS).to(torch.int64), total)
    shift = along_channels(-exponent.to(torch.int64), total)
    high = (total.to(torch.int64) * mult + (1 << (FIXED_POINT_BITS - 1))) >> FIXED_POINT_BITS
    mask = (torch.ones_like(shift) << shift) - 1
    return (high >> shift) + ((high & mask) > (mask >> 1) + (high < 0))


def normalize(
    acc: torch.Tensor, running: tuple[torch.Tensor, torch.Tensor], gain: torch.Tensor, bias: torch.Tensor,
    momentum: float, epsilon: float, lo: int, hi: int,
) -> torch.Tensor:  # fmt: skip
    """clip(floor(gain * (acc - mean) / deviation + bias)) with the batch's statistics; updates the running ones.

    acc: [n, c, ...]; running: (mean, variance), [c] each; gain, bias: [c], in output steps.
    """
    scaled = functional.batch_norm(acc, *running, gain, bias, training=True, momentum=momentum, eps=epsilon)
    floored: torch.Tensor = _Floor.apply(scaled, lo, hi)  # type: ignore[no-untyped-call]
    return floored


class _Floor(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, x: torch.Tensor, lo: int, hi: int) -> torch.Tensor:
        y = x.floor().clamp_(lo, hi)
        ctx.save_for_backward(y)
        ctx.range = (lo, hi)  # type: ignore[attr-defined]
        return y

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (y,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return torch.ops.aten.hardtanh_backward(grads[0], y, *ctx.range), None, None  # type: ignore[attr-defined]


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: torch.Tensor, rounded: torch.Tensor) -> torch.Tensor:  # noqa: ARG004
        return rounded

    @staticmethod
    def backward(ctx: object, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:  # noqa: ARG004
        return grads[0], None


def round_through(x: torch.Tensor) -> torch.Tensor:
    """round(x), half to even, with the gradient of x."""
    return through(x, torch.round(x.detach()))


def through(x: torch.Tensor, rounded: torch.Tensor) -> torch.Tensor:
    """rounded, with the gradient of x."""
    passed: torch.Tensor = _StraightThrough.apply(x, rounded)  # type: ignore[no-untyped-call]
    return passed
