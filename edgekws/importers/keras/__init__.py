"""Float models of Keras: TensorFlow Lite's converter makes them int8, and the TFLite importer reads the result.

The converter chooses every scale from calibration clips, float32 in the units that the network was trained on. It is
deterministic for one version of TensorFlow; the graph's provenance has the hash of what it wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

from edgekws.errors import ArtifactError, ConfigError, DataError, TargetError
from edgekws.files.keras import SUFFIXES, brief, loaded, quiet, recognizes
from edgekws.graph.ir import Graph
from edgekws.importers import DEFAULTS, Options, tflite

__all__ = ["SUFFIXES", "convert", "read", "recognizes"]


def read(files: Mapping[str, bytes], options: Options = DEFAULTS) -> Graph:
    """The graph of one .keras or .h5 file. Raises as `convert` and as edgekws.importers says."""
    return tflite.read(convert(files, options), options)


def convert(files: Mapping[str, bytes], options: Options) -> dict[str, bytes]:
    """One Keras file -> {NAME.tflite: full-integer int8, with int8 input and scores}.

    Raises ConfigError without calibration, DataError for clips that do not fit the input, ArtifactError for a file
    that Keras cannot read, TargetError for a model that cannot be int8 throughout, and ModuleNotFoundError where
    TensorFlow is not installed.
    """
    if len(files) != 1:
        raise ArtifactError("one Keras file was expected", got=f"{len(files)}")
    ((name, content),) = files.items()
    if options.calibration is None:
        hint = "edgekws import FILE --calibration clips.npy --out FOLDER, or Options(calibration=clips)"
        raise ConfigError(f"{name} is a float model: its int8 scales need calibration clips", got="none", hint=hint)
    model = loaded(name, content)
    clips = _clips(options.calibration, tuple(model.inputs[0].shape[1:]))
    return {f"{PurePath(name).stem}.tflite": _converted(name, model, clips)}


def _clips(calibration: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """float32 [n, *shape]. An axis of size 1 may lack."""
    clips = np.asarray(calibration)
    expected = f"calibration should be float clips [n, {', '.join(map(str, shape))}], as the network was trained on"
    sizes = [size for size in clips.shape[1:] if size != 1]
    if clips.dtype.kind != "f" or not clips.size or sizes != [size for size in shape if size != 1]:
        raise DataError(expected, got=f"{clips.dtype} {list(clips.shape)}")
    if not np.isfinite(clips).all():
        raise DataError("calibration should be finite", got="NaN or infinity")
    return clips.reshape(-1, *shape).astype(np.float32)


def _converted(name: str, model: Any, clips: np.ndarray) -> bytes:  # noqa: ANN401
    import tensorflow as tf

    def examples() -> Iterator[list[np.ndarray]]:
        yield from ([clip[None]] for clip in clips)

    with quiet():
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = examples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        try:
            return bytes(converter.convert())
        except Exception as error:  # the converter raises errors of its own and of every layer
            expected = f"{name} should be a model that TensorFlow Lite can convert to int8 throughout"
            raise TargetError(expected, got=brief(error)) from error
