"""Reads the nodes of a float ONNX file in their order."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgekws.errors import ArtifactError, TargetError
from edgekws.quant.float_layers import Layer
from edgekws.quant.frontends.assemble import Assembler, Value
from edgekws.quant.frontends.onnx import activations, joins, moves, pointwise, pools, recurrent, weighted
from edgekws.quant.frontends.onnx.call import Call, Readers, named

SUPPORTED = (
    "Conv, GRU, BatchNormalization, Relu, Clip, Sigmoid, Tanh, HardSwish, HardSigmoid, PRelu, LeakyRelu, Elu and other "
    "functions of one value, MaxPool, AveragePool, GlobalAveragePool, ReduceMean, Pad, Add, Sub, Mul, "
    "Div, Concat, Split, Slice, Flatten, Reshape, Transpose, Squeeze, Unsqueeze, Gemm, MatMul, Dropout, Identity"
)
_KINDS = (weighted, pools, pointwise, activations, joins, recurrent, moves)
_READERS: Readers = {name: read for each in _KINDS for name, read in each.READERS.items()}
_ANY_BATCH = {*moves.READERS, *recurrent.READERS, *joins.READERS, "Identity"}
"""Operations for which the axis of the batch need not be the first one."""
_FOLDED = (
    "Constant", "ConstantOfShape", "Shape", "Size", "Identity", "Cast", "Concat", "Gather", "Reshape", "Slice",
    "Squeeze", "Transpose", "Unsqueeze", "Flatten", "Expand", "Tile", "Split", "Range", "Add", "Sub", "Mul", "Div",
    "Neg", "Sqrt", "Reciprocal", "Pow", "Exp", "Max", "Min", "Floor", "Ceil", "Mod", "Abs", "Equal", "Where",
    "ReduceProd", "ReduceSum", "QuantizeLinear", "DequantizeLinear",
)  # fmt: skip
"""Operations that are folded where all of their inputs are constants."""
LARGEST = 1 << 24
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError)
"""Raised for lists of a wrong length and numbers of a wrong type; onnx's checker checks neither."""
HINT = "export the network again: torch.onnx.export(network.eval(), example, path)"


@dataclass(frozen=True)
class Entry:
    """The network's input. index: its arrangement of the clip's values, [frames, coefficients] in any shape.

    batch: clips at once; 0 for any.
    """

    name: str
    frames: int
    coefficients: int
    index: torch.Tensor
    batch: int


class Reader:
    """constants: tensors that do not depend on the input; values: those that do."""

    def __init__(self, model: Any, path: Path, entry: Entry) -> None:  # noqa: ANN401
        self.graph, self.path = model.graph, path
        self.assembler = Assembler((entry.frames, entry.coefficients), entry.batch)
        self.opsets = list(model.opset_import)
        self.constants = {each.name: array_of(each, path) for each in model.graph.initializer}
        self.output = model.graph.output[0].name
        self.nodes = self._needed()
        self.users = Counter(name for node in self.nodes if node.op_type != "Shape" for name in node.input)
        self.users[self.output] += 1
        source = self.assembler.input(self.users[entry.name], entry.index)
        self.values: dict[str, Value] = {entry.name: source}

    def layers(self) -> list[Layer]:
        for node in self.nodes:
            if self._is_constant(node):
                self._fold(node)
            else:
                self._read(node)
        return self.assembler.finished(self.values.get(self.output), f"{self.path}: {self.output}")

    def shape(self, name: str) -> tuple[int, ...]:
        return self.values[name].shape_of(self.assembler.batch)

    def evaluated(self, node: Any, given: dict[str, np.ndarray]) -> list[np.ndarray]:  # noqa: ANN401
        from onnx.reference import ReferenceEvaluator

        try:
            try:
                results = ReferenceEvaluator(self._alone(node, given)).run(None, given)
            except RuntimeError as error:
                if "No implementation" not in str(error):
                    raise
                # onnx has later versions only, which a lone node gets
                results = ReferenceEvaluator(node).run(None, given)
        except Exception as error:  # onnx raises anything for attributes and shapes that do not match
            expected = f"{self.path}: {named(node)} should be computable"
            raise ArtifactError(expected, got=first_line(error), hint=HINT) from error
        return [np.asarray(value) for value in results]

    def _alone(self, node: Any, given: dict[str, np.ndarray]) -> Any:  # noqa: ANN401
        """A model of one node, of the file's version, which a lone node would not have."""
        from onnx import helper

        inputs = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(each.dtype), each.shape)
            for name, each in given.items()
        ]
        outputs = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
        return helper.make_model(helper.make_graph([node], "node", inputs, outputs), opset_imports=self.opsets)

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
        known = self.constants.keys() | (self.values.keys() if node.op_type in ("Shape", "Size") else ())
        return all(name in known for name in node.input if name)

    def _fold(self, node: Any) -> None:  # noqa: ANN401
        given = {name: self.constants[name] for name in node.input if name in self.constants}
        shaped = [name for name in node.input if name in self.values]
        of_values = {name: np.broadcast_to(np.float32(0), self.shape(name)) for name in shaped}
        if node.op_type in ("ConstantOfShape", "Expand"):
            self._require_small(node, math.prod(self.constants[node.input[-1]].tolist()))
        results = self.evaluated(node, {**given, **of_values})
        self._require_small(node, sum(value.size for value in results))
        self.constants.update(zip((name for name in node.output if name), results, strict=True))

    def _require_small(self, node: Any, size: int) -> None:  # noqa: ANN401
        if size > LARGEST:
            expected = f"{self.path}: {named(node)} should give at most {LARGEST} numbers"
            raise ArtifactError(expected, got=str(size), hint=HINT)

    def _read(self, node: Any) -> None:  # noqa: ANN401
        if node.domain or node.op_type not in _READERS:
            got = f"{node.domain}.{node.op_type}".lstrip(".")
            raise TargetError(f"{named(node)} should be one of: {SUPPORTED}", got=got)
        wrong = [name for name in node.input if name in self.values and self.values[name].batch]
        if wrong and node.op_type not in _ANY_BATCH:
            raise TargetError(f"{named(node)} should read clips along the first axis", got=str(self.shape(wrong[0])))
        try:
            result = _READERS[node.op_type](Call(self, node))
        except MALFORMED as error:
            expected = f"{self.path}: {named(node)} should have the inputs and attributes of its kind"
            raise ArtifactError(expected, got=first_line(error), hint=HINT) from error
        results = [result] if isinstance(result, Value) else result
        if len(results) < sum(map(bool, node.output)):
            raise TargetError(f"{named(node)} should have one output", got=", ".join(node.output))
        users = sum(self.users[name] for name in node.output)
        for name, value in zip(node.output, results, strict=False):
            self.values[name] = replace(value, users=max(value.users, users))


def array_of(tensor: Any, path: Path) -> np.ndarray:  # noqa: ANN401
    from onnx import numpy_helper

    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except MALFORMED as error:
        expected = f"{path}: {tensor.name} should have as many numbers as its shape says"
        raise ArtifactError(expected, got=first_line(error), hint=HINT) from error


def first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
