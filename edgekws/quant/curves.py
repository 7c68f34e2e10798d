"""Functions of one value that a network applies to every element: a `table` of 256 entries in the integer graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch.nn import functional

_STEP = 1 / 256
"""Of functions within 0..1, as TFLite's LOGISTIC has it; those within -1..1 have twice as much, as its TANH."""


@dataclass(frozen=True)
class Curve:
    """A function of one value.

    name: for messages, and of its layers. of: (values [n, c, ...], slopes) -> values; slopes: [c, 1, ...], [1] or
    empty, the layer's parameters. signed: whether results may be negative. step: real value of one output step where
    the range of the results does not depend on the network; else calibration chooses it.
    """

    name: str
    of: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    signed: bool = True
    step: float | None = None

    def __call__(self, x: torch.Tensor, slopes: torch.Tensor) -> torch.Tensor:
        return self.of(x, slopes)

    def after(self, inner: Curve) -> Curve:
        """self(inner(x)) as one function; at most one of both may have slopes."""
        return Curve(self.name, partial(_chained, self, inner), self.signed, self.step)

    def times_input(self) -> Curve:
        """x * self(x): the Swish of a sigmoid."""
        return Curve(f"{self.name}_gate", partial(_gated, self))

    def scaled(self, factor: float, offset: float = 0.0) -> Curve:
        """self(x) * factor + offset."""
        return Curve(self.name, partial(_affine, self, factor, offset), self.signed or factor < 0 or offset < 0)

    def of_scaled(self, factor: float, offset: float = 0.0) -> Curve:
        """self(x * factor + offset)."""
        return self.after(IDENTITY.scaled(factor, offset))


def _chained(outer: Curve, inner: Curve, x: torch.Tensor, slopes: torch.Tensor) -> torch.Tensor:
    return outer(inner(x, slopes), slopes)


def _gated(gate: Curve, x: torch.Tensor, slopes: torch.Tensor) -> torch.Tensor:
    return x * gate(x, slopes)


def _affine(curve: Curve, factor: float, offset: float, x: torch.Tensor, slopes: torch.Tensor) -> torch.Tensor:
    return curve(x, slopes) * factor + offset


def _plain(function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    return function(x)


def plain(
    name: str, function: Callable[[torch.Tensor], torch.Tensor], signed: bool = True, step: float | None = None
) -> Curve:
    """A function without slopes."""
    return Curve(name, partial(_plain, function), signed, step)


def elu(alpha: float = 1.0) -> Curve:
    return plain("elu", partial(functional.elu, alpha=alpha))


def celu(alpha: float = 1.0) -> Curve:
    return plain("celu", partial(functional.celu, alpha=alpha))


def leaky_relu(slope: float = 0.01) -> Curve:
    return plain("leaky", partial(functional.leaky_relu, negative_slope=slope))


def gelu(approximate: str = "none") -> Curve:
    return plain("gelu", partial(functional.gelu, approximate=approximate))


def softplus(beta: float = 1.0, threshold: float = 20.0) -> Curve:
    function = partial(functional.softplus, beta=beta, threshold=threshold)
    return plain("softplus", function, signed=False)


def hard_sigmoid(alpha: float = 1 / 6, beta: float = 0.5) -> Curve:
    """clip(alpha * x + beta, 0, 1): torch's by default; ONNX's default has alpha 0.2."""
    return plain("hardsigmoid", partial(_hard_sigmoid, alpha, beta), signed=False, step=_STEP)


def _hard_sigmoid(alpha: float, beta: float, x: torch.Tensor) -> torch.Tensor:
    return torch.clamp(alpha * x + beta, 0, 1)


def _prelu(x: torch.Tensor, slopes: torch.Tensor) -> torch.Tensor:
    return torch.where(x >= 0, x, x * slopes)


def _one_minus_sigmoid(x: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(-x)


def _identity(x: torch.Tensor) -> torch.Tensor:
    return x


IDENTITY = plain("identity", _identity)
ONE_MINUS_SIGMOID = plain("keep", _one_minus_sigmoid, signed=False, step=_STEP)
SIGMOID = plain("sigmoid", torch.sigmoid, signed=False, step=_STEP)
TANH = plain("tanh", torch.tanh, step=2 * _STEP)
HARD_SWISH = plain("hardswish", functional.hardswish)
SILU = plain("silu", functional.silu)
MISH = plain("mish", functional.mish)
SELU = plain("selu", functional.selu)
SOFTSIGN = plain("softsign", functional.softsign, step=2 * _STEP)
ERF = plain("erf", torch.erf, step=2 * _STEP)
SQRT = plain("sqrt", torch.sqrt, signed=False)
SQUARE = plain("square", torch.square, signed=False)
ABS = plain("abs", torch.abs, signed=False)
EXP = plain("exp", torch.exp, signed=False)
PRELU = Curve("prelu", _prelu)
