"""The C of a model, or the C kernels, compiled for this computer and called from Python.

Used for parity checks: the same C as on the board, at the speed of this computer.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from edgekws.emit import c
from edgekws.emit.c import extended
from edgekws.emit.c.extended import Call
from edgekws.errors import ArtifactError
from edgekws.graph.executor import Executor, checked_features
from edgekws.graph.ir import SIGNED, UNSIGNED, Node
from firmware_io.build import MODEL_FILES, host_cc, structures

_HOST = b"""
#include "model.h"
void ekw_host_run(const int8_t *inputs, int8_t *scores, int32_t count);
extern const int32_t ekw_about[4];
const int32_t ekw_about[4] = {EKW_MODEL_INPUT_HEIGHT, EKW_MODEL_INPUT_WIDTH, EKW_MODEL_INPUT_CHANNELS,
                              EKW_MODEL_LABELS};
void ekw_host_run(const int8_t *inputs, int8_t *scores, int32_t count) {
    for (int32_t i = 0; i < count; i++, inputs += EKW_MODEL_INPUT_BYTES, scores += EKW_MODEL_LABELS) {
        ekw_model_run(inputs, scores);
    }
}
"""
_GUARD_BYTES, _GUARD = 256, 0xA5


class _Requant(ctypes.Structure):
    """ekw_requant of kernels.h."""

    _fields_ = (
        ("offset", ctypes.c_void_p),
        ("mult", ctypes.c_void_p),
        ("shift", ctypes.c_void_p),
        ("lo", ctypes.c_int32),
        ("hi", ctypes.c_int32),
    )


class _Scratch(ctypes.Structure):
    """ekw_scratch of kernels.h."""

    _fields_ = (("bytes", ctypes.c_void_p), ("size", ctypes.c_int32))


class _Node(ctypes.Structure):
    """ekw_node of kernels.h."""

    _fields_ = (
        ("requant", _Requant),
        ("in_shape", ctypes.c_int32 * 3),
        ("out_shape", ctypes.c_int32 * 3),
        ("weight", ctypes.c_void_p),
        ("kernel", ctypes.c_int32 * 2),
        ("stride", ctypes.c_int32 * 2),
        ("pad", ctypes.c_int32 * 4),
    )


class _General(ctypes.Structure):
    """ekw_general of kernels.h."""

    _fields_ = (
        ("node", _Node),
        ("zero", ctypes.c_int32),
        ("pad_value", ctypes.c_int32),
        ("dilation", ctypes.c_int32 * 2),
        ("rule", ctypes.c_int),
        ("is_plain", ctypes.c_int32),
        ("is_near", ctypes.c_int32),
        ("is_signed", ctypes.c_int32),
        ("weight_bits", ctypes.c_int32),
    )


_RULES = {"EKW_CLIP": 0, "EKW_SHIFT": 1, "EKW_FIXED": 2, "EKW_ONCE": 3}
"""ekw_rule of kernels.h."""


def compile_model(model: Mapping[str, bytes], folder: Path | None, options: host_cc.Options = None) -> Executor:
    """The model of edgekws.emit.c as a function: int8 [n, height, width * channels] -> int8 [n, labels].

    folder: cache of libraries, None for none. options: see host_cc; by default those of the fastest code. Raises
    BoardError without a compiler or when the C does not compile; the function raises ArtifactError for another shape
    or dtype.
    """
    missing = [name for name in MODEL_FILES if name not in model]
    if missing:
        raise ArtifactError(f"a C model consists of {' and '.join(MODEL_FILES)}", got=f"no {missing[0]}")
    library = host_cc.library({**{name: model[name] for name in MODEL_FILES}, "host.c": _HOST}, folder, options)
    height, width, channels, labels = (ctypes.c_int32 * 4).in_dll(library, "ekw_about")
    shape, call, lock = (height, width * channels), library.ekw_host_run, _lock(library)
    call.argtypes, call.restype = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32), None

    def run(features: np.ndarray) -> np.ndarray:
        inputs = np.ascontiguousarray(checked_features(features, shape))
        scores = np.empty((len(inputs), labels), np.int8)
        with lock:
            call(inputs.__array_interface__["data"][0], scores.__array_interface__["data"][0], len(inputs))
        return scores

    return run


@cache
def _lock_of(handle: int) -> threading.Lock:
    """One lock per library: its arena is shared by all callers, and ctypes releases the GIL during a call."""
    del handle
    return threading.Lock()


def _lock(library: ctypes.CDLL) -> threading.Lock:
    return _lock_of(library._handle)


def compile_kernels(
    folder: Path | None, options: host_cc.Options = host_cc.PORTABLE, basic: Iterable[c.Kernel] | None = None
) -> Callable[..., np.ndarray]:
    """All kernels as one function, like edgekws.graph.interp.run_node for single inputs.

    basic: those of basic ops that are needed; by default every one.
    (node, *inputs), each int8 or uint8 [height, width, channels] -> int32 of the node's output shape;
    ArtifactError for another shape, type or number of inputs.
    """
    needed = set(c.every_kernel() if basic is None else basic)
    sources = {"kernels.c": (c.definitions(needed, extended.BODIES) + _core_constant()).encode()}
    library = host_cc.library(sources, folder, options)
    core = list(c.cores())[ctypes.c_int32.in_dll(library, "ekw_core").value]

    def run(node: Node, *inputs: np.ndarray) -> np.ndarray:
        if len(inputs) != len(node.inputs):
            raise ArtifactError(f"{node.name}: there should be {len(node.inputs)} inputs", got=str(len(inputs)))
        for x, shape in zip(inputs, node.in_shapes, strict=True):
            if x.shape != shape or x.dtype not in (np.int8, np.uint8):
                raise ArtifactError(f"the input should be int8 or uint8 {shape}", got=f"{x.dtype} {x.shape}")
        tensors = [np.ascontiguousarray(x.transpose(2, 0, 1)) for x in inputs]
        height, width, channels = node.out_shape
        tensors.append(np.zeros((channels, height, width), np.uint8 if node.is_unsigned else np.int8))
        signed = tuple(x.dtype == np.int8 for x in inputs)
        if not node.operation.is_basic:
            _run_calls(library, extended.calls(node, [SIGNED if each else UNSIGNED for each in signed]), tensors)
            return tensors[-1].transpose(1, 2, 0).astype(np.int32)
        alive = constants(node)
        chosen = c.kernel(node, signed)
        kernel = getattr(library, chosen.name)
        described = _mirror_general(node, alive, signed) if chosen.is_general else _mirror(node, alive)
        size = c.scratch_bytes(node, core)
        scratch = np.full(size + _GUARD_BYTES, _GUARD, np.uint8)
        more = (_Scratch(_address(scratch), size),) if node.operation.input_count == 1 else ()
        kernel(ctypes.byref(described), *map(_address, tensors), *more)
        if (scratch[size:] != _GUARD).any():
            raise ArtifactError(f"{node.name}: the kernel should stay within {size} bytes of scratch")
        return tensors[-1].transpose(1, 2, 0).astype(np.int32)

    return run


def _run_calls(library: ctypes.CDLL, calls: Iterable[Call], tensors: Sequence[np.ndarray]) -> None:
    """tensors: [channels, height, width]; the inputs, and the output last."""
    for call in calls:
        kernel, read = getattr(library, call.kernel.name), [tensors[at] for at in call.inputs]
        kernel(ctypes.byref(structures.structure(call.fields)), *map(_address, [*read, tensors[-1]]))


def _core_constant() -> str:
    """C source of a constant: the index in c.cores() of the core that it was compiled for."""
    text = '\n#include "kernels/cores/core.h"\nextern const int32_t ekw_core;\n'
    for number, macro in enumerate(c.cores().values()):
        text += f"#if EKW_CORE == {macro}\nconst int32_t ekw_core = {number};\n#endif\n"
    return text


def constants(node: Node) -> dict[str, np.ndarray]:
    """The node's constants in the layout of the C kernels. Keep them alive during the call."""
    requant, arrays = node.requant, dict[str, np.ndarray]()
    if not requant.is_identity:
        multiplier = np.int32 if requant.is_fixed_point else np.uint8
        arrays["offset"] = np.ascontiguousarray(requant.offset, np.int32)
        arrays["mult"] = np.ascontiguousarray(requant.mult, multiplier)
        arrays["shift"] = np.ascontiguousarray(requant.shift.astype(np.uint8))
    if node.weight is not None:
        arrays["weight"] = np.ascontiguousarray(c.packed(c.filters(node), node.weight_bits))
    return arrays


def _mirror(node: Node, arrays: Mapping[str, np.ndarray]) -> _Node:
    def pointer(name: str) -> ctypes.c_void_p:
        return _address(arrays[name]) if name in arrays else ctypes.c_void_p()

    return _Node(
        _Requant(pointer("offset"), pointer("mult"), pointer("shift"), node.requant.lo, node.requant.hi),
        node.in_shape,
        node.out_shape,
        pointer("weight"),
        node.kernel,
        node.stride,
        node.pad,
    )


def general_words(node: Node, signed: tuple[bool, ...]) -> list[int]:
    """The words of an ekw_general after those of its node."""
    words: list[int] = []
    for value in c.general_fields(node, signed).values():
        words += list(value) if isinstance(value, tuple) else [_RULES[value] if isinstance(value, str) else value]
    return words


def _mirror_general(node: Node, arrays: Mapping[str, np.ndarray], signed: tuple[bool, ...]) -> _General:
    zero, pad_value, down, right, *rest = general_words(node, signed)
    return _General(_mirror(node, arrays), zero, pad_value, (down, right), *rest)


def _address(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
