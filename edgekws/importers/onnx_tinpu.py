"""The integer ONNX of TI's NPU tools: Conv, Add, Mul, Mul(2^-n), Floor, Clip on floats that hold integers.

Both forms of TI's exporter are read, the raw one (constants as nodes, Identity, Reshape, Div) and the simplified one
(bias inside Gemm, both factors in one), and the files of our own exporter. The graph has the rule of the NPU, so that
every integer is that of the file.

TI's file begins by quantizing the features. That belongs to feature extraction (the compiler's `skip_normalize`), so
it is no node of the graph: the graph's input is the int8 that it gives, and `provenance` has its formula.
"""

from __future__ import annotations

from collections.abc import Mapping

from edgekws.emit import onnx_tinpu as emitter
from edgekws.graph.ir import Graph
from edgekws.importers import DEFAULTS, Options
from edgekws.importers._onnx import file, importing, runtime
from edgekws.importers._onnx.runtime import Runtime

SUFFIXES = file.SUFFIXES
_QUANTIZING = {"QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "QGemm", "ConvInteger"}


def recognizes(content: bytes) -> bool:
    """Whether floats are rounded down and nothing is quantized."""
    operations = file.operations(content) if file.is_onnx(content) else set()
    return "Floor" in operations and not operations & _QUANTIZING


def read(files: Mapping[str, bytes], options: Options = DEFAULTS) -> Graph:
    """The graph of the one .onnx file of `files`, for the target tinpu.

    Raises ArtifactError for a damaged file; TargetError, with the operation and its name, for what has no exact form.
    """
    return _imported(files, options).graph


def executors(files: Mapping[str, bytes]) -> dict[str, Runtime]:
    """onnxruntime on the file itself, with and without optimizations: int8 features -> int8 scores, as graph.run."""
    return runtime.of(files, _imported(files, DEFAULTS))


def _imported(files: Mapping[str, bytes], options: Options) -> importing.Imported:
    source = file.read(files)
    own = importing.about(source, emitter.KIND, lambda: emitter.about({emitter.FILE: files[source.name]}))
    request = importing.Request(files, options.labels, options.features, options.name, "onnx-tinpu", in_integers=True)
    return importing.imported(source, request, own)
