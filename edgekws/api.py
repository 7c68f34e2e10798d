"""The library in five calls: prepare, (train it,) lower, run, export.

    net = edgekws.prepare(model, bits=4, calibration=x)      # a torch.nn.Module: train it as any other
    graph = edgekws.lower(net, labels)                       # integers; graph.run(features) gives the scores,
                                                             # graph.compile() a faster run
    files = edgekws.export(graph, "onnx-tinpu")              # {file name: bytes}

`import edgekws` imports none of this; the first use of a name does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekws import plugins
from edgekws.errors import ConfigError
from edgekws.features.spec import FeatureSpec
from edgekws.graph import io
from edgekws.graph.ir import Graph

if TYPE_CHECKING:
    import numpy as np
    import torch

    from edgekws.quant.frontends.prepared import Prepared
    from edgekws.quant.network import QuantNet
    from edgekws.recipe import QuantSection

__all__ = ["FeatureSpec", "Graph", "QuantNet", "export", "load", "lower", "prepare"]

OPTIONS = (
    "method",
    "calibration_method",
    "headroom_bits",
    "equalize",
    "correct_bias",
    "reconstruct",
    "freeze_at",
)
"""Fields of edgekws.recipe.QuantSection; calibration_method is its `calibration`."""


def prepare(
    model: torch.nn.Module | str | Path,
    target: str = "tinpu",
    bits: int = 8,
    calibration: torch.Tensor | np.ndarray | None = None,
    layers: Mapping[str, int] | None = None,
    *,
    features: FeatureSpec | None = None,
    input_scale: float | None = None,
    **options: Any,  # noqa: ANN401
) -> Prepared:
    """A float network -> its quantized form, calibrated, to be trained further or lowered as it is.

    model        torch.nn.Module, or path of a float ONNX file; float32 [n, 1, frames, coefficients]. Not changed
    target       "tinpu" (TI's NPU) or "int8" (TFLite, CMSIS-NN): a file of edgekws/targets
    bits         of the weights: 8, 4 or 2. Activations have 8
    calibration  some hundred training clips: float, as the network takes them, or int8 [n, frames, coefficients]
    layers       other widths by layer (conv1, dw1, pw1, fc, ... in their order) or pattern: {"dw*": 8}
    features     how a device computes the input; by default a front end of the calibration's shape
    input_scale  what one int8 step of the input is worth to the network; by default 1/32 (+-4: standardized)
    options      method="ptq" (to lower at once; "qat" starts from the float weights), calibration_method ("mse",
                 "minmax", "percentile", "entropy"), headroom_bits, equalize, correct_bias, reconstruct,
                 freeze_at: see edgekws.recipe.QuantSection

    The result is a torch.nn.Module whose forward pass, to logits [n, labels], is the integers of the target,
    rounding and clipping included; gradients pass them. It comes in eval mode. After net.train() layers of 4 and 2
    bits normalize by the batch, as batch normalization does; net.eval() makes them integers again. Train it with an
    ordinary loop, which should call net.before_step(share of the training behind, 0..1) before each step, so that
    these normalizations freeze and the end of the training sees the integers, and net.after_step() after it, which
    brings back weights that left their range.

    Raises ConfigError for arguments, DataError for calibration, ArtifactError for a damaged file, and TargetError
    with the layer's name for a layer that the integers cannot express.
    """
    from edgekws.quant.frontends import prepared

    plan = _plan(target, bits, dict(layers or {}), options)
    return prepared.prepare(model, calibration, plan, features, input_scale)


def _plan(target: str, bits: int, layers: dict[str, int], options: dict[str, Any]) -> QuantSection:
    from edgekws.recipe import Recipe, changed

    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        raise ConfigError(f"options of prepare are {', '.join(OPTIONS)}", got=", ".join(unknown))
    fields = {"calibration" if key == "calibration_method" else key: value for key, value in options.items()}
    section = {"target": target, "weight_bits": bits, "layers": layers, **fields}
    return changed(Recipe(), quant=section).quant


def lower(
    model: QuantNet,
    labels: Sequence[str] | None = None,
    features: FeatureSpec | None = None,
    name: str = "model",
    *,
    strict: bool = True,
) -> Graph:
    """What `prepare` gave, trained or not -> the integer graph, whose integers are those of the forward pass.

    labels: names of the classes; class0, class1, ... by default. features: how a device computes the input, if not
    as `prepare` was told. strict: refuse layers that the NPU would leave to the CPU.

    graph.run(features) takes int8 [n, frames, coefficients] and gives int8 scores [n, labels]; input steps are
    graph.input_scale, score steps graph.score_scale. Raises TargetError with the layer's name and the rule it breaks.
    """
    from dataclasses import replace

    from edgekws.quant import lower as lowering
    from edgekws.quant.frontends.prepared import Prepared
    from edgekws.quant.network import QuantNet

    if not isinstance(model, QuantNet):
        hint = "net = edgekws.prepare(model, calibration=...), then edgekws.lower(net)"
        raise ConfigError("lower takes what prepare gives", got=type(model).__name__, hint=hint)
    own = model.features if isinstance(model, Prepared) else FeatureSpec()
    spec = own if features is None else features
    if isinstance(model, Prepared) and spec.shape != own.shape:
        raise ConfigError(f"features should have the shape of the calibration, {own.shape}", got=str(spec.shape))
    network = _on_cpu(model)
    graph = lowering.lower(network, spec, _labels(network, spec, labels), name, strict=strict)
    return replace(graph, input_scale=model.input_scale) if isinstance(model, Prepared) else graph


def _on_cpu(model: QuantNet) -> QuantNet:
    import copy

    at_home = all(value.device.type == "cpu" for value in model.state_dict().values())
    return model if at_home else copy.deepcopy(model).cpu()


def _labels(model: QuantNet, features: FeatureSpec, labels: Sequence[str] | None) -> tuple[str, ...]:
    count = model.score_count(features.shape)
    if labels is None:
        return tuple(f"class{number}" for number in range(count))
    if isinstance(labels, str) or len(labels) != count:
        raise ConfigError(f"labels should be {count} names, one for each score", got=repr(labels))
    return tuple(labels)


def export(graph: Graph, kind: str) -> dict[str, bytes]:
    """The files of one kind of artifact, "onnx-tinpu", "onnx-qdq", "tflite" or "c": {file name: bytes}.

    Raises ConfigError that lists the kinds, and TargetError for a graph that this kind cannot express exactly.
    """
    emitted: dict[str, bytes] = plugins.load("emitters", kind).emit(graph)
    return emitted


def load(path: str | Path) -> Graph:
    """A graph that `edgekws.graph.io.save` or `edgekws quantize` wrote. Raises ArtifactError for any other file."""
    return io.load(Path(path))


def __getattr__(name: str) -> object:
    """QuantNet, what `prepare` gives, needs torch; graphs and files do without."""
    if name == "QuantNet":
        from edgekws.quant.network import QuantNet

        return QuantNet
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
