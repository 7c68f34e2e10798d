"""One node of a float ONNX file with its inputs and attributes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch

from edgekws.errors import TargetError
from edgekws.quant.frontends.assemble import Assembler, Value


def named(node: Any) -> str:  # noqa: ANN401  (onnx has no types)
    """How messages refer to a node."""
    return str(node.name or f"the node that makes {node.output[0]}")


class State(Protocol):
    """What is known before a node is read.

    constants: tensors that do not depend on the network's input. values: those that do. output: the network's.
    """

    assembler: Assembler
    constants: dict[str, np.ndarray]
    values: dict[str, Value]
    output: str

    def shape(self, name: str) -> tuple[int, ...]:
        """Of a value, with the batch."""

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
        """Of `x`, with the batch."""
        return self.state.shape(self.inputs[0])

    def refuse(self, expected: str, got: str) -> TargetError:
        """The error to raise, with the node's name."""
        return TargetError(f"{self.name}: {expected}", got=got)


def unchanged(call: Call) -> Value:
    """The reader of what does nothing in eval mode."""
    return call.x


Readers = dict[str, Callable[[Call], Value | list[Value]]]
"""By the name of the operation."""
