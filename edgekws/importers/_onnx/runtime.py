"""onnxruntime on an imported file, with the integers of its graph at both ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from edgekws.errors import TargetError
from edgekws.graph.ir import Graph
from edgekws.importers._onnx import views
from edgekws.importers._onnx.file import first_line
from edgekws.importers._onnx.importing import Imported
from edgekws.importers._onnx.reader import Reader

Runtime = Callable[[np.ndarray], np.ndarray]
"""features int8 [n, height, width * channels] -> scores int8 [n, labels]"""


def of(files: Mapping[str, bytes], imported: Imported) -> dict[str, Runtime]:
    """onnxruntime with and without graph optimizations, by name."""
    name = imported.reader.file.name
    return {
        "onnxruntime": _runtime(files[name], imported, optimized=True),
        "onnxruntime-unoptimized": _runtime(files[name], imported, optimized=False),
    }


def _runtime(content: bytes, imported: Imported, optimized: bool) -> Runtime:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    levels = ort.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimized else levels.ORT_DISABLE_ALL
    # Without this, onnxruntime saturates 16-bit sums of int8 products on x86 machines that lack VNNI.
    options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a type of its own for each reason
        expected = f"onnxruntime should run {imported.reader.file.name}"
        raise TargetError(expected, got=first_line(error), hint="the import does not need it") from error
    source, graph = session.get_inputs()[0], imported.graph

    def run(features: np.ndarray) -> np.ndarray:
        inputs = _as_file(np.asarray(features), imported.reader, graph)
        size = 256 if not isinstance(source.shape[0], int) else 1
        parts = [session.run(None, {source.name: inputs[at : at + size]})[0] for at in range(0, len(inputs), size)]
        scores = np.concatenate([part.reshape(-1, len(graph.labels)) for part in parts]) if parts else np.zeros((0, 1))
        return _as_scores(scores, graph, imported.reader).reshape(-1, len(graph.labels))

    return run


def _as_file(features: np.ndarray, reader: Reader, graph: Graph) -> np.ndarray:
    """What the file takes for these integers of the graph's input."""
    height, width, channels = graph.in_shape
    x = features.reshape(len(features), height, width, channels).astype(np.int64)
    order = views.order(reader.in_view)
    axes = [
        0,
        *(1 + views.LABELS.index(label) for label in (*order, *(each for each in views.LABELS if each not in order))),
    ]
    x = x.transpose(axes).reshape(len(x), *reader.file.shape)
    if reader.file.kind in ("INT8", "UINT8"):
        return x.astype(np.int8) if reader.file.kind == "INT8" else (x + 128).astype(np.uint8)
    if reader.stage is not None:
        stored = x + (128 if reader.stage.lo >= 0 else 0)
        return np.asarray((stored + 0.5 - reader.stage.bias) / reader.stage.factor, np.float32)
    if reader.in_integers:
        return x.astype(np.float32)
    return (x - graph.input_zero).astype(np.float32) * np.float32(graph.input_scale)


def _as_scores(scores: np.ndarray, graph: Graph, reader: Reader) -> np.ndarray:
    """The integers that the file's scores stand for."""
    if scores.dtype.kind == "u":
        return (scores.astype(np.int64) - 128).astype(np.int8)
    if scores.dtype.kind == "i":
        return scores.astype(np.int8)
    last = graph.nodes[-1]
    step = reader.step if reader.in_integers else last.out_scale
    steps = np.round(scores.astype(np.float64) / step) + (0 if reader.in_integers else last.out_zero)
    return np.asarray(np.clip(steps, -128, 127), np.int8)
