"""Float ONNX file -> float layers, the same as `torch_fx.trace` gives for the module that was exported.

Operations on constants alone (padding amounts, shapes, transposed weights) are folded by onnx's reference evaluator;
each remaining operation has one small reader.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from edgekws.errors import ArtifactError, TargetError
from edgekws.files import read_content
from edgekws.quant.float_layers import Layer
from edgekws.quant.frontends.onnx.reader import HINT, LARGEST, MALFORMED, Entry, Reader, first_line

_AXES = 2
"""Frames and coefficients; maps have one more, of channels."""
_MAX_BATCH = 4096


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
    entry = _entry(model, path)
    with torch.no_grad():
        return FloatNetwork(Reader(model, path, entry).layers(), entry.frames, entry.coefficients)


def _checked_model(path: Path) -> Any:  # noqa: ANN401  (onnx has no types)
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    content = read_content(path, "a float ONNX file", HINT)
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise ArtifactError(
            f"{path} should be a float ONNX file", got="a damaged or foreign file", hint=HINT
        ) from error
    _load_outside(model, path)
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, UnicodeError) as error:
        raise ArtifactError(f"{path} should be a sound ONNX file", got=first_line(error), hint=HINT) from error
    return model


def _load_outside(model: Any, path: Path) -> None:  # noqa: ANN401
    """Read the weights that are in files beside this one."""
    from onnx import TensorProto, checker, external_data_helper

    outside = [each for each in _tensors(model) if each.data_location == TensorProto.EXTERNAL]
    try:
        for each in outside:
            external_data_helper.load_external_data_for_tensor(each, str(path.parent))
            each.ClearField("external_data")
            each.data_location = TensorProto.DEFAULT
    except (*MALFORMED, OSError, checker.ValidationError) as error:
        hint = "keep the file of weights beside it, or save one file: onnx.save_model(model, path)"
        expected = f"{path}: the weights of {each.name} should be in the file beside it that it names"
        raise ArtifactError(expected, got=first_line(error), hint=hint) from error


def _tensors(model: Any) -> list[Any]:  # noqa: ANN401
    constants = [a.t for node in model.graph.node for a in node.attribute if a.HasField("t")]
    return [*model.graph.initializer, *constants]


def _entry(model: Any, path: Path) -> Entry:  # noqa: ANN401
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
    batch, *sizes = [dim.dim_value for dim in kind.shape.dim] or [0]
    counts = [size for size in sizes if size != 1]
    whole = len(counts) <= _AXES <= len(sizes) <= _AXES + 1
    if not whole or min(sizes) < 1 or not 0 <= batch <= _MAX_BATCH or math.prod(sizes) > LARGEST:
        shown = ", ".join(str(dim.dim_value or dim.dim_param or "?") for dim in kind.shape.dim)
        expected = f"{path}: {inputs[0].name} should have the shape [n, 1, frames, coefficients], n open or a number"
        hint = "other orders of these axes are read too: [n, frames, coefficients, 1] and [n, frames, coefficients]"
        raise TargetError(expected, got=f"[{shown}]", hint=hint)
    frames, coefficients = sizes if len(sizes) == _AXES else sizes[1:] if sizes[0] == 1 else sizes[:_AXES]
    if sizes[-1] == 1 and _is_convolved(model, inputs[0].name):
        sizes = [1, frames, coefficients]
    return Entry(inputs[0].name, frames, coefficients, torch.arange(math.prod(sizes)).view(sizes), batch)


def _is_convolved(model: Any, name: str) -> bool:  # noqa: ANN401
    """Whether a convolution of one channel reads the input as it is.

    A declared shape with the channel last is then only that of the tool that wrote the file: ONNX has channels first.
    """
    weights = {each.name: each.dims for each in model.graph.initializer}
    readers = [node for node in model.graph.node if name in node.input]
    return bool(readers) and all(
        node.op_type == "Conv" and len(weights.get(node.input[1], ())) == 4 and weights[node.input[1]][1] == 1
        for node in readers
    )
