"""Reads an ONNX file without trusting it: what comes out has one input, one output and nodes in a sound order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekws.errors import ArtifactError, TargetError
from edgekws.files import sha256

SUFFIXES = (".onnx",)
LARGEST = 1 << 24
"""Numbers of one tensor: more are refused before they are made."""
_FILE_BYTES = (1 << 31) - 1
_DOMAINS = ("", "ai.onnx", "com.microsoft")
_FIRST_OPSET = 7
_HINT = "export the model again, into one file"
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError, MemoryError)
"""Raised for lists of a wrong length and numbers of a wrong type; onnx's checker finds neither."""


@dataclass(frozen=True)
class Call:
    """One node of the file. attributes: by name, as Python values."""

    op: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"{self.name or f'the node that makes {self.outputs[0]}'} ({self.op})"

    def refusal(self, expected: str, got: str = "", hint: str = "") -> TargetError:
        """The error for what the graph cannot say exactly."""
        return TargetError(f"{self.label}: {expected}", got=got, hint=hint)

    def damage(self, expected: str, got: str = "") -> ArtifactError:
        """The error for what is wrong with the file."""
        return ArtifactError(f"{self.label}: {expected}", got=got, hint=_HINT)


@dataclass(frozen=True)
class File:
    """shape: of the input without its batch; kind: of the input's numbers, such as "FLOAT" or "INT8"."""

    name: str
    digest: str
    calls: tuple[Call, ...]
    constants: dict[str, np.ndarray]
    source: str
    shape: tuple[int, ...]
    kind: str
    output: str
    opsets: dict[str, int]
    properties: dict[str, str]
    producer: str


def is_onnx(content: bytes) -> bool:
    """Whether `content` could be an ONNX model: a protobuf whose first field is the IR version."""
    return len(content) > 8 and content[0] == 0x08 and content[1] < 0x40


def operations(content: bytes) -> set[str]:
    """The operations of a file; none if it cannot be read."""
    try:
        return {node.op_type for node in _parsed(content, "it").graph.node}
    except ArtifactError:
        return set()


def read(files: Mapping[str, bytes]) -> File:
    """The one .onnx file of `files`; files that it keeps its weights in may stand beside it.

    Raises ArtifactError for a damaged file, TargetError for one that no integer graph can be.
    """
    name, content = _chosen(files)
    model = _parsed(content, name)
    _require_supported(model, name)
    _with_external_data(model, files, name)
    _check(model, name)
    source, shape, kind = _source(model, name)
    if len(model.graph.output) != 1:
        got = ", ".join(each.name for each in model.graph.output) or "none"
        raise TargetError(f"{name} should have one output", got=got, hint="export the scores alone")
    output = model.graph.output[0].name
    return File(
        name=name, digest=sha256(content), calls=_needed([_call(node, name) for node in model.graph.node], output),
        constants={each.name: _array(each, name) for each in model.graph.initializer}, source=source, shape=shape,
        kind=kind, output=output, opsets={each.domain: each.version for each in model.opset_import},
        properties={each.key: each.value for each in model.metadata_props},
        producer=f"{model.producer_name} {model.producer_version}".strip(),
    )  # fmt: skip


def _chosen(files: Mapping[str, bytes]) -> tuple[str, bytes]:
    names = [name for name in files if name.endswith(SUFFIXES)]
    if len(names) != 1:
        got = ", ".join(sorted(files)) or "none"
        raise ArtifactError("there should be one .onnx file", got=got, hint="give the file of the model")
    return names[0], files[names[0]]


def _parsed(content: bytes, name: str) -> Any:  # noqa: ANN401  (onnx has no types)
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    if len(content) > _FILE_BYTES:
        raise ArtifactError(f"{name} should have less than 2 GB", got=f"{len(content)} bytes")
    try:
        model = onnx.load_model_from_string(content)
    except (DecodeError, *MALFORMED) as error:
        raise ArtifactError(f"{name} should be an ONNX file", got="a damaged or foreign file", hint=_HINT) from error
    _require_text(model, name)
    if not model.graph.node:
        raise ArtifactError(f"{name} should be an ONNX file with nodes", got="none", hint=_HINT)
    return model


def _require_text(model: Any, name: str) -> None:  # noqa: ANN401
    """protobuf gives text that is no UTF-8 as bytes."""
    graph = model.graph
    texts = [text for node in graph.node for text in (node.name, node.op_type, node.domain, *node.input, *node.output)]
    texts += [each.name for each in (*graph.initializer, *graph.input, *graph.output)]
    texts += [text for each in model.metadata_props for text in (each.key, each.value)]
    texts += [each.domain for each in model.opset_import] + [model.producer_name, model.producer_version]
    wrong = next((text for text in texts if not isinstance(text, str)), None)
    if wrong is not None:
        raise ArtifactError(f"{name} should have names in UTF-8", got=ascii(wrong)[:40], hint=_HINT)


def _require_supported(model: Any, name: str) -> None:  # noqa: ANN401
    from onnx import defs

    opsets = {each.domain: each.version for each in model.opset_import}
    newest, opset = defs.onnx_opset_version(), opsets.get("", opsets.get("ai.onnx", 0))
    if not _FIRST_OPSET <= opset <= newest:
        expected = f"{name} should have an opset of {_FIRST_OPSET} to {newest}"
        raise TargetError(expected, got=str(opset), hint="export it for an older opset, or install a newer onnx")
    if model.graph.sparse_initializer:
        got = f"a sparse one: {model.graph.sparse_initializer[0].values.name}"
        raise TargetError(f"{name} should have dense tensors", got=got, hint="export it with dense weights")
    if model.functions:
        raise TargetError(f"{name} should have no functions", got=model.functions[0].name, hint="inline them")
    for node in model.graph.node:
        label = f"{name}: {node.name or 'the node that makes ' + ', '.join(node.output)} ({node.op_type})"
        if node.domain not in _DOMAINS:
            raise TargetError(f"{label} should be an operation of ONNX or com.microsoft", got=node.domain)
        if any(each.HasField("g") or each.graphs for each in node.attribute):
            raise TargetError(f"{label} should not be control flow", got="a graph inside", hint="unroll it")


def _with_external_data(model: Any, files: Mapping[str, bytes], name: str) -> None:  # noqa: ANN401
    """Put weights of another file into `model`. Raises ArtifactError where that file is not among `files`."""
    from onnx import TensorProto

    constants = [each.t for node in model.graph.node for each in node.attribute if each.HasField("t")]
    for tensor in (*model.graph.initializer, *constants):
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        entries = {each.key: each.value for each in tensor.external_data}
        location = entries.get("location", "")
        if location not in files:
            hint = "put that file beside it, or: onnx.save_model(model, path, save_as_external_data=False)"
            got = f"{tensor.name} in {location or 'another file'}, which is missing"
            raise ArtifactError(f"{name} should hold its weights itself", got=got, hint=hint)
        try:
            start = int(entries.get("offset", 0))
            end = start + int(entries["length"]) if "length" in entries else len(files[location])
        except ValueError as error:
            raise ArtifactError(f"{name}: {tensor.name} should say where its bytes are", got=str(entries)) from error
        if not 0 <= start <= end <= len(files[location]):
            raise ArtifactError(f"{name}: {tensor.name} should lie inside {location}", got=f"{start}..{end}")
        tensor.raw_data, tensor.data_location = files[location][start:end], TensorProto.DEFAULT
        del tensor.external_data[:]


def _check(model: Any, name: str) -> None:  # noqa: ANN401
    import onnx

    _require_order(model, name)
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, UnicodeError, *MALFORMED) as error:
        raise ArtifactError(f"{name} should be a sound ONNX file", got=first_line(error), hint=_HINT) from error


def _require_order(model: Any, name: str) -> None:  # noqa: ANN401
    """onnx's checker finds cycles too, but names neither the node nor the kind."""
    known = {"", *(each.name for each in (*model.graph.input, *model.graph.initializer))}
    made = {output for node in model.graph.node for output in node.output}
    for node in model.graph.node:
        label = f"{name}: {node.name or ', '.join(node.output)} ({node.op_type})"
        if not any(node.output):
            raise ArtifactError(f"{label} should have an output", got="none", hint=_HINT)
        for each in node.input:
            if each not in known:
                got = f"{each}, which a later node makes: a cycle, or a wrong order" if each in made else f"{each!r}"
                raise ArtifactError(f"{label} should read what is made before it", got=got, hint=_HINT)
        known.update(node.output)
    for each in model.graph.output:
        if each.name not in made or not each.name:
            raise ArtifactError(f"{name}: a node should make the output {each.name}", got="none", hint=_HINT)


def _source(model: Any, name: str) -> tuple[str, tuple[int, ...], str]:  # noqa: ANN401
    """Name, shape without the batch, and type of the input."""
    from onnx import TensorProto

    stored = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in stored]
    if len(inputs) != 1:
        raise TargetError(f"{name} should have one input", got=", ".join(each.name for each in inputs) or "none")
    tensor = inputs[0].type.tensor_type
    sizes = [dim.dim_value for dim in tensor.shape.dim]
    shown = ", ".join(str(dim.dim_value or dim.dim_param or "?") for dim in tensor.shape.dim)
    if len(sizes) not in (2, 3, 4) or sizes[0] not in (0, 1) or min(sizes[1:], default=0) < 1:
        expected = f"{name}: {inputs[0].name} should have 2 to 4 dimensions of known size, the first 1 or open"
        raise TargetError(expected, got=f"[{shown}]", hint="export it with a batch of 1")
    if math.prod(sizes[1:]) > LARGEST:
        raise TargetError(f"{name}: {inputs[0].name} should have at most {LARGEST} numbers", got=f"[{shown}]")
    try:
        kind = TensorProto.DataType.Name(tensor.elem_type)
    except ValueError as error:
        raise ArtifactError(f"{name}: {inputs[0].name} should have a known type", got=str(tensor.elem_type)) from error
    return inputs[0].name, tuple(sizes[1:]), kind


def _call(node: Any, name: str) -> Call:  # noqa: ANN401
    from onnx import helper

    try:
        attributes = {each.name: _plain(helper.get_attribute_value(each)) for each in node.attribute}
    except MALFORMED as error:
        expected = f"{name}: {node.name or node.output[0]} should have sound attributes"
        raise ArtifactError(expected, got=first_line(error), hint=_HINT) from error
    domain = "" if node.domain == "ai.onnx" else node.domain
    return Call(node.op_type, domain, node.name, tuple(node.input), tuple(node.output), attributes)


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return _array(value, "an attribute") if hasattr(value, "data_type") else value


def _array(tensor: Any, name: str) -> np.ndarray:  # noqa: ANN401
    from onnx import numpy_helper

    if math.prod(tensor.dims) > LARGEST:
        raise TargetError(f"{name}: {tensor.name} should have at most {LARGEST} numbers", got=str(list(tensor.dims)))
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except MALFORMED as error:
        expected = f"{name}: {tensor.name} should have as many numbers as its shape says"
        raise ArtifactError(expected, got=first_line(error), hint=_HINT) from error


def _needed(calls: list[Call], output: str) -> tuple[Call, ...]:
    """The nodes that the output depends on, in their order."""
    required, kept = {output}, []
    for call in reversed(calls):
        if required.intersection(call.outputs):
            required.update(call.inputs)
            kept.append(call)
    return tuple(kept[::-1])


def first_line(error: Exception) -> str:
    """Of a message of another library."""
    return str(error).strip().partition("\n")[0][:200]
