"""Operations on single values: ReLUs and limits, sums, products, and what does nothing in eval mode."""

from __future__ import annotations

import math
import warnings

import numpy as np
import torch

from edgekws.errors import TargetError
from edgekws.quant.frontends.assemble import Value
from edgekws.quant.frontends.onnx.call import Call, Readers, unchanged


def _clip(call: Call) -> Value:
    bounds = [_bound(call, name, number) for name, number in (("min", 1), ("max", 2))]
    low, high = -math.inf if bounds[0] is None else bounds[0], math.inf if bounds[1] is None else bounds[1]
    return call.assembler.clip(call.x, low, high, call.name)


def _bound(call: Call, attribute: str, number: int) -> float | None:
    """An attribute in older opsets and an input in newer ones."""
    if attribute in call.attributes:
        return float(call.attributes[attribute])
    array = call.array(number)
    return None if array is None else _number(call, array)


def _number(call: Call, array: np.ndarray | torch.Tensor) -> float:
    if math.prod(array.shape) != 1:
        raise call.refuse("a limit should be one number", f"shape {list(array.shape)}")
    return float(array)


def _limit(call: Call) -> Value:
    """Max or Min of a tensor and a number."""
    if len(call.inputs) != 2:
        raise call.refuse("should have two inputs", str(len(call.inputs)))
    x, constant = _with_constant(call)
    limit = _number(call, constant)
    low, high = (limit, math.inf) if call.node.op_type == "Max" else (-math.inf, limit)
    return call.assembler.clip(x, low, high, call.name)


def _with_constant(call: Call) -> tuple[Value, torch.Tensor]:
    """The tensor and the constant of an operation of both, in any order."""
    constant = 0 if call.inputs[0] in call.state.constants else 1
    return call.value(1 - constant), call.weight(constant)


def _has_constant(call: Call) -> bool:
    return any(name in call.state.constants for name in call.inputs)


def _add(call: Call) -> Value:
    if not _has_constant(call):
        return call.assembler.add(call.value(0), call.value(1), call.name)
    x, shift = _with_constant(call)
    return call.assembler.affine(x, 1.0, shift, call.name)


def _sub(call: Call) -> Value:
    if not _has_constant(call):
        negative = call.assembler.affine(call.value(1), -1.0, 0.0, call.name)
        return call.assembler.add(call.value(0), negative, call.name)
    x, shift = _with_constant(call)
    first = call.inputs[0] in call.state.constants
    return call.assembler.affine(x, *((-1.0, shift) if first else (1.0, -shift)), call.name)


def _mul(call: Call) -> Value:
    if not _has_constant(call):
        return call.assembler.mul(call.value(0), call.value(1), call.name)
    x, gain = _with_constant(call)
    return call.assembler.affine(x, gain, 0.0, call.name)


def _div(call: Call) -> Value:
    return call.assembler.affine(call.value(0), 1 / call.weight(1), 0.0, call.name)


def _dropout(call: Call) -> Value:
    training = call.array(2)
    if training is not None and training.any():
        raise call.refuse("should be exported in eval mode", "training_mode")
    return call.x


def _softmax(call: Call) -> Value:
    """Scores are compared, not their softmax: at the end it is left out."""
    if call.node.output[0] != call.state.output:
        raise TargetError(f"{call.name}: a softmax should be the end of the network", got="one that is read further")
    warnings.warn(f"{call.name}: the softmax at the end is left out; scores are logits", UserWarning, stacklevel=2)
    return call.x


READERS: Readers = {
    "Relu": lambda call: call.assembler.relu(call.x, call.name),
    "Clip": _clip,
    "Max": _limit,
    "Min": _limit,
    "Add": _add,
    "Sub": _sub,
    "Mul": _mul,
    "Div": _div,
    "Dropout": _dropout,
    "Identity": unchanged,
    "Softmax": _softmax,
    "LogSoftmax": _softmax,
}
