"""QUANTIZE and DEQUANTIZE at the ends of a model, which the graph leaves to its reader.

Models may take float32 or uint8 and turn it into int8 in their first operator, and back in their last one. The graph
begins and ends with the int8 tensors between.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekws.errors import TargetError
from edgekws.importers.tflite.schema import Model, Operator, Tensor, model_of

_OUTER = ("FLOAT32", "UINT8")


@dataclass(frozen=True)
class Step:
    """The int8 at an end of the model: real value of one step, and the integer that is real zero."""

    scale: np.float32
    zero: int


def input_of(model: Model) -> int:
    """The int8 tensor that the graph's input is."""
    (number,) = model.inputs
    if model.tensors[number].type not in _OUTER:
        return number
    readers = [each for each in model.operators if number in each.inputs]
    if len(readers) != 1 or readers[0].name != "QUANTIZE" or len(readers[0].outputs) != 1:
        return number
    inner = readers[0].outputs[0]
    _require_offset(readers[0], model.tensors[inner], model.tensors[number])
    return inner


def output_of(model: Model) -> int:
    """The int8 tensor that the graph's scores are."""
    (number,) = model.outputs
    if model.tensors[number].type not in _OUTER:
        return number
    writers = [each for each in model.operators if number in each.outputs]
    if len(writers) != 1 or writers[0].name not in ("DEQUANTIZE", "QUANTIZE") or len(writers[0].inputs) != 1:
        return number
    inner = writers[0].inputs[0]
    _require_offset(writers[0], model.tensors[inner], model.tensors[number])
    return inner


def _require_offset(operator: Operator, inner: Tensor, outer: Tensor) -> None:
    """Raises TargetError for uint8 that differs from the int8 by more than 128 steps."""
    if outer.type != "UINT8":
        return
    steps = [(float(each.scale[0]), int(each.zero[0])) for each in (inner, outer) if len(each.scale) and len(each.zero)]
    if len(steps) != 2 or steps[0] != (steps[1][0], steps[1][1] - 128):
        expected = f"{operator.place}: uint8 at an end should be the int8 inside plus 128"
        raise TargetError(expected, got=" and ".join(f"scale {scale:.9g}, zero {zero}" for scale, zero in steps))


def is_end(model: Model, operator: Operator) -> bool:
    """Whether an operator only turns an end of the model into int8 or back."""
    if operator.name not in ("QUANTIZE", "DEQUANTIZE"):
        return False
    (first,), (last,) = model.inputs, model.outputs
    begins = first in operator.inputs and input_of(model) in operator.outputs
    return begins or (last in operator.outputs and output_of(model) in operator.inputs)


def of(content: bytes) -> tuple[Step, Step]:
    """The int8 of the input and of the output of a model that can be imported."""
    model = model_of(content)
    first, last = (model.tensors[number] for number in (input_of(model), output_of(model)))
    return Step(first.scale[0], int(first.zero[0])), Step(last.scale[0], int(last.zero[0]))
