"""The library in a few calls: prepare, (train it,) lower, run, export; and predict, with any model.

    net = edgekws.prepare(model, bits=4, calibration=x)      # a torch.nn.Module: train it like any other
    graph = edgekws.lower(net, labels)                       # integers; graph.run(features) gives the scores,
                                                             # graph.compile() a faster run
    files = edgekws.export(graph, "onnx-tinpu")              # {file name: bytes}
    answer = edgekws.predict(graph, "yes.wav")                # label, probability, word, windows

`import edgekws` imports none of this until a name is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekws import importers, models, plugins
from edgekws.errors import ConfigError, unknown
from edgekws.features.spec import FeatureSpec, UnknownFeatures
from edgekws.graph import io
from edgekws.graph.ir import Graph

if TYPE_CHECKING:
    import numpy as np
    import torch

    from edgekws.inference.predict import Prediction
    from edgekws.quant.frontends.prepared import Prepared
    from edgekws.quant.network import QuantNet
    from edgekws.recipe import QuantSection

__all__ = ["FeatureSpec", "Graph", "QuantNet", "export", "load", "lower", "predict", "prepare"]

OPTIONS = (
    "method",
    "calibration_method",
    "headroom_bits",
    "equalize",
    "correct_bias",
    "reconstruct",
    "freeze_at",
)
"""Options of prepare: fields of edgekws.recipe.QuantSection; calibration_method is its `calibration`."""


def prepare(
    model: torch.nn.Module | str | Path,
    target: str = "tinpu",
    bits: int = 8,
    calibration: torch.Tensor | np.ndarray | None = None,
    layers: Mapping[str, int] | None = None,
    *,
    features: FeatureSpec | None = None,
    input_scale: float | None = None,
    strict: bool = True,
    **options: Any,  # noqa: ANN401
) -> Prepared:
    """Quantize a float network with calibration data; train the result further or lower it at once.

    model        torch.nn.Module, or path of a float ONNX or Keras file; reads float32 [n, 1, frames, coefficients]. Not
                 changed
    target       "tinpu" (TI's NPU) or "int8" (TFLite, CMSIS-NN): a file of edgekws/targets
    bits         of the weights: 8, 4 or 2. Activations have 8 bits
    calibration  a few hundred training clips: float, in the network's input format, or int8 [n, frames, coefficients]
    layers       widths of single layers, by name (conv1, dw1, pw1, fc, ..., numbered in order) or pattern: {"dw*": 8}
    features     the front end that computes the input on a device. Without it, the model's front end is unknown: it
                 takes int8 inputs, and no recordings
    input_scale  real value of one int8 step of the input; by default that of `features` when its coefficients have one
                 scale and zero point, else 1/32 (a range of +-4, for standardized features)
    strict       refuse layers that the NPU would leave to the CPU; False keeps them
    options      method ("ptq" to lower at once; "qat", to train, starts from the float weights), calibration_method
                 ("mse", "minmax", "percentile", "entropy"), headroom_bits, equalize, correct_bias, reconstruct,
                 freeze_at: see edgekws.recipe.QuantSection

    The result is a torch.nn.Module in eval mode. Its forward pass, to logits [n, labels], computes the integers of the
    target, including rounding and clipping, with straight-through gradients. After net.train(), layers of 4 and 2 bits
    normalize by the batch, as batch normalization does; net.eval() makes them compute integers again. Train it with an
    ordinary loop. Before each step, call net.before_step(fraction of the training done, 0..1): it freezes these
    normalizations, so that the end of the training sees the integers. After each step, call net.after_step(): it
    moves weights that left their range back into it.

    Raises ConfigError for wrong arguments, DataError for unusable calibration data, ArtifactError for a damaged file,
    and TargetError, with the layer's name, for a layer that the integer graph cannot express or the target cannot run.
    """
    from edgekws.quant.frontends import prepared

    plan = _plan(target, bits, dict(layers or {}), options)
    return prepared.prepare(model, calibration, plan, features, input_scale, strict)


def _plan(target: str, bits: int, layers: dict[str, int], options: dict[str, Any]) -> QuantSection:
    from edgekws.recipe import Recipe, changed

    for option in options:
        if option not in OPTIONS:
            raise ConfigError(unknown("the option of prepare", option, OPTIONS))
    fields = {"calibration" if key == "calibration_method" else key: value for key, value in options.items()}
    section = {"target": target, "weight_bits": bits, "layers": layers, **fields}
    names = {f"quant.{field}": field for field in fields} | {"quant.weight_bits": "bits", "quant.layers": "layers"}
    return changed(Recipe(), names, quant=section).quant


def lower(
    model: QuantNet,
    labels: Sequence[str] | None = None,
    features: FeatureSpec | None = None,
    name: str = "model",
    *,
    strict: bool | None = None,
) -> Graph:
    """Convert the result of `prepare`, trained or not, to the integer graph that its forward pass computes.

    labels: names of the classes; class0, class1, ... by default. features: the front end that computes the input on a
    device; by default the one given to `prepare`, else unknown. strict: refuse layers that the NPU would leave to the
    CPU; by default as `prepare` was told.

    graph.run(features) takes int8 [n, frames, coefficients] and returns int8 scores [n, labels]. graph.input_scale and
    graph.score_scale are the real values of their steps. Raises TargetError, with the layer's name and the rule that it
    breaks.
    """
    from edgekws.quant import lower as lowering
    from edgekws.quant.frontends.prepared import TOLERATED, Prepared
    from edgekws.quant.network import QuantNet

    if not isinstance(model, QuantNet):
        hint = "net = edgekws.prepare(model, calibration=...), then edgekws.lower(net)"
        raise ConfigError("lower takes the result of prepare", got=type(model).__name__, hint=hint)
    own = model.features if isinstance(model, Prepared) else UnknownFeatures(FeatureSpec().shape)
    spec = own if features is None else features
    if isinstance(model, Prepared) and spec.shape != own.shape:
        raise ConfigError(f"features should have the shape of the calibration, {own.shape}", got=str(spec.shape))
    if features is not None and features.network_zero != model.input_zero:
        raise ConfigError(
            f"features should have the zero point that the network was prepared for, {model.input_zero}",
            got=str(features.network_zero),
            hint="give features= to prepare, whose network then gets their coefficients",
        )
    network = _on_cpu(model)
    tolerated = () if strict else TOLERATED
    if strict is None:
        strict = not isinstance(model, Prepared) or model.strict
    return lowering.lower(network, spec, _labels(network, spec, labels), name, strict=strict, tolerated=tolerated)


def _on_cpu(model: QuantNet) -> QuantNet:
    import copy

    on_cpu = all(value.device.type == "cpu" for value in model.state_dict().values())
    return model if on_cpu else copy.deepcopy(model).cpu()


def _labels(model: QuantNet, features: FeatureSpec | UnknownFeatures, labels: Sequence[str] | None) -> tuple[str, ...]:
    count = model.score_count(features.shape)
    if labels is None:
        return tuple(f"class{number}" for number in range(count))
    if isinstance(labels, str) or len(labels) != count:
        raise ConfigError(f"labels should be {count} names, one for each score", got=repr(labels))
    if not all(isinstance(label, str) for label in labels):
        raise ConfigError("labels should be texts", got=repr(list(labels)), hint="give a name for each class")
    if len(set(labels)) < count:
        twice = next(label for number, label in enumerate(labels) if label in labels[:number])
        raise ConfigError("each label should be there once", got=f"{twice} twice", hint="give each class its own name")
    return tuple(labels)


def export(graph: Graph, kind: str) -> dict[str, bytes]:
    """The files of an artifact of one kind: {file name: bytes}.

    kind: "c", "onnx-integer", "onnx-qdq", "onnx-tinpu" or "tflite".
    Raises ConfigError for an unknown kind, and TargetError for a graph that this kind cannot express exactly.
    """
    emitted: dict[str, bytes] = plugins.load("emitters", kind).emit(graph)
    return emitted


def load(path: str | Path) -> Graph:
    """Read a graph: its file, a model folder, a released model by its name ("dscnn"), or another tool's int8 model.

    Of another tool's model (.tflite, .onnx) the labels are class0, class1, ... and the front end is unknown; `edgekws
    import` states them. Raises ArtifactError for other files, and TargetError for a model that no graph can express
    exactly. A float Keras model is refused: its int8 scales need calibration clips.
    """
    found = models.find(Path(path))
    if found.suffix.lower() in importers.suffixes():
        return importers.load(found)
    return io.load(found / models.GRAPH if found.is_dir() else found)


def predict(
    model: Graph | str | Path,
    recording: str | Path | np.ndarray,
    rate_hz: int | None = None,
    *,
    on: str = "",
    hop_ms: float = 500.0,
    threshold: float | None = None,
) -> Prediction:
    """The words in a recording.

    model        a graph, or the path of a graph, an exported file, a checkpoint or a model folder, or a released model
    recording    a file of any format, or samples [n], int16 or float in +-1
    rate_hz      of samples; those of a file are known
    on           "interp", "c", "onnx", "onnx-tinpu" or "tflite"; all give the same integers. By default the fastest
    hop_ms       of a recording longer than a clip: from one window to the next
    threshold    a word of a lower probability is not accepted; 0, or 0.5 where a recording has several windows

    The result has word (None for none of the model's words), label, probability, probabilities and windows. Raises
    DataError for what is no recording, ConfigError for wrong arguments, ArtifactError for a damaged model.
    """
    from edgekws.inference import classifier, predict, recordings
    from edgekws.inference import model as reading

    subject = reading.of_graph(model) if isinstance(model, Graph) else reading.read(Path(model))
    wanted_hz, name = subject.features.rate_hz, ""
    if isinstance(recording, str | Path):
        samples, name = recordings.read(Path(recording), wanted_hz), str(recording)
    elif rate_hz is None:
        raise ConfigError("rate_hz should be given with samples", got="none", hint="rate_hz=16_000, for example")
    else:
        samples = recordings.from_samples(recording, rate_hz, wanted_hz)
    return predict.predict(classifier.classifier(subject, on), samples, name, hop_ms, threshold)


def __getattr__(name: str) -> object:
    """QuantNet, the type of what `prepare` returns, is imported on first use: it needs torch, graphs do not."""
    if name == "QuantNet":
        from edgekws.quant.network import QuantNet

        return QuantNet
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
