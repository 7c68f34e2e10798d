"""Operations on single values: ReLUs and limits, sums, constants, and what does nothing in eval mode."""

from __future__ import annotations

import math
import operator
import warnings

import torch
from torch import nn
from torch.nn import functional

from edgekws.errors import TargetError
from edgekws.quant.frontends.assemble import Value
from edgekws.quant.frontends.torch_fx.call import Call, Functions, Modules, unchanged


def _relu(call: Call) -> Value:
    return call.assembler.relu(call.x, call.name)


def _relu6(call: Call) -> Value:
    return call.assembler.clip(call.x, 0.0, 6.0, call.name)


def _hardtanh_function(call: Call) -> Value:
    low, high, _ = call.arguments("min_val", "max_val", "inplace", min_val=-1.0, max_val=1.0, inplace=False)
    return call.assembler.clip(call.x, float(low), float(high), call.name)


def _clamp(call: Call) -> Value:
    low, high = call.arguments("min", "max", min=None, max=None)
    if any(isinstance(bound, torch.Tensor | Value) for bound in (low, high)):
        raise TargetError(f"{call.name} should have numbers as limits", got=f"{low} and {high}")
    low, high = -math.inf if low is None else float(low), math.inf if high is None else float(high)
    return call.assembler.clip(call.x, low, high, call.name)


def _add(call: Call) -> Value:
    x, y = operands(call)
    if isinstance(x, Value) and isinstance(y, Value) and call.node.kwargs.get("alpha", 1) == 1:
        return call.assembler.add(x, y, call.name)
    if isinstance(x, Value) and isinstance(y, Value):
        raise TargetError(f"{call.name} should add two tensors of the network", got=str(call.node.kwargs))
    return call.assembler.affine(call.x, 1.0, constant_of(x, y), call.name)


def _sub(call: Call) -> Value:
    x, y = operands(call)
    if isinstance(x, Value) and isinstance(y, Value):
        if call.node.kwargs.get("alpha", 1) != 1:
            raise TargetError(f"{call.name} should subtract a tensor as it is", got=str(call.node.kwargs))
        return call.assembler.add(x, call.assembler.affine(y, -1.0, 0.0, call.name), call.name)
    constant = constant_of(x, y)
    gain, shift = (1.0, -constant) if isinstance(x, Value) else (-1.0, constant)
    return call.assembler.affine(call.x, gain, shift, call.name)


def _div(call: Call) -> Value:
    x, y = operands(call)
    if not isinstance(x, Value) or isinstance(y, Value):
        raise TargetError(f"{call.name} should divide by a constant", got=str(call.node.args))
    return call.assembler.affine(call.x, 1 / constant_of(x, y), 0.0, call.name)


def operands(call: Call) -> tuple[object, object]:
    """Both inputs of a sum or product: Values, tensors or numbers."""
    given = [*call.node.args, *(call.node.kwargs[key] for key in ("input", "other") if key in call.node.kwargs)]
    if len(given) < 2:
        raise TargetError(f"{call.name} should have two operands", got=str(call.node.args))
    first, second = call.known(given[:2])
    return first, second


def constant_of(x: object, y: object) -> float | torch.Tensor:
    """The operand that does not depend on the input."""
    other = y if isinstance(x, Value) else x
    if not isinstance(other, int | float | torch.Tensor):
        raise TargetError("sums and products should be of tensors and numbers", got=type(other).__name__)
    return other


def _softmax(call: Call) -> Value:
    """Scores are compared, not their softmax: at the end it is left out."""
    if not call.is_last:
        raise TargetError(f"{call.name}: a softmax should be the end of the network", got="one that is read further")
    warnings.warn(f"{call.name}: the softmax at the end is left out; scores are logits", UserWarning, stacklevel=2)
    return call.x


MODULES: Modules = {
    nn.ReLU6: _relu6,
    nn.Hardtanh: lambda call: call.assembler.clip(call.x, call.module.min_val, call.module.max_val, call.name),
    nn.ReLU: _relu,
    nn.Dropout: unchanged,
    nn.Dropout1d: unchanged,
    nn.Dropout2d: unchanged,
    nn.Identity: unchanged,
    nn.Softmax: _softmax,
    nn.LogSoftmax: _softmax,
}

FUNCTIONS: Functions = {
    functional.relu: _relu,
    functional.relu_: _relu,
    torch.relu: _relu,
    torch.relu_: _relu,
    "relu": _relu,
    "relu_": _relu,
    functional.relu6: _relu6,
    functional.hardtanh: _hardtanh_function,
    functional.hardtanh_: _hardtanh_function,
    torch.clamp: _clamp,
    torch.clip: _clamp,
    "clamp": _clamp,
    "clamp_": _clamp,
    "clip": _clamp,
    operator.add: _add,
    operator.iadd: _add,
    torch.add: _add,
    "add": _add,
    "add_": _add,
    operator.sub: _sub,
    torch.sub: _sub,
    "sub": _sub,
    operator.truediv: _div,
    torch.div: _div,
    "div": _div,
    functional.dropout: unchanged,
    functional.dropout1d: unchanged,
    functional.dropout2d: unchanged,
    torch.dropout: unchanged,
    functional.softmax: _softmax,
    torch.softmax: _softmax,
    "softmax": _softmax,
    functional.log_softmax: _softmax,
    torch.log_softmax: _softmax,
    "log_softmax": _softmax,
}
