"""Keras's files of float models, .keras and .h5: recognized by their first bytes, opened by Keras itself.

Lambda layers and other code in a file are not run: Keras's safe mode refuses them.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

from edgekws.errors import ArtifactError, TargetError

SUFFIXES = (".keras", ".h5", ".hdf5")
_BEGINNINGS = (b"PK\x03\x04", b"\x89HDF\r\n\x1a\n")
"""Of a ZIP archive (.keras), and of HDF5 (.h5)."""


def recognizes(content: bytes) -> bool:
    """Whether a file with one of these suffixes may be a Keras model."""
    return content.startswith(_BEGINNINGS)


def loaded(name: str, content: bytes) -> Any:  # noqa: ANN401  (Keras has no types)
    """The keras.Model of a file called `name`, not compiled.

    Raises ArtifactError for a file that Keras cannot read, TargetError for a model without one input of a known shape
    and one output, and ModuleNotFoundError where TensorFlow is not installed.
    """
    with quiet():
        import tensorflow  # noqa: F401, I001  (before Keras, whose own error would name another module)
        import keras
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{PurePath(name).suffix.lower()}"
        path.write_bytes(content)
        try:
            with quiet():
                model = keras.models.load_model(path, compile=False, safe_mode=True)
        except Exception as error:  # Keras raises what its layers and HDF5 raise
            hint = "save it with model.save(path), without Lambda layers and layers of your own"
            raise ArtifactError(f"{name} should be a Keras model", got=brief(error), hint=hint) from error
    _require_ends(name, model)
    return model


def _require_ends(name: str, model: Any) -> None:  # noqa: ANN401
    for what, ends in (("input", model.inputs), ("output", model.outputs)):
        if len(ends or []) != 1:
            raise TargetError(f"{name} should have one {what}", got=str(len(ends or [])))
    shape = tuple(model.inputs[0].shape)
    if len(shape) < 2 or None in shape[1:]:
        hint = "give keras.Input the size of every axis but the batch"
        raise TargetError(f"{name}: the input should have a known shape", got=str(shape), hint=hint)


@contextmanager
def quiet() -> Iterator[None]:
    """Without what Keras and TensorFlow print and warn about themselves; errors are raised as ever."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is first imported
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def brief(error: BaseException) -> str:
    """The first line of what an error says, at most 300 letters."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
