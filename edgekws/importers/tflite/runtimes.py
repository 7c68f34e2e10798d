"""LiteRT's own kernels on a foreign model: int8 inputs to the integers of its output.

The reference kernels define what the graph computes. The built-in kernels and XNNPACK round differently in places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edgekws.importers.tflite import ends

REFERENCE = "LiteRT reference"
Executor = Callable[[np.ndarray], np.ndarray]


def executors(files: Mapping[str, bytes]) -> dict[str, Executor]:
    """Reference, built-in and XNNPACK kernels. Raises ValueError or RuntimeError where LiteRT refuses the file."""
    from ai_edge_litert.interpreter import OpResolverType

    (content,) = files.values()
    resolvers = {
        REFERENCE: OpResolverType.BUILTIN_REF,
        "LiteRT built-in": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        "LiteRT XNNPACK": OpResolverType.BUILTIN,
    }
    return {name: executor(content, resolver) for name, resolver in resolvers.items()}


def executor(content: bytes, resolver: object) -> Executor:
    """One inference at a time; float and uint8 ends are quantized as the file says, exactly."""
    from ai_edge_litert.interpreter import Interpreter

    from edgekws.emit.tflite.quiet import without_notes

    with without_notes():
        interpreter = Interpreter(model_content=content, num_threads=1, experimental_op_resolver_type=resolver)
        interpreter.allocate_tensors()
    source, sink = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    first, last = ends.of(content)

    def run(features: np.ndarray) -> np.ndarray:
        inputs = _given(np.asarray(features, np.int8), source, first).reshape(-1, *source["shape"])
        rows = []
        for each in inputs:
            interpreter.set_tensor(source["index"], each)
            interpreter.invoke()
            rows.append(interpreter.get_tensor(sink["index"]).reshape(-1))
        return _taken(np.array(rows), sink, last)

    return run


def _given(features: np.ndarray, source: dict[str, Any], first: ends.Step) -> np.ndarray:
    if source["dtype"] == np.float32:
        return ((features.astype(np.int32) - first.zero) * first.scale).astype(np.float32)
    if source["dtype"] == np.uint8:
        return (features.astype(np.int16) + 128).astype(np.uint8)
    return features


def _taken(outputs: np.ndarray, sink: dict[str, Any], last: ends.Step) -> np.ndarray:
    if sink["dtype"] == np.float32:
        return np.round(outputs / last.scale + last.zero).astype(np.int8)
    if sink["dtype"] == np.uint8:
        return (outputs.astype(np.int16) - 128).astype(np.int8)
    return outputs.astype(np.int8)
