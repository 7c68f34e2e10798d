"""QDQ and QOperator ONNX, as onnxruntime, Quark and PyTorch write them: DequantizeLinear, Conv, QuantizeLinear.

A layer between DequantizeLinear and QuantizeLinear is one node of the graph. onnxruntime multiplies by a float32 and
rounds halves to even; the graph multiplies by the fixed-point number nearest to input scale * weight scale / output
scale and rounds halves away from zero. They differ where a value is a half or next to one: `executors` runs the file,
so that an import can count how often. Where no value can be a half, as in our own files, the graph has the floor that
equals the rounding for every input. Functions of one tensor (sigmoid, another scale) are tables of 256 values.

int8 tensors with zero point -128 and uint8 ones with 0 are 0..255 in the graph; all others are int8.
"""

from __future__ import annotations

from collections.abc import Mapping

from edgekws.emit import onnx_qdq as emitter
from edgekws.graph.ir import Graph
from edgekws.importers import DEFAULTS, Options
from edgekws.importers._onnx import file, importing, runtime
from edgekws.importers._onnx.runtime import Runtime

SUFFIXES = file.SUFFIXES
_QUANTIZING = {"QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "QGemm"}


def recognizes(content: bytes) -> bool:
    """Whether it has operations that quantize."""
    return file.is_onnx(content) and bool(file.operations(content) & _QUANTIZING)


def read(files: Mapping[str, bytes], options: Options = DEFAULTS) -> Graph:
    """The graph of the one .onnx file of `files`; weights may lie in a file beside it.

    Raises ArtifactError for a damaged file and TargetError, with the operation and its name, for what has no integer
    form: float layers between quantized ones, activations of other widths, weights with wide zero points.
    """
    return _imported(files, options).graph


def executors(files: Mapping[str, bytes]) -> dict[str, Runtime]:
    """onnxruntime on the file itself, with and without optimizations: int8 features -> int8 scores, as graph.run."""
    return runtime.of(files, _imported(files, DEFAULTS))


def _imported(files: Mapping[str, bytes], options: Options) -> importing.Imported:
    source = file.read(files)
    own = importing.about(source, emitter.KIND, lambda: emitter.about({emitter.FILE: files[source.name]}))
    request = importing.Request(files, options.labels, options.features, options.name, "onnx-qdq", in_integers=False)
    return importing.imported(source, request, own)
