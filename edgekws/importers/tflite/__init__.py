"""TFLite models of int8: the integers that LiteRT's reference kernels compute.

A tensor whose zero point is -128 is stored raised, as 0..255 with zero 0; the model's input and scores stay int8.
QUANTIZE and DEQUANTIZE at the ends are left out: the graph begins and ends with integers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePath

from edgekws.errors import ArtifactError, ConfigError, TargetError
from edgekws.features.spec import FeatureSpec, UnknownFeatures, from_json
from edgekws.files import sha256
from edgekws.files.fields import as_text, is_text
from edgekws.graph.attributes import Shape
from edgekws.graph.ir import INPUT, Graph
from edgekws.importers import DEFAULTS, Options
from edgekws.importers.tflite import elementwise, ends, moves, places, reductions, tables, windows
from edgekws.importers.tflite.builder import Builder, Value, raised_tensors, read_nodes
from edgekws.importers.tflite.runtimes import executors
from edgekws.importers.tflite.schema import IDENTIFIER, OURS, RUNTIME, Model, Operator, model_of

__all__ = ["SUFFIXES", "executors", "read", "recognizes"]
SUFFIXES = (".tflite", ".lite")
TARGET = "int8"
_HANDLERS: dict[str, Callable[[Builder, Operator], None]] = {
    "ADD": elementwise.add,
    "AVERAGE_POOL_2D": windows.average_pool,
    "CONV_2D": windows.conv,
    "CONCATENATION": places.concatenation,
    "DEPTHWISE_CONV_2D": windows.depthwise,
    "EXPAND_DIMS": moves.expand_dims,
    "FULLY_CONNECTED": windows.fully_connected,
    "HARD_SWISH": tables.hard_swish,
    "LEAKY_RELU": tables.leaky_relu,
    "LOGISTIC": tables.logistic,
    "MAX_POOL_2D": windows.max_pool,
    "MEAN": reductions.mean,
    "MUL": elementwise.mul,
    "PACK": places.pack,
    "PAD": reductions.pad,
    "PADV2": reductions.pad,
    "QUANTIZE": tables.requantize,
    "RELU": tables.relu,
    "RELU6": tables.relu,
    "RELU_0_TO_1": tables.relu,
    "RELU_N1_TO_1": tables.relu,
    "RESHAPE": moves.reshape,
    "SHAPE": places.shape,
    "SLICE": places.slice_,
    "SOFTMAX": elementwise.softmax,
    "SPLIT": places.split,
    "SPLIT_V": places.split_v,
    "SQUEEZE": moves.squeeze,
    "STRIDED_SLICE": places.strided_slice,
    "TANH": tables.tanh,
    "TRANSPOSE": places.transpose,
    "UNPACK": places.unpack,
}


def recognizes(content: bytes) -> bool:
    """Whether a file is a TFLite model."""
    return content[4:8] == IDENTIFIER


def read(files: Mapping[str, bytes], options: Options = DEFAULTS) -> Graph:
    """The graph of one .tflite file. Raises as edgekws.importers says."""
    if len(files) != 1:
        raise ArtifactError("one .tflite file was expected", got=f"{len(files)}")
    ((name, content),) = files.items()
    model = model_of(content)
    for what, numbers in (("input", model.inputs), ("output", model.outputs)):
        if len(numbers) != 1:
            raise TargetError(f"the model should have one {what}", got=f"{len(numbers)}")
    build = Builder(model, raised_tensors(model))
    options = _completed(model, options)
    start = _begin(build, options.features)
    for operator in model.operators:
        _import(build, operator)
    return _graph(build, start, name, content, options)


def _completed(model: Model, options: Options) -> Options:
    """Labels and front end of a file that edgekws itself wrote, where `options` does not give others."""
    if OURS not in model.notes:
        return options
    try:
        about = json.loads(model.notes[OURS])
        labels, features = json.loads(about["labels"]), from_json(json.loads(about["features"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArtifactError(f"the metadata {OURS} should describe the model", got=repr(error)[:80]) from error
    if not isinstance(labels, list) or not all(map(is_text, labels)):
        raise ArtifactError(f"the metadata {OURS} should name the labels", got="something else")
    front_end = features if isinstance(features, FeatureSpec) else None
    return replace(options, labels=options.labels or tuple(labels), features=options.features or front_end)


def _import(build: Builder, operator: Operator) -> None:
    if ends.is_end(build.model, operator):
        return
    if operator.name in _HANDLERS:
        _HANDLERS[operator.name](build, operator)
    else:
        raise TargetError(f"{operator.place} should be one that can be imported", got=operator.name)


def _begin(build: Builder, features: FeatureSpec | None) -> int:
    """Make the input's value. Returns the int8 tensor that the graph's input is."""
    start = ends.input_of(build.model)
    first = next((each for each in build.model.operators if start in each.inputs), build.model.operators[0])
    build.require_int8(first, start)
    shape = tuple(1 if size == -1 else size for size in build.tensor(start).shape)
    build.count(first, shape)
    build.shapes[start] = shape
    build.values[start] = Value(INPUT, _input_shape(build, start, shape, features), -128, 127)
    return start


def _input_shape(build: Builder, start: int, shape: tuple[int, ...], features: FeatureSpec | None) -> Shape:
    """Height, width and channels of the graph's input: those of `features`, else of the tensor or its first reader."""
    if features is not None:
        if math.prod(features.shape) != math.prod(shape):
            got = f"{features.frames} frames of {features.coefficients}"
            hint = "leave --features out, or state the front end of this model in a file"
            raise ConfigError(
                f"the features should have the {math.prod(shape)} values of the input", got=got, hint=hint
            )
        return (*features.shape, 1)
    readers = [each for each in build.model.operators if start in each.inputs]
    if len(shape) < 3 and len(readers) == 1 and readers[0].name == "RESHAPE":
        after = build.model.tensors[build.output(readers[0])]
        if len(after.shape) in (3, 4) and math.prod(after.shape) == math.prod(shape):
            shape = after.shape
    sizes = [1] * (3 - len(shape)) + list(shape) if len(shape) < 4 else list(shape[1:])
    if len(shape) < 4:
        return math.prod(sizes[:-1]), sizes[-1], 1
    return math.prod(sizes[:-2]), sizes[-2], sizes[-1]


def _graph(build: Builder, start: int, name: str, content: bytes, options: Options) -> Graph:
    last = ends.output_of(build.model)
    writer = next((each for each in build.model.operators if last in each.outputs), None)
    if writer is None or last not in build.shapes:
        raise ArtifactError("the model's output should be computed from its input", got=build.tensor(last).name)
    count = math.prod(build.shapes[last])
    value = build.source(writer, last, (1, 1, count))
    labels = options.labels or tuple(f"class{number}" for number in range(count))
    if len(labels) != count or len(set(labels)) != count:
        hint = "give one name for each score, in their order"
        raise ConfigError(f"{count} different labels were expected", got=", ".join(labels[:20]), hint=hint)
    shape = build.values[start].shape
    graph = Graph(
        nodes=read_nodes(build.nodes, value.name),
        labels=labels,
        features=options.features or UnknownFeatures(shape[:2], shape[2]),
        target=TARGET,
        name=options.name or as_text(PurePath(name).stem) or "model",
        input_scale=float(build.scale(start)),
        input_zero=build.zero_point(start),
        provenance=_provenance(build.model, name, content),
    )
    graph.check()
    return graph


def _provenance(model: Model, name: str, content: bytes) -> dict[str, str]:
    about = {"imported_from": as_text(name), "imported_sha256": sha256(content), "imported_format": "tflite"}
    runtime = model.notes.get(RUNTIME, b"").rstrip(b"\0").decode("ascii", "replace")
    notes = {"imported_producer": model.description, "imported_min_runtime": runtime}
    return about | {key: text for key, text in notes.items() if text}
