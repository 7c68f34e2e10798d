"""Float ONNX file -> float layers, the same as `torch_fx.trace` gives for the module that was exported.

Operations on constants alone (padding amounts, shapes, transposed weights) are folded by onnx's reference evaluator;
each remaining operation has one small reader. The batch size is 1 while reading.
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
from edgekws.quant.frontends.onnx.reader import HINT, LARGEST, Reader, first_line


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
        return FloatNetwork(Reader(model, path, (height, width)).layers(), height, width)


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
    outside = [each.name for each in _tensors(model) if each.data_location == onnx.TensorProto.EXTERNAL]
    if outside:
        hint = "save it in one file: onnx.save_model(model, path, save_as_external_data=False)"
        raise ArtifactError(f"{path} should hold its weights itself", got=f"external data: {outside[0]}", hint=hint)
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, UnicodeError) as error:
        raise ArtifactError(f"{path} should be a sound ONNX file", got=first_line(error), hint=HINT) from error
    return model


def _tensors(model: Any) -> list[Any]:  # noqa: ANN401
    constants = [a.t for node in model.graph.node for a in node.attribute if a.HasField("t")]
    return [*model.graph.initializer, *constants]


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
    if len(sizes) != 4 or sizes[0] > 1 or sizes[1] != 1 or min(sizes[2:]) < 1 or math.prod(sizes[1:]) > LARGEST:
        shown = ", ".join(str(dim.dim_value or dim.dim_param or "?") for dim in kind.shape.dim)
        expected = f"{path}: {inputs[0].name} should have the shape [n, 1, frames, coefficients], n open or 1"
        raise TargetError(expected, got=f"[{shown}]", hint="export with the channels before rows and columns (NCHW)")
    return sizes[2], sizes[3]
