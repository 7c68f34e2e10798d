"""How the file's input lies on height, width and channels, and the values of nodes that read constants alone."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from edgekws.features.spec import FeatureSpec
from edgekws.graph.attributes import Shape
from edgekws.importers._onnx import views
from edgekws.importers._onnx.file import Call, File, first_line
from edgekws.importers._onnx.views import View


def evaluated(call: Call, given: Mapping[str, object], opsets: Mapping[str, int]) -> list[np.ndarray]:
    """The outputs of a node. Raises ArtifactError for attributes and shapes that do not match."""
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    attributes = {name: _as_tensor(value) for name, value in call.attributes.items()}
    try:
        node = helper.make_node(call.op, list(call.inputs), list(call.outputs), **attributes)
        return list(ReferenceEvaluator(node, opsets=dict(opsets)).run(None, given))
    except Exception as error:  # onnx raises anything for attributes and shapes that do not match
        raise call.damage("should be computable", first_line(error)) from error


def _as_tensor(value: object) -> object:
    from onnx import numpy_helper

    return numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value


def layout(file: File, features: FeatureSpec | None) -> tuple[Shape, View]:
    """Shape and view of the input: [n, c, h, w], or [n, h, w, c] where it is transposed first; rows are frames."""
    labels = {4: ("c", "h", "w"), 3: ("h", "w"), 2: ("w",)}[len(file.shape) + 1]
    if len(labels) == 3 and _is_channels_last(file):
        labels = ("h", "w", "c")
    sizes = dict(zip(labels, file.shape, strict=True))
    if (
        features is not None
        and len(labels) > 1
        and (sizes["w"], sizes["h"]) == features.shape != (sizes["h"], sizes["w"])
    ):
        labels = tuple({"h": "w", "w": "h"}.get(label, label) for label in labels)
        sizes = dict(zip(labels, file.shape, strict=True))
    shape = (sizes.get("h", 1), sizes.get("w", 1), sizes.get("c", 1))
    if features is not None and labels == ("w",) and math.prod(features.shape) == file.shape[0]:
        return (*features.shape, 1), views.without_units((("h", "w"),), (*features.shape, 1))
    return shape, views.without_units(tuple((label,) for label in labels), shape)


def _is_channels_last(file: File) -> bool:
    name = file.source
    for call in file.calls:
        if name not in call.inputs[:1]:
            continue
        if call.op == "Transpose":
            return list(call.attributes.get("perm", ())) == [0, 3, 1, 2]
        if call.op not in ("QuantizeLinear", "DequantizeLinear", "Identity"):
            return False
        name = call.outputs[0]
    return False
