"""Functions of one value as ONNX has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from edgekws.quant import curves
from edgekws.quant.curves import Curve
from edgekws.quant.frontends.assemble import Value
from edgekws.quant.frontends.onnx.call import Call, Readers

_NO_SLOPES = torch.zeros(0)
_CURVES: dict[str, Callable[[dict[str, Any]], Curve]] = {
    "Sigmoid": lambda _: curves.SIGMOID,
    "Tanh": lambda _: curves.TANH,
    "HardSwish": lambda _: curves.HARD_SWISH,
    "HardSigmoid": lambda given: curves.hard_sigmoid(given.get("alpha", 0.2), given.get("beta", 0.5)),
    "LeakyRelu": lambda given: curves.leaky_relu(given.get("alpha", 0.01)),
    "Elu": lambda given: curves.elu(given.get("alpha", 1.0)),
    "Celu": lambda given: curves.celu(given.get("alpha", 1.0)),
    "Gelu": lambda given: curves.gelu(given.get("approximate", b"none").decode()),
    "Softplus": lambda _: curves.softplus(),
    "Softsign": lambda _: curves.SOFTSIGN,
    "Mish": lambda _: curves.MISH,
    "Erf": lambda _: curves.ERF,
    "Abs": lambda _: curves.ABS,
    "Sqrt": lambda _: curves.SQRT,
}
"""By the name of the operation: the curve for its attributes."""


def _curve(call: Call) -> Value:
    return call.assembler.curve(call.x, _CURVES[call.node.op_type](call.attributes), _NO_SLOPES, call.name)


def _prelu(call: Call) -> Value:
    """Slopes [c, 1, 1] or [1, c, 1, 1] follow the channels, the first axis besides the batch."""
    slopes, (_, *shape) = call.weight(1), call.shape
    spread = slopes.reshape(slopes.shape[slopes.ndim - len(shape) :] if slopes.ndim > len(shape) else slopes.shape)
    if slopes.numel() not in (1, shape[0]) or (slopes.numel() > 1 and spread.shape[0] != shape[0]):
        raise call.refuse("should have one slope, or one for each channel", f"shape {list(slopes.shape)}")
    return call.assembler.curve(call.x, curves.PRELU, slopes.flatten(), call.name)


READERS: Readers = {**dict.fromkeys(_CURVES, _curve), "PRelu": _prelu}
