"""Reads the nodes of a float ONNX file in their order."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgekws.errors import ArtifactError, TargetError
from edgekws.graph.ir import INPUT
from edgekws.quant.float_layers import Layer
from edgekws.quant.frontends.assemble import Assembler, Value
from edgekws.quant.frontends.onnx import moves, pointwise, pools, weighted
from edgekws.quant.frontends.onnx.call import Call, Readers, named

SUPPORTED = (
    "Conv, BatchNormalization, Relu, MaxPool, GlobalAveragePool, ReduceMean over (2, 3), Pad, Add, Flatten, "
    "Reshape to [n, -1], Gemm, MatMul, Dropout, Identity"
)
_READERS: Readers = {name: read for each in (weighted, pools, pointwise, moves) for name, read in each.READERS.items()}
_FOLDED = (
    "Constant", "ConstantOfShape", "Shape", "Identity", "Cast", "Concat", "Gather", "Reshape", "Slice", "Squeeze",
    "Transpose", "Unsqueeze", "Add", "Sub", "Mul", "Div",
)  # fmt: skip
"""Operations that are folded where all of their inputs are constants."""
LARGEST = 1 << 24
_SOFTMAX = ("Softmax", "LogSoftmax")
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError)
"""Raised for lists of a wrong length and numbers of a wrong type; onnx's checker checks neither."""
HINT = "export the network again, into one file: torch.onnx.export(network.eval(), example, path)"


class Reader:
    """constants: tensors that do not depend on the input; values: those that do; outputs: of layers, for shapes."""

    def __init__(self, model: Any, path: Path, in_shape: tuple[int, int]) -> None:  # noqa: ANN401
        self.graph, self.path, self.assembler = model.graph, path, Assembler()
        self.opsets = {each.domain: each.version for each in model.opset_import}
        self.constants = {each.name: array_of(each, path) for each in model.graph.initializer}
        self.output = model.graph.output[0].name
        self.nodes = self._needed()
        self.users = Counter(name for node in self.nodes if node.op_type != "Shape" for name in node.input)
        self.users[self.output] += 1
        source = next(each.name for each in self.graph.input if each.name not in self.constants)
        self.values: dict[str, Value] = {source: Value(INPUT, users=self.users[source])}
        self.outputs = {INPUT: torch.zeros(1, 1, *in_shape)}

    def layers(self) -> list[Layer]:
        for node in self.nodes:
            if self._is_constant(node):
                self._fold(node)
            else:
                self._read(node)
        return self.assembler.finished(self.values.get(self.output), f"{self.path}: {self.output}")

    def shape(self, name: str) -> tuple[int, ...]:
        value = self.values[name]
        rows_first = tuple(self.outputs[value.source].shape)
        if value.flat:
            return 1, math.prod(rows_first)
        top, bottom, left, right = value.pad
        return *rows_first[:2], rows_first[2] + top + bottom, rows_first[3] + left + right

    def evaluated(self, node: Any, given: dict[str, np.ndarray]) -> list[np.ndarray]:  # noqa: ANN401
        from onnx.reference import ReferenceEvaluator

        try:
            results = ReferenceEvaluator(node, opsets=self.opsets).run(None, given)
        except Exception as error:  # onnx raises anything for attributes and shapes that do not match
            expected = f"{self.path}: {named(node)} should be computable"
            raise ArtifactError(expected, got=first_line(error), hint=HINT) from error
        return [np.asarray(value) for value in results]

    def _needed(self) -> list[Any]:
        """The nodes that the output depends on, in their order."""
        required, kept = {self.output}, []
        for node in reversed(self.graph.node):
            if required & set(node.output):
                required.update(node.input)
                kept.append(node)
        return kept[::-1]

    def _is_constant(self, node: Any) -> bool:  # noqa: ANN401
        """Whether all inputs are constants; the shape of any tensor is one."""
        if node.domain or node.op_type not in _FOLDED:
            return False
        known = self.constants.keys() | (self.values.keys() if node.op_type == "Shape" else ())
        return all(name in known for name in node.input if name)

    def _fold(self, node: Any) -> None:  # noqa: ANN401
        given = {name: self.constants[name] for name in node.input if name in self.constants}
        shaped = [name for name in node.input if name in self.values]
        of_values = {name: np.broadcast_to(np.float32(0), self.shape(name)) for name in shaped}
        if node.op_type == "ConstantOfShape":
            self._require_small(node, math.prod(self.constants[node.input[0]].tolist()))
        results = self.evaluated(node, {**given, **of_values})
        self._require_small(node, sum(value.size for value in results))
        self.constants.update(zip(node.output, results, strict=True))

    def _require_small(self, node: Any, size: int) -> None:  # noqa: ANN401
        if size > LARGEST:
            expected = f"{self.path}: {named(node)} should give at most {LARGEST} numbers"
            raise ArtifactError(expected, got=str(size), hint=HINT)

    def _read(self, node: Any) -> None:  # noqa: ANN401
        if node.domain or node.op_type not in _READERS:
            hint = "export the network without it: scores are compared, not their softmax"
            raise TargetError(
                f"{named(node)} should be one of: {SUPPORTED}",
                got=f"{node.domain}.{node.op_type}".lstrip("."),
                hint=hint if node.op_type in _SOFTMAX else "",
            )
        if any(node.output[1:]):
            raise TargetError(f"{named(node)} should have one output", got=", ".join(node.output))
        try:
            value = _READERS[node.op_type](Call(self, node))
        except MALFORMED as error:
            expected = f"{self.path}: {named(node)} should have the inputs and attributes of its kind"
            raise ArtifactError(expected, got=first_line(error), hint=HINT) from error
        users = self.users[node.output[0]]
        self.values[node.output[0]] = replace(value, users=max(value.users, users))
        self._run_new_layers(node)

    def _run_new_layers(self, node: Any) -> None:  # noqa: ANN401
        for layer in self.assembler.layers:
            if layer.name not in self.outputs:
                try:
                    self.outputs[layer.name] = layer.forward(*(self.outputs[name] for name in layer.inputs))
                except RuntimeError as error:
                    expected = f"{self.path}: {named(node)} should fit its input"
                    raise ArtifactError(expected, got=first_line(error), hint=HINT) from error


def array_of(tensor: Any, path: Path) -> np.ndarray:  # noqa: ANN401
    from onnx import numpy_helper

    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except MALFORMED as error:
        expected = f"{path}: {tensor.name} should have as many numbers as its shape says"
        raise ArtifactError(expected, got=first_line(error), hint=HINT) from error


def first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
