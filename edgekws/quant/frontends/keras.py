"""Float Keras file -> float layers, by Keras's own export to ONNX (tf2onnx) and the reader of ONNX files."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from edgekws.errors import TargetError
from edgekws.files import read_content
from edgekws.files.keras import SUFFIXES, brief, loaded, quiet
from edgekws.quant.frontends import onnx

__all__ = ["SUFFIXES", "read"]
_HINT = "give a model that model.save(path) wrote"


def read(path: Path) -> onnx.FloatNetwork:
    """Read a .keras or .h5 file, whose input is float32 [n, frames, coefficients], with axes of size 1 anywhere.

    Raises ArtifactError for a file that Keras cannot read, TargetError for a layer that no Graph node can express, and
    ModuleNotFoundError where TensorFlow or tf2onnx is not installed.
    """
    model = loaded(path.name, read_content(path, "a Keras model", _HINT))
    import tf2onnx  # noqa: F401  (Keras's own error would hide its absence)

    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / f"{path.stem}.onnx"
        try:
            with quiet():
                model(np.zeros((1, *model.inputs[0].shape[1:]), np.float32))  # Keras exports what was called once
                model.export(exported, format="onnx", verbose=False)
        except Exception as error:  # Keras and tf2onnx raise what every layer raises
            raise TargetError(f"{path} should be a model that Keras exports to ONNX", got=brief(error)) from error
        return onnx.read(exported)
