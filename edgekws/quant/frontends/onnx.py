"""Float ONNX file -> float layers, the same as `torch_fx.trace` gives for the module that was exported.

Operations on constants alone (padding amounts, shapes, transposed weights) are folded by onnx's reference evaluator;
each remaining operation has one small reader. The batch size is 1 while reading.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgekws.errors import ArtifactError, TargetError
from edgekws.files import read_content
from edgekws.graph.ir import INPUT
from edgekws.quant.float_layers import Layer
from edgekws.quant.frontends.assemble import Assembler, Value
from edgekws.quant.frontends.onnx_ops import READERS, SUPPORTED, Call, named

_FOLDED = (
    "Constant", "ConstantOfShape", "Shape", "Identity", "Cast", "Concat", "Gather", "Reshape", "Slice", "Squeeze",
    "Transpose", "Unsqueeze", "Add", "Sub", "Mul", "Div",
)  # fmt: skip
"""Operations that are folded where all of their inputs are constants."""
_LARGEST = 1 << 24
_SOFTMAX = ("Softmax", "LogSoftmax")
_MALFORMED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError)
"""Raised for lists of a wrong length and numbers of a wrong type; onnx's checker checks neither."""
_HINT = "export the network again, into one file: torch.onnx.export(network.eval(), example, path)"


@dataclass(frozen=True)
class FloatNetwork:
    """The layers of a file. frames, coefficients: the input is float32 [n, 1, frames, coefficients]."""

    layers: list[Layer]
    frames: int
    coefficients: int


def read(path: Path) -> FloatNetwork:
    """Read a float ONNX file.

    Raises ArtifactError for a damaged or foreign file, TargetError for an operation that no Graph node can express.
    """
    model = _checked_model(path)
    height, width = _require_one_input(model, path)
    with torch.no_grad():
        return FloatNetwork(_Reader(model, path, (height, width)).layers(), height, width)


def _checked_model(path: Path) -> Any:  # noqa: ANN401  (onnx has no types)
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    content = read_content(path, "a float ONNX file", _HINT)
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise ArtifactError(
            f"{path} should be a float ONNX file", got="a damaged or foreign file", hint=_HINT
        ) from error
    outside = [each.name for each in _tensors(model) if each.data_location == onnx.TensorProto.EXTERNAL]
    if outside:
        hint = "save it in one file: onnx.save_model(model, path, save_as_external_data=False)"
        raise ArtifactError(f"{path} should hold its weights itself", got=f"external data: {outside[0]}", hint=hint)
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, UnicodeError) as error:
        raise ArtifactError(f"{path} should be a sound ONNX file", got=_first_line(error), hint=_HINT) from error
    return model


def _tensors(model: Any) -> list[Any]:  # noqa: ANN401
    constants = [a.t for node in model.graph.node for a in node.attribute if a.HasField("t")]
    return [*model.graph.initializer, *constants]


def _array(tensor: Any, path: Path) -> np.ndarray:  # noqa: ANN401
    from onnx import numpy_helper

    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except _MALFORMED as error:
        expected = f"{path}: {tensor.name} should have as many numbers as its shape says"
        raise ArtifactError(expected, got=_first_line(error), hint=_HINT) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _require_one_input(model: Any, path: Path) -> tuple[int, int]:  # noqa: ANN401
    """(frames, coefficients)"""
    from onnx import TensorProto

    stored = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in stored]
    for what, ends in (("input", inputs), ("output", list(model.graph.output))):
        if len(ends) != 1:
            raise TargetError(f"{path} should have one {what}", got=", ".join(each.name for each in ends) or "none")
    kind = inputs[0].type.tensor_type
    if kind.elem_type != TensorProto.FLOAT:
        got = TensorProto.DataType.Name(kind.elem_type)
        raise TargetError(f"{path}: {inputs[0].name} should be FLOAT", got=got, hint="give the float network")
    sizes = [dim.dim_value for dim in kind.shape.dim]
    if len(sizes) != 4 or sizes[0] > 1 or sizes[1] != 1 or min(sizes[2:]) < 1 or math.prod(sizes[1:]) > _LARGEST:
        shown = ", ".join(str(dim.dim_value or dim.dim_param or "?") for dim in kind.shape.dim)
        expected = f"{path}: {inputs[0].name} should have the shape [n, 1, frames, coefficients], n open or 1"
        raise TargetError(expected, got=f"[{shown}]", hint="export with the channels before rows and columns (NCHW)")
    return sizes[2], sizes[3]


class _Reader:
    """constants: tensors that do not depend on the input; values: those that do; outputs: of layers, for shapes."""

    def __init__(self, model: Any, path: Path, in_shape: tuple[int, int]) -> None:  # noqa: ANN401
        self.graph, self.path, self.assembler = model.graph, path, Assembler()
        self.opsets = {each.domain: each.version for each in model.opset_import}
        self.constants = {each.name: _array(each, path) for each in model.graph.initializer}
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
            raise ArtifactError(expected, got=_first_line(error), hint=_HINT) from error
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
        if size > _LARGEST:
            expected = f"{self.path}: {named(node)} should give at most {_LARGEST} numbers"
            raise ArtifactError(expected, got=str(size), hint=_HINT)

    def _read(self, node: Any) -> None:  # noqa: ANN401
        if node.domain or node.op_type not in READERS:
            hint = "export the network without it: scores are compared, not their softmax"
            raise TargetError(
                f"{named(node)} should be one of: {SUPPORTED}",
                got=f"{node.domain}.{node.op_type}".lstrip("."),
                hint=hint if node.op_type in _SOFTMAX else "",
            )
        if any(node.output[1:]):
            raise TargetError(f"{named(node)} should have one output", got=", ".join(node.output))
        try:
            value = READERS[node.op_type](Call(self, node))
        except _MALFORMED as error:
            expected = f"{self.path}: {named(node)} should have the inputs and attributes of its kind"
            raise ArtifactError(expected, got=_first_line(error), hint=_HINT) from error
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
                    raise ArtifactError(expected, got=_first_line(error), hint=_HINT) from error
