"""Shared by the ONNX emitters: a builder of nodes, the model around them, and its executor."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, count
from typing import Any

import numpy as np

from edgekws._version import __version__
from edgekws.emit import _seal
from edgekws.emit._common import Executor, checked_features, packed
from edgekws.errors import ArtifactError
from edgekws.graph.ir import Node

_CHUNK = 256


class Builder:
    """Nodes and constants in order. Every method returns the name of the tensor that it makes."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.taken = {"features"}
        self.shared: dict[tuple[str, str, tuple[int, ...], bytes], str] = {}

    def constant(self, name: str, value: np.ndarray, kind: str = "") -> str:
        """kind: an ONNX type without a NumPy one, "INT4" or "INT2"; value then is int8."""
        from onnx import TensorProto, helper, numpy_helper

        self._take(name)
        if kind in ("INT4", "INT2"):
            data = packed(value, int(kind[-1])).tobytes()
            tensor = helper.make_tensor(name, getattr(TensorProto, kind), value.shape, data, raw=True)
        else:
            tensor = numpy_helper.from_array(np.asarray(value, order="C"), name)  # which keeps a scalar a scalar
        self.constants.append(tensor)
        return name

    def shared_constant(self, name: str, value: np.ndarray, kind: str = "") -> str:
        """A constant like `constant`, or the one that already has these values, under its own name."""
        key = kind, value.dtype.str, value.shape, value.tobytes()
        if key not in self.shared:
            self.shared[key] = self.constant(self.free(name), value, kind)
        return self.shared[key]

    def add(self, op: str, inputs: Sequence[str], output: str, **attributes: object) -> str:
        from onnx import helper

        self._take(output)
        self.nodes.append(helper.make_node(op, list(inputs), [output], name=output, **attributes))
        return output

    def free(self, name: str) -> str:
        """`name`, or a name like it that no tensor has yet."""
        return next(each for each in chain([name], (f"{name}_{n}" for n in count(2))) if each not in self.taken)

    def _take(self, name: str) -> None:
        if name in self.taken:
            raise ArtifactError("tensors that are made from the names of nodes should differ", got=f"{name} twice")
        self.taken.add(name)

    def model(self, name: str, opset: int, ir_version: int, ends: Sequence[Any], about: dict[str, str]) -> bytes:
        """ends: value infos of the input and the output. Returns the bytes of the checked model, with their hash."""
        import onnx
        from onnx import helper

        graph = helper.make_graph(self.nodes, name, [ends[0]], [ends[1]], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)
        model.producer_name, model.producer_version = "edgekws", __version__
        helper.set_model_props(model, about)
        onnx.checker.check_model(model, full_check=True)
        return _seal.with_hash(model.SerializeToString(deterministic=True))


def dilations(node: Node) -> dict[str, list[int]]:
    """The attribute of Conv; none where taps are neighbours, which is its default."""
    return {} if node.dilation == (1, 1) else {"dilations": list(node.dilation)}


def padded(build: Builder, node: Node, source: str, value: float, by_reader: bool) -> tuple[str, list[int]]:
    """source float32 [n, c, h, w], and the `pads` that are left to its reader.

    by_reader: whether the reader's own padding means the same; else Pad fills with `value`.
    """
    top, bottom, left, right = node.pad
    if by_reader or not any(node.pad):
        return source, [top, left, bottom, right]
    pads = build.constant(f"{node.name}_pads", np.array([0, 0, top, left, 0, 0, bottom, right]))
    filled = build.constant(f"{node.name}_pad_value", np.array(value, np.float32))
    return build.add("Pad", [source, pads, filled], f"{node.name}_padded"), [0, 0, 0, 0]


def properties(content: bytes) -> dict[str, str]:
    """The metadata of an ONNX file whose hash was verified."""
    import onnx

    return {prop.key: prop.value for prop in onnx.load_from_string(content).metadata_props}


def with_any_batch(content: bytes) -> bytes:
    """The same model with its first dimension open, so that many clips run at once."""
    import onnx

    model = onnx.load_from_string(content)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    return bytes(model.SerializeToString(deterministic=True))


def executor(content: bytes, dtype: type, optimized: bool, without: Sequence[str] = ()) -> Executor:
    """Run `content` in onnxruntime on one thread.

    dtype: of the input tensor [batch, channels, frames, coefficients]. without: names of optimizers to disable.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    levels = ort.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimized else levels.ORT_DISABLE_ALL
    # Without this, onnxruntime saturates 16-bit sums of int8 products on x86 machines that lack VNNI.
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = ort.InferenceSession(
        with_any_batch(content), options, providers=["CPUExecutionProvider"], disabled_optimizers=list(without)
    )
    source = session.get_inputs()[0]

    def run(features: np.ndarray) -> np.ndarray:
        _, channels, height, width = source.shape
        checked = checked_features(features, (height, width * channels)).reshape(-1, height, width, channels)
        x: np.ndarray = checked.transpose(0, 3, 1, 2).astype(dtype, order="C")
        parts = [session.run(None, {source.name: x[i : i + _CHUNK]})[0] for i in range(0, len(x), _CHUNK)]
        count = int(np.prod(session.get_outputs()[0].shape[1:]))
        scores = np.concatenate(parts) if parts else np.zeros((0, count))
        return scores.reshape(-1, count).astype(np.int8)

    return run
