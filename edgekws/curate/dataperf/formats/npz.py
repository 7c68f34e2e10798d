"""train.npz of the first generation: train_x float64 [n, dimensions], train_y int [n] (1 target, 0 other), deflated.

Read without trust: nothing is unpickled, and a member is inflated only as far as its own header needs.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from edgekws.errors import ArtifactError
from edgekws.files import read_content, write_bytes

_WHAT, _HINT = "a train.npz with train_x [n, dimensions] and train_y [n]", "make it again by selecting"
_LIMIT_BYTES = 1 << 32
_DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError, KeyError)


@dataclass(frozen=True)
class TrainingSet:
    """x: float [n, dimensions]; y: int64 [n], 1 for a target, 0 for another word."""

    x: np.ndarray
    y: np.ndarray


def is_archive(path: Path) -> bool:
    """Whether it is a zip file, as each .npz is."""
    return read_content(path, "a file of the challenge", "check the path")[:2] == b"PK"


def read(path: Path) -> TrainingSet:
    """Raises ArtifactError for pickles, other names, shapes, types or values, and damaged files."""
    content = read_content(path, _WHAT, _HINT)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            x, y = (_member(archive, f"{name}.npy") for name in ("train_x", "train_y"))
        return _checked(x, y)
    except _DAMAGE as error:
        raise ArtifactError(f"{path} should be {_WHAT}", got=str(error), hint=_HINT) from error


def write(path: Path, training: TrainingSet) -> None:
    """In the types that the arrays have."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, train_x=training.x, train_y=training.y)
    write_bytes(path, buffer.getvalue())


def _member(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(name) as stream:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise ValueError(f"{name} of the npy version {version[0]}.{version[1]}")
        shape, fortran, kind = np.lib.format.read_array_header_1_0(stream)
        if kind.hasobject:
            raise ValueError(f"{name} holds Python objects (a pickle), which are never loaded")
        size = int(np.prod([1, *shape], dtype=object)) * kind.itemsize
        if not 0 <= size <= _LIMIT_BYTES or kind.kind not in "fiub":
            raise ValueError(f"{name} of type {kind} and shape {shape}")
        flat = np.frombuffer(_exactly(stream, size, name), kind)
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)


def _exactly(stream: IO[bytes], size: int, name: str) -> bytes:
    """`size` bytes and then the end; memory grows with what is there, not with what a header says."""
    content = stream.read(size)
    if len(content) != size or stream.read(1):
        raise ValueError(f"{name} has more or fewer bytes than its header says")
    return content


def _checked(x: np.ndarray, y: np.ndarray) -> TrainingSet:
    if x.ndim != 2 or y.shape != x.shape[:1] or not x.size or x.dtype.kind != "f":
        raise ValueError(f"train_x {x.dtype} {x.shape} and train_y {y.dtype} {y.shape}")
    bad = np.flatnonzero(~np.isfinite(x).all(axis=1))
    if len(bad):
        raise ValueError(f"NaN or infinity in row {bad[0]} of train_x")
    wrong = np.flatnonzero((y != 0) & (y != 1))
    if len(wrong):
        raise ValueError(f"train_y {y[wrong[0]]} in row {wrong[0]}, where 1 (target) or 0 should be")
    return TrainingSet(x, y.astype(np.int64))
