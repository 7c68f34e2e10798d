"""Tables of 256 entries that are one operator of TFLite.

Each candidate is computed as LiteRT's reference kernel computes it, and taken where all entries are the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgekws.emit.tflite.flatbuffer import Storage
from edgekws.graph.fixed_point import multiplier
from edgekws.graph.ir import Node
from edgekws.graph.sums import rounded_twice

_CODES = np.arange(-128, 128, dtype=np.int64)
_RELUS: dict[str, tuple[float, float | None]] = {"RELU": (0.0, None), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}
_NO_OPTIONS = {"LOGISTIC", "TANH", *_RELUS}

Found = tuple[str, int, object]
"""Operator, version, options."""


def as_int8(node: Node, in_unsigned: bool, out_unsigned: bool) -> np.ndarray | None:
    """int64 [256], the file's output for each of its inputs -128..127; None where channels have tables of their own."""
    entries = all_as_int8(node, in_unsigned, out_unsigned)
    return entries[0].astype(np.int64) if len(entries) == 1 else None


def all_as_int8(node: Node, in_unsigned: bool, out_unsigned: bool) -> np.ndarray:
    """int8 [1 or c, 256], the file's output for each of its inputs -128..127, of every table."""
    weight = np.asarray(node.weight)
    entries = (weight.view(np.uint8) if node.is_unsigned else weight).astype(np.int64)
    index = (_CODES + (128 if in_unsigned else 0)) & 255
    limited = np.clip(entries[:, index], node.requant.lo, node.requant.hi)
    return np.asarray(limited - (128 if out_unsigned else 0), np.int8)


def operator_of(entries: np.ndarray, before: Storage, after: Storage) -> Found | None:
    """The operator that has these entries for tensors stored so."""
    from ai_edge_litert import schema_py_generated as schema

    for name, candidate in _candidates(before, after):
        if np.array_equal(np.clip(candidate, -128, 127), entries):
            return name, 2 if name != "RELU_N1_TO_1" else 1, schema.QuantizeOptionsT() if name == "QUANTIZE" else None
    return None


def _candidates(before: Storage, after: Storage) -> Iterator[tuple[str, np.ndarray]]:
    """Operators with what they give for each int8, int64 [256], not clipped."""
    rescaled = _product(_CODES - before.zero_point, float(before.scale) / float(after.scale)) + after.zero_point
    yield "QUANTIZE", rescaled
    fused = _product(_CODES - before.zero_point, float(before.scale / after.scale)) + after.zero_point
    for name, (low, high) in _RELUS.items():
        top = 127 if high is None else min(127, _quantized(high, after))
        yield name, np.clip(fused, max(-128, _quantized(low, after)), max(top, -128))
    real = before.scale * (_CODES - before.zero_point).astype(np.float32)
    if after.scale == np.float32(1 / 256):
        with np.errstate(over="ignore"):
            exponential = np.exp(-real.astype(np.float64)).astype(np.float32)
        yield "LOGISTIC", _rounded(np.float32(1) / (np.float32(1) + exponential), after)
    if after.scale == np.float32(1 / 128):
        yield "TANH", _rounded(np.tanh(real.astype(np.float64)).astype(np.float32), after)


def _product(x: np.ndarray, real: float) -> np.ndarray:
    mult, shift = multiplier(real)
    return rounded_twice(x, np.int64(mult), np.int64(shift))


def _quantized(value: float, storage: Storage) -> int:
    return storage.zero_point + int(np.floor(float(np.float32(value) / storage.scale) + 0.5))


def _rounded(real: np.ndarray, storage: Storage) -> np.ndarray:
    """float32 in steps of the storage, halves away from zero."""
    steps = (real * (np.float32(1) / storage.scale)).astype(np.float64)
    return np.asarray(np.copysign(np.floor(np.abs(steps) + 0.5), steps), np.int64) + storage.zero_point
