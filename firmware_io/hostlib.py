"""The C of a model, or one C kernel, compiled for this computer and called from Python.

For parity: what the board runs, at the speed of this computer.
"""

from __future__ import annotations

import ctypes
import platform
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from edgekws.emit import c
from edgekws.errors import ArtifactError
from edgekws.files import sha256, write_bytes
from edgekws.graph.ir import Node
from firmware_io import tools
from firmware_io.build import CFLAGS, FIRMWARE, write_model

COMPILER = "cc"
_ABOUT = b"""
#include "model.h"
const int32_t ekw_about[4] = {EKW_MODEL_INPUT_HEIGHT, EKW_MODEL_INPUT_WIDTH, EKW_MODEL_INPUT_CHANNELS,
                              EKW_MODEL_LABELS};
"""


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


def compile_model(model: Mapping[str, bytes], folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """The model of edgekws.emit.c as a function: int8 [n, height, width * channels] -> int8 [n, labels].

    `folder` is where the library is left. Raises BoardError without a compiler or when the C does not
    compile; the function raises ArtifactError for another shape or type.
    """
    with tempfile.TemporaryDirectory(prefix="edgekws-model-") as sources:
        write_model(model, Path(sources))
        (Path(sources) / "about.c").write_bytes(_ABOUT)
        own = [Path(sources) / "model.c", Path(sources) / "about.c"]
        library = _compile(own, folder, [f"-I{sources}"])
    height, width, channels, labels = (ctypes.c_int32 * 4).in_dll(library, "ekw_about")
    shape = (height, width * channels)

    def run(features: np.ndarray) -> np.ndarray:
        if features.shape[1:] != shape or features.dtype != np.int8:
            got = f"{features.dtype} {list(features.shape)}"
            raise ArtifactError(f"features should be int8 [n, {shape[0]}, {shape[1]}]", got=got)
        inputs = np.ascontiguousarray(features)
        scores = np.zeros((len(inputs), labels), np.int8)
        for source, destination in zip(inputs, scores, strict=True):
            library.ekw_model_run(_address(source), _address(destination))
        return scores

    return run


def compile_kernels(folder: Path, core: str = "portable") -> Callable[..., np.ndarray]:
    """The kernels of a core as one function, like edgekws.graph.interp.run_node for single inputs.

    (node, *inputs), each int8 or uint8 [height, width, channels] -> int32 of the node's output shape;
    ArtifactError for another shape, type or number of inputs.
    """
    with tempfile.TemporaryDirectory(prefix="edgekws-kernels-") as sources:
        (Path(sources) / "kernels.c").write_text(c.definitions(set(c.every_kernel())))
        library = _compile([Path(sources) / "kernels.c"], folder, [])

    def run(node: Node, *inputs: np.ndarray) -> np.ndarray:
        if len(inputs) != len(node.inputs):
            raise ArtifactError(f"{node.name}: there should be {len(node.inputs)} inputs", got=str(len(inputs)))
        for x in inputs:
            if x.shape != node.in_shape or x.dtype not in (np.int8, np.uint8):
                raise ArtifactError(f"the input should be int8 or uint8 {node.in_shape}", got=f"{x.dtype} {x.shape}")
        alive, tensors = constants(node), [np.ascontiguousarray(x.transpose(2, 0, 1)) for x in inputs]
        height, width, channels = node.out_shape
        tensors.append(np.zeros((channels, height, width), np.int8 if node.requant.lo < 0 else np.uint8))
        kernel = getattr(library, c.kernel(node, tuple(x.dtype == np.int8 for x in inputs)).name)
        scratch = np.zeros(c.scratch_bytes(node, "portable"), np.uint64)
        more = () if node.op == "add" else (_Scratch(_address(scratch), scratch.nbytes),)
        kernel(ctypes.byref(_mirror(node, alive)), *map(_address, tensors), *more)
        return tensors[-1].transpose(1, 2, 0).astype(np.int32)

    return run


def _compile(sources: Sequence[Path], folder: Path, options: Sequence[str]) -> ctypes.CDLL:
    """Named by its content: a library that is in use must never be overwritten."""
    shared = "-dynamiclib" if platform.system() == "Darwin" else "-shared"
    compiler = tools.require(COMPILER, "compiling the kernels for this computer")
    line = [
        compiler,
        *CFLAGS,
        "-DEKW_CORE=EKW_PORTABLE",
        "-fPIC",
        shared,
        f"-I{FIRMWARE}",
        *options,
        *map(str, sources),
    ]
    with tempfile.TemporaryDirectory(prefix="edgekws-library-") as temporary:
        built = Path(temporary) / "library.so"
        tools.run([*line, "-o", str(built)], "the C of the model should compile", "export the model again")
        content = built.read_bytes()
    path = folder.resolve() / f"ekw-{sha256(content)[:16]}.so"
    if not path.exists():
        write_bytes(path, content)
    return ctypes.CDLL(str(path))


def constants(node: Node) -> dict[str, np.ndarray]:
    """The constants as the C reads them; they have to live as long as the call."""
    stage, arrays = node.requant, dict[str, np.ndarray]()
    if not stage.is_identity:
        multiplier = np.int32 if stage.rule == "fixed-point" else np.uint8
        arrays["offset"] = np.ascontiguousarray(stage.offset, np.int32)
        arrays["mult"] = np.ascontiguousarray(stage.mult, multiplier)
        arrays["shift"] = np.ascontiguousarray(stage.shift, np.uint8)
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


def _address(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
