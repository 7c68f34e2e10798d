"""The operations of a float ONNX file: one small reader each adds a node to the float layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch

from edgekws.errors import TargetError
from edgekws.quant.frontends.assemble import NO_PAD, Assembler, Sides, Value, batch_norm

SUPPORTED = (
    "Conv, BatchNormalization, Relu, MaxPool, GlobalAveragePool, ReduceMean over (2, 3), Pad, Add, Flatten, "
    "Reshape to [n, -1], Gemm, MatMul, Dropout, Identity"
)
_UNPADDED = (b"NOTSET", b"VALID")


def named(node: Any) -> str:  # noqa: ANN401  (onnx has no types)
    """How messages refer to a node."""
    return str(node.name or f"the node that makes {node.output[0]}")


class State(Protocol):
    """What is known before a node is read.

    constants: tensors that do not depend on the network's input. values: those that do.
    """

    assembler: Assembler
    constants: dict[str, np.ndarray]
    values: dict[str, Value]

    def shape(self, name: str) -> tuple[int, ...]:
        """Of a value, at batch 1."""

    def evaluated(self, node: Any, given: dict[str, np.ndarray]) -> list[np.ndarray]:  # noqa: ANN401
        """The outputs of a node."""


class Call:
    """One node with its inputs and attributes; methods raise TargetError that names the node."""

    def __init__(self, state: State, node: Any) -> None:  # noqa: ANN401
        from onnx import helper

        self.state, self.assembler, self.node, self.name = state, state.assembler, node, named(node)
        self.inputs = list(node.input)
        self.attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}

    @property
    def x(self) -> Value:
        """The first input."""
        return self.value(0)

    def value(self, number: int) -> Value:
        """An input that depends on the network's input."""
        value = self.state.values.get(self.inputs[number])
        if value is None:
            raise self.refuse(f"input {number} should depend on the network's input", self.inputs[number])
        return value

    def given(self, number: int) -> bool:
        """Whether an optional input is present."""
        return len(self.inputs) > number and bool(self.inputs[number])

    def array(self, number: int) -> np.ndarray | None:
        """A constant input, or None where it is omitted."""
        if not self.given(number):
            return None
        array = self.state.constants.get(self.inputs[number])
        if array is None:
            raise self.refuse(f"input {number} should be a constant", self.inputs[number])
        return array

    def floats(self, number: int) -> torch.Tensor | None:
        """A constant float input as float32, or None where it is omitted."""
        array = self.array(number)
        return None if array is None else self._tensor(array)

    def weight(self, number: int) -> torch.Tensor:
        """A constant float input that must be present, as float32."""
        weight = self.floats(number)
        if weight is None:
            raise self.refuse(f"input {number} should be given", "none")
        return weight

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        if array.dtype not in (np.float32, np.float64, np.float16):
            raise self.refuse("parameters should be float", str(array.dtype))
        return torch.from_numpy(np.array(array, np.float32))

    def numbers(self, attribute: str, number: int, default: tuple[int, ...] | None) -> tuple[int, ...] | None:
        """Integers that are an attribute in older opsets and an input in newer ones."""
        if attribute in self.attributes:
            return tuple(int(each) for each in self.attributes[attribute])
        array = self.array(number)
        return default if array is None else tuple(int(each) for each in array.ravel())

    @property
    def shape(self) -> tuple[int, ...]:
        """Of `x`, at batch 1."""
        return self.state.shape(self.inputs[0])

    def refuse(self, expected: str, got: str) -> TargetError:
        """The error to raise, with the node's name."""
        return TargetError(f"{self.name}: {expected}", got=got)


def _conv(call: Call) -> Value:
    weight, dilations = call.weight(1), tuple(call.attributes.get("dilations", (1, 1)))
    if weight.ndim != 4 or dilations != (1, 1):
        raise call.refuse("should be a 2-D convolution without dilation", f"{list(weight.shape)}, {dilations}")
    stride, groups = _pair(call, "strides", (1, 1)), int(call.attributes.get("group", 1))
    pad = _conv_padding(call, (weight.shape[2], weight.shape[3]), stride)
    return call.assembler.conv(call.x, weight, call.floats(2), stride, pad, groups, call.name)


def _conv_padding(call: Call, kernel: tuple[int, int], stride: tuple[int, int]) -> Sides:
    kind = call.attributes.get("auto_pad", b"NOTSET").decode()
    if kind == "NOTSET":
        top, left, bottom, right = call.attributes.get("pads", (0, 0, 0, 0))
        return top, bottom, left, right
    if kind == "VALID":
        return NO_PAD
    sizes = call.shape[2:]
    rows, columns = (_same(*each) for each in zip(sizes, kernel, stride, strict=True))
    smaller, larger = (rows // 2, columns // 2), (rows - rows // 2, columns - columns // 2)
    first, last = (smaller, larger) if kind == "SAME_UPPER" else (larger, smaller)
    return first[0], last[0], first[1], last[1]


def _same(size: int, kernel: int, stride: int) -> int:
    """Number of zeros with which the output has ceil(size / stride) positions."""
    return max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)


def _pair(call: Call, attribute: str, default: tuple[int, int]) -> tuple[int, int]:
    pair = call.attributes.get(attribute, default)
    if len(pair) != 2:
        raise call.refuse(f"{attribute} should be two numbers", str(list(pair)))
    return int(pair[0]), int(pair[1])


def _batch_norm(call: Call) -> Value:
    if call.attributes.get("training_mode", 0):
        raise call.refuse("should be exported in eval mode", "training_mode 1")
    gain, shift, mean, variance = (call.weight(number) for number in (1, 2, 3, 4))
    gain, shift = batch_norm(gain, shift, mean, variance, call.attributes.get("epsilon", 1e-5))
    return call.assembler.normalize(call.x, gain, shift, call.name)


def _max_pool(call: Call) -> Value:
    defaults = {"pads": [0, 0, 0, 0], "dilations": [1, 1], "ceil_mode": 0, "storage_order": 0}
    given = {key: call.attributes.get(key, default) for key, default in defaults.items()}
    unsupported = {key: value for key, value in given.items() if value != defaults[key]}
    if unsupported or call.attributes.get("auto_pad", b"NOTSET") not in _UNPADDED:
        got = str(unsupported or call.attributes["auto_pad"].decode())
        raise call.refuse("should pool without padding, dilation and ceil_mode", got)
    window = _pair(call, "kernel_shape", (0, 0))
    return call.assembler.max_pool(call.x, window, _pair(call, "strides", (1, 1)), call.name)


def _mean(call: Call) -> Value:
    axes = call.numbers("axes", 1, None)
    if axes is None or {axis % 4 for axis in axes} != {2, 3}:
        raise call.refuse("should be a mean over axes (2, 3)", f"axes {axes}")
    return call.assembler.mean(call.x, call.name, keep=bool(call.attributes.get("keepdims", 1)))


def _average_pool(call: Call) -> Value:
    kernel, pads = _pair(call, "kernel_shape", (0, 0)), call.attributes.get("pads", [0])
    if kernel != call.shape[2:] or any(pads) or call.attributes.get("auto_pad", b"NOTSET") not in _UNPADDED:
        raise call.refuse(f"should average all positions, {list(call.shape[2:])}", f"a window of {list(kernel)}")
    return call.assembler.mean(call.x, call.name, keep=True)


def _pad(call: Call) -> Value:
    mode, sides = call.attributes.get("mode", b"constant").decode(), call.numbers("pads", 1, ())
    axes = call.numbers("axes", 3, (0, 1, 2, 3))
    value = call.array(2) if call.given(2) else np.array(call.attributes.get("value", 0))
    if mode != "constant" or value is None or value.any() or not sides or not axes or len(sides) != 2 * len(axes):
        raise call.refuse("should pad with zeros", f"mode {mode}, value {value}, pads {sides}")
    before = dict(zip((axis % 4 for axis in axes), sides[: len(axes)], strict=True))
    after = dict(zip((axis % 4 for axis in axes), sides[len(axes) :], strict=True))
    if any(each.get(axis, 0) for each in (before, after) for axis in (0, 1)):
        raise call.refuse("should pad rows and columns only", f"pads {sides}")
    return call.x.padded((before.get(2, 0), after.get(2, 0), before.get(3, 0), after.get(3, 0)), call.name)


def _add(call: Call) -> Value:
    constant = [number for number in (0, 1) if call.inputs[number] in call.state.constants]
    if not constant:
        return call.assembler.add(call.value(0), call.value(1), call.name)
    x, bias = 1 - constant[0], call.weight(constant[0])
    _, channels, *positions = call.state.shape(call.inputs[x])
    try:
        shift = bias.expand(1, channels, *([1] * len(positions))).flatten()
    except RuntimeError as error:
        expected = "a constant that is added should be one number or one for each channel"
        raise call.refuse(expected, f"shape {list(bias.shape)}") from error
    return call.assembler.normalize(call.value(x), torch.ones(channels), shift, call.name)


def _flatten(call: Call) -> Value:
    """Flatten, Reshape or Squeeze: accepted if the result's shape is [n, everything else]."""
    constants = {name: call.state.constants[name] for name in call.inputs[1:] if name in call.state.constants}
    before, x = call.shape, call.x
    given = {call.inputs[0]: np.zeros(before, np.float32), **constants}
    after = call.state.evaluated(call.node, given)[0].shape
    if after != (1, math.prod(before)):
        raise call.refuse("should flatten all axes but the first", f"{list(before)} to {list(after)}")
    return replace(x, flat=True)


def _gemm(call: Call) -> Value:
    unsupported = {key: call.attributes[key] for key in ("alpha", "beta") if call.attributes.get(key, 1.0) != 1.0}
    if unsupported or call.attributes.get("transA", 0):
        raise call.refuse("should multiply without factors and transA", str(unsupported or "transA"))
    weight, bias = call.weight(1), call.floats(2)
    weight = weight if call.attributes.get("transB", 0) else weight.T.contiguous()
    return call.assembler.linear(call.x, weight, None if bias is None else _spread(call, bias, len(weight)), call.name)


def _spread(call: Call, bias: torch.Tensor, channels: int) -> torch.Tensor:
    if bias.numel() not in (1, channels):
        raise call.refuse(f"the bias should be {channels} numbers", f"shape {list(bias.shape)}")
    return bias.flatten().expand(channels).clone()


def _matmul(call: Call) -> Value:
    weight = call.weight(1)
    if weight.ndim != 2:
        raise call.refuse("should multiply by a matrix", f"shape {list(weight.shape)}")
    return call.assembler.linear(call.x, weight.T.contiguous(), None, call.name)


def _dropout(call: Call) -> Value:
    training = call.array(2)
    if training is not None and training.any():
        raise call.refuse("should be exported in eval mode", "training_mode")
    return call.x


READERS: dict[str, Callable[[Call], Value]] = {
    "Conv": _conv,
    "BatchNormalization": _batch_norm,
    "Relu": lambda call: call.assembler.relu(call.x, call.name),
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": lambda call: call.assembler.mean(call.x, call.name, keep=True),
    "ReduceMean": _mean,
    "Pad": _pad,
    "Add": _add,
    "Flatten": _flatten,
    "Reshape": _flatten,
    "Squeeze": _flatten,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Dropout": _dropout,
    "Identity": lambda call: call.x,
}
