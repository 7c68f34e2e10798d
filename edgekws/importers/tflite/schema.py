"""What a .tflite file holds: tensors and operators, as plain values. Numbers of fields are those of TFLite's schema.

Source: schema.fbs of TensorFlow Lite, version 3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekws.errors import ArtifactError, TargetError
from edgekws.importers.tflite.flatbuffer import DAMAGED, Table, root

IDENTIFIER, VERSION = b"TFL3", 3
BYTES_MAX, TENSORS_MAX, OPERATORS_MAX, ELEMENTS_MAX, RANK_MAX = 1 << 28, 20_000, 10_000, 1 << 22, 6
"""More than any microcontroller could run, and little enough to read on any computer."""
TYPES = {
    0: "FLOAT32", 1: "FLOAT16", 2: "INT32", 3: "UINT8", 4: "INT64", 5: "STRING", 6: "BOOL", 7: "INT16", 8: "COMPLEX64",
    9: "INT8", 10: "FLOAT64", 11: "COMPLEX128", 12: "UINT64", 13: "RESOURCE", 14: "VARIANT", 15: "UINT32",
    16: "UINT16", 17: "INT4", 18: "BFLOAT16", 19: "INT2", 20: "UINT4", 21: "FLOAT8_E4M3FN", 22: "FLOAT8_E5M2",
}  # fmt: skip
OURS, RUNTIME = "edgekws", "min_runtime_version"
NOTES = (OURS, RUNTIME)
"""Names of metadata: what our own emitter writes, and the oldest TensorFlow Lite that runs the model."""
_STORED = {"INT32": np.int32, "INT64": np.int64, "INT8": np.int8, "UINT8": np.uint8, "FLOAT32": np.float32}
_SCALE_BITS = 60
_PACKED_BITS = {"INT4": 4, "INT2": 2}
Field = tuple[str, int, str, float]
"""Name, number in its table, letter of its type, default."""
_ACTIVATION = "activation"
OPERATORS: Mapping[int, tuple[str, tuple[Field, ...]]] = {
    0: ("ADD", ((_ACTIVATION, 0, "b", 0),)),
    1: ("AVERAGE_POOL_2D", (("padding", 0, "b", 0), ("stride_w", 1, "i", 0), ("stride_h", 2, "i", 0),
                            ("width", 3, "i", 0), ("height", 4, "i", 0), (_ACTIVATION, 5, "b", 0))),
    2: ("CONCATENATION", (("axis", 0, "i", 0), (_ACTIVATION, 1, "b", 0))),
    3: ("CONV_2D", (("padding", 0, "b", 0), ("stride_w", 1, "i", 0), ("stride_h", 2, "i", 0), (_ACTIVATION, 3, "b", 0),
                    ("dilation_w", 4, "i", 1), ("dilation_h", 5, "i", 1))),
    4: ("DEPTHWISE_CONV_2D", (("padding", 0, "b", 0), ("stride_w", 1, "i", 0), ("stride_h", 2, "i", 0),
                              ("multiplier", 3, "i", 0), (_ACTIVATION, 4, "b", 0), ("dilation_w", 5, "i", 1),
                              ("dilation_h", 6, "i", 1))),
    6: ("DEQUANTIZE", ()),
    9: ("FULLY_CONNECTED", ((_ACTIVATION, 0, "b", 0), ("format", 1, "b", 0), ("keep_dims", 2, "?", 0))),
    14: ("LOGISTIC", ()),
    17: ("MAX_POOL_2D", (("padding", 0, "b", 0), ("stride_w", 1, "i", 0), ("stride_h", 2, "i", 0),
                         ("width", 3, "i", 0), ("height", 4, "i", 0), (_ACTIVATION, 5, "b", 0))),
    18: ("MUL", ((_ACTIVATION, 0, "b", 0),)),
    19: ("RELU", ()),
    20: ("RELU_N1_TO_1", ()),
    21: ("RELU6", ()),
    22: ("RESHAPE", ()),
    25: ("SOFTMAX", (("beta", 0, "f", 0.0),)),
    28: ("TANH", ()),
    34: ("PAD", ()),
    39: ("TRANSPOSE", ()),
    40: ("MEAN", (("keep_dims", 0, "?", 0),)),
    43: ("SQUEEZE", ()),
    45: ("STRIDED_SLICE", (("begin_mask", 0, "i", 0), ("end_mask", 1, "i", 0), ("ellipsis_mask", 2, "i", 0),
                           ("new_axis_mask", 3, "i", 0), ("shrink_axis_mask", 4, "i", 0), ("offset", 5, "?", 0))),
    49: ("SPLIT", ()),
    60: ("PADV2", ()),
    65: ("SLICE", ()),
    70: ("EXPAND_DIMS", ()),
    77: ("SHAPE", ()),
    83: ("PACK", (("count", 0, "i", 0), ("axis", 1, "i", 0))),
    88: ("UNPACK", (("count", 0, "i", 0), ("axis", 1, "i", 0))),
    98: ("LEAKY_RELU", (("alpha", 0, "f", 0.0),)),
    102: ("SPLIT_V", ()),
    114: ("QUANTIZE", ()),
    117: ("HARD_SWISH", ()),
    152: ("RELU_0_TO_1", ()),
}  # fmt: skip
"""Code -> name and the fields of its options, for the operators that can be imported."""
_VECTORS = {"SQUEEZE": ("axes", 0), "RESHAPE": ("shape", 0)}
"""Operators whose options have a vector of int32: its name and number."""
_CUSTOM, _CONTROL = 32, {118: "IF", 119: "WHILE", 129: "CALL_ONCE", 31: "CALL", 200: "STABLEHLO_WHILE"}


@dataclass(frozen=True)
class Tensor:
    """type: a name of TYPES. data: of a constant, in `shape`. scale: float32 [n]; zero: int64 [n]; empty where there
    is no quantization. axis: what several scales belong to. bits: of constants that are stored packed.
    """

    number: int
    name: str
    shape: tuple[int, ...]
    type: str
    data: np.ndarray | None
    scale: np.ndarray
    zero: np.ndarray
    axis: int
    dynamic: bool = False
    bits: int = 8

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Operator:
    """name: of its kind. inputs: numbers of tensors, -1 for one that is left out. place: as errors name it."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]
    place: str


@dataclass(frozen=True)
class Model:
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    description: str
    notes: Mapping[str, bytes]


def model_of(content: bytes) -> Model:
    """Raises ArtifactError for damaged files, and TargetError for what no graph can express."""
    if len(content) > BYTES_MAX:
        raise ArtifactError(f"a .tflite file of at most {BYTES_MAX} bytes was expected", got=f"{len(content)}")
    top = root(content, IDENTIFIER, "a TFLite model")
    if top.number(0, "I") != VERSION:
        raise ArtifactError(f"the model should have version {VERSION} of the schema", got=str(top.number(0, "I")))
    graphs = top.tables(2, "subgraph")
    if len(graphs) != 1:
        hint = "convert the model without control flow, with one signature"
        raise TargetError("the model should have one subgraph", got=f"{len(graphs)}", hint=hint)
    buffers = top.tables(4, "buffer")
    rows = graphs[0].tables(0, "tensor")
    if len(rows) > TENSORS_MAX:
        raise ArtifactError(f"at most {TENSORS_MAX} tensors were expected", got=f"{len(rows)}")
    tensors = tuple(_tensor(number, row, buffers) for number, row in enumerate(rows))
    operators = _operators(graphs[0], top.tables(1, "operator code"), tensors)
    ends = [tuple(map(int, graphs[0].array(field, "i"))) for field in (1, 2)]
    for number in (*ends[0], *ends[1]):
        _known(number, tensors, "the subgraph's inputs and outputs")
    return Model(tensors, operators, ends[0], ends[1], top.text(3), _notes(top, buffers))


def _notes(top: Table, buffers: list[Table]) -> dict[str, bytes]:
    """The metadata that importing may use."""
    notes = {}
    for row in top.tables(6, "metadata"):
        name, number = row.text(0), row.number(1, "I")
        if name in NOTES and number < len(buffers):
            notes[name] = bytes(buffers[number].array(0, "B"))
    return notes


def _tensor(number: int, row: Table, buffers: list[Table]) -> Tensor:
    name = row.text(3)
    shape = tuple(map(int, row.array(0, "i")))
    kind = TYPES.get(row.number(1, "b"))
    place = f"tensor {number} ({name})"
    if kind is None:
        raise ArtifactError(f"{place}: its type should be one of the schema", got=str(row.number(1, "b")))
    if len(shape) > RANK_MAX or min(shape, default=1) < -1:
        raise ArtifactError(f"{place}: a shape of at most {RANK_MAX} sizes was expected", got=_short(shape))
    for field, what in ((6, "a sparse tensor"), (9, "a variant tensor"), (10, "an external buffer")):
        if row.has(field) and (field != 10 or row.number(field, "I")):
            raise TargetError(f"{place}: data should be dense and inside of the file", got=what)
    if row.number(5, "?"):
        raise TargetError(f"{place}: tensors should not be variables", got="a state that lasts between inferences")
    dynamic = bool((row.array(7, "i") < 0).any()) or min(shape, default=1) < 1
    data = _data(place, row.number(2, "I"), buffers, kind, shape)
    scale, zero, axis = _quantization(place, kind, row.table(4, f"the quantization of {place}"))
    return Tensor(number, name, shape, kind, data, scale, zero, axis, dynamic, _PACKED_BITS.get(kind, 8))


def _data(place: str, number: int, buffers: list[Table], kind: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """The values of a constant; None for other tensors."""
    if number >= len(buffers):
        raise ArtifactError(f"{place}: its buffer should be one of {len(buffers)}", got=str(number), hint=DAMAGED)
    buffer = buffers[number]
    if buffer.number(1, "Q") > 1 or buffer.number(2, "Q") > 1:
        raise TargetError(f"{place}: data should be inside of the flatbuffer", got="data after its end")
    content = buffer.array(0, "B")
    if not len(content) or kind not in (*_STORED, *_PACKED_BITS):
        return None
    count = math.prod(shape)
    if kind in _PACKED_BITS:
        return _unpacked(place, content, count, _PACKED_BITS[kind]).reshape(shape)
    stored = np.dtype(_STORED[kind])
    if count < 0 or len(content) != count * stored.itemsize:
        got = f"{len(content)} bytes for {_short(shape)} of {kind}"
        raise ArtifactError(f"{place}: data should fill its shape", got=got, hint=DAMAGED)
    return content.view(stored.newbyteorder("<")).reshape(shape)


def _unpacked(place: str, content: np.ndarray, count: int, bits: int) -> np.ndarray:
    """Signed integers of 4 or 2 bits, the lowest bits of a byte first: int8 [count]."""
    per_byte = 8 // bits
    if count < 0 or len(content) != -(-count // per_byte):
        got = f"{len(content)} bytes for {count} values of {bits} bits"
        raise ArtifactError(f"{place}: data should fill its shape", got=got, hint=DAMAGED)
    parts = content[:, None] << (8 - bits - bits * np.arange(per_byte, dtype=np.uint8))
    return np.asarray(parts.astype(np.uint8).view(np.int8).reshape(-1)[:count] >> (8 - bits))


def _quantization(place: str, kind: str, table: Table | None) -> tuple[np.ndarray, np.ndarray, int]:
    if table is None:
        return np.zeros(0, np.float32), np.zeros(0, np.int64), 0
    if table.number(4, "B"):
        raise TargetError(f"{place}: one scale, or one for each channel, was expected", got="another quantization")
    scale, zero = table.array(2, "f"), table.array(3, "q")
    if len(scale) != len(zero) and len(zero) > 1:
        raise ArtifactError(f"{place}: each scale should have a zero point", got=f"{len(scale)} and {len(zero)}")
    if not (np.isfinite(scale) & (scale > 0)).all():
        raise ArtifactError(f"{place}: scales should be finite and above 0", got=str(scale.min()))
    if kind != "INT32" and (np.abs(np.log2(scale)) > _SCALE_BITS).any():
        got = f"{scale.min()} to {scale.max()}"
        raise ArtifactError(f"{place}: scales within 2^-{_SCALE_BITS} to 2^{_SCALE_BITS} were expected", got=got)
    return scale, zero, int(table.number(6, "i"))


def _operators(graph: Table, codes: list[Table], tensors: tuple[Tensor, ...]) -> tuple[Operator, ...]:
    rows = graph.tables(3, "operator")
    if not 0 < len(rows) <= OPERATORS_MAX:
        raise ArtifactError(f"1 to {OPERATORS_MAX} operators were expected", got=f"{len(rows)}")
    return tuple(_operator(number, row, codes, tensors) for number, row in enumerate(rows))


def _operator(number: int, row: Table, codes: list[Table], tensors: tuple[Tensor, ...]) -> Operator:
    index = row.number(0, "I")
    if index >= len(codes):
        raise ArtifactError(f"operator {number}: its code should be one of {len(codes)}", got=str(index), hint=DAMAGED)
    code = max(codes[index].number(3, "i"), codes[index].number(0, "b"))
    inputs, outputs = (tuple(map(int, row.array(field, "i"))) for field in (1, 2))
    for each in (*inputs, *outputs):
        if each != -1:
            _known(each, tensors, f"the inputs and outputs of operator {number}")
    name = tensors[outputs[0]].name if outputs and outputs[0] >= 0 else "no output"
    if code not in OPERATORS:
        raise _refused(number, name, code, codes[index].text(1))
    kind, fields = OPERATORS[code]
    options = _options(kind, fields, row.table(4, f"the options of operator {number}"))
    return Operator(kind, inputs, outputs, options, f"operator {number} ({kind}, {name})")


def _options(kind: str, fields: tuple[Field, ...], table: Table | None) -> dict[str, Any]:
    vector = _VECTORS.get(kind)
    if table is None:
        return {name: default for name, _, _, default in fields} | ({vector[0]: ()} if vector else {})
    options = {name: table.number(number, kind, default) for name, number, kind, default in fields}
    return options | ({vector[0]: tuple(map(int, table.array(vector[1], "i")))} if vector else {})


def _refused(number: int, name: str, code: int, custom: str) -> TargetError:
    known = ", ".join(sorted(kind for kind, _ in OPERATORS.values()))
    what = f"custom {custom}" if code == _CUSTOM else _CONTROL.get(code, f"builtin operator {code}")
    return TargetError(
        f"operator {number} ({name}) should be one that can be imported", got=what, hint=f"these: {known}"
    )


def _known(number: int, tensors: tuple[Tensor, ...], what: str) -> None:
    if not 0 <= number < len(tensors):
        raise ArtifactError(f"{what} should be tensors 0 to {len(tensors) - 1}", got=str(number), hint=DAMAGED)


def _short(shape: tuple[int, ...]) -> str:
    return str(list(shape[:RANK_MAX]))
