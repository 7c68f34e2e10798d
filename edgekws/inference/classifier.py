"""A model on one executor: probabilities of clips.

A graph runs on any engine (`interp`, `c`), in the runtime of any artifact that is made of it (`onnx`, `tflite`), and
on a board; all give the same integers. An exported file runs in its own runtime, a float network in torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgekws import plugins
from edgekws.errors import ConfigError, unknown
from edgekws.evaluation.figures import softmax
from edgekws.features import extract
from edgekws.graph.softmax import normalized
from edgekws.inference.model import FLOAT, GRAPH, Model

if TYPE_CHECKING:
    from edgekws.graph.executor import Executor
    from edgekws.graph.ir import Graph

ALIASES = {"onnx": "onnx-qdq"}
"""For a graph that onnx-qdq cannot be shown to express exactly, `onnx` is onnx-integer."""
BOARD = "board:"
"""`board:NAME` is an executor too; the command line starts the board and gives it here."""
CHUNK = 64
Answer = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]]
"""Features of `extract` [n, frames, coefficients] -> (probabilities float64 [n, labels], int8 scores or None for a
float network).
"""


@dataclass(frozen=True)
class Classifier:
    """`model` on the executor `on`. runtime: what exactly runs. note: why it may differ from the graph, or ""."""

    model: Model
    on: str
    runtime: str
    answer: Answer
    note: str = ""

    def clips(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """int16 [n, clip_samples] -> (probabilities float64 [n, labels], int8 scores [n, labels] or None)."""
        features = [
            extract.features(self.model.features, samples[at : at + CHUNK]) for at in range(0, len(samples), CHUNK)
        ]
        return self.answer(np.concatenate(features))


def names() -> list[str]:
    """What a graph can run on, as --on takes it."""
    return [*plugins.names("engines"), *sorted({*ALIASES, *(name for name in _runnable())})]


def classifier(model: Model, on: str = "", executor: Executor | None = None) -> Classifier:
    """`model` on `on`; by default what suits it: the compiled C, the runtime of an exported file, torch.

    executor: of a board, where `on` names one. Raises ConfigError for an executor that does not exist or cannot run
    this model, TargetError for an artifact that cannot express the graph, BoardError without a compiler.
    """
    if model.kind == FLOAT:
        _require_own(model, on, FLOAT)
        return Classifier(model, FLOAT, "torch, float32", _float(model))
    if executor is not None:
        return Classifier(model, on, on, _integer(model, executor))
    if model.kind != GRAPH:
        own = next((short for short, long in ALIASES.items() if long == _dashed(model.kind)), _dashed(model.kind))
        if ALIASES.get(on, on) != _dashed(model.kind):
            _require_own(model, on, own)
        return _in_runtime(model, own, model.kind, model.files)
    return _of_graph(model, on)


def require_graph(model: Model, on: str) -> None:
    """Raises ConfigError unless `model` is a graph, which alone can run on everything."""
    if model.kind != GRAPH:
        raise ConfigError(
            f"--on {on} needs the integer graph", got=f"{model.path}", hint="give the model folder or its graph.npz"
        )


def _of_graph(model: Model, on: str) -> Classifier:
    graph = model.graph
    if graph is None:
        raise ConfigError("a graph should be given", got=model.kind)
    if not on:
        compiled = graph.compile()
        return Classifier(model, compiled.engine, compiled.engine, _integer(model, compiled))
    if on in plugins.names("engines"):
        return Classifier(model, on, on, _integer(model, graph.compile(on)))
    kind = _artifact(on, graph)
    if kind not in _runnable():
        hint = "board:NAME is a board of edgekws boards"
        raise ConfigError(unknown("--on", on, [*names(), f"{BOARD}NAME"]), hint=hint)
    return _in_runtime(model, on, kind, plugins.load("emitters", kind).emit(graph))


def _artifact(on: str, graph: Graph) -> str:
    """`onnx` is the form that is exact for this graph."""
    exact = plugins.load("emitters", "onnx_integer")
    return "onnx-integer" if on == "onnx" and exact.by_default(graph) else ALIASES.get(on, on)


def _in_runtime(model: Model, on: str, kind: str, files: Mapping[str, bytes]) -> Classifier:
    """The first runtime that is shown to be exact, else the first one, with a note."""
    emitter = plugins.load("emitters", kind)
    executors: dict[str, Executor] = emitter.executors(files)
    may_differ: Mapping[str, str] = getattr(emitter, "MAY_DIFFER", {})
    runtime = next((name for name in executors if name not in may_differ), next(iter(executors)))
    reason = may_differ.get(runtime, "")
    note = f"{on} may differ from the graph by one step: {reason}" if reason else ""
    return Classifier(model, on, runtime, _integer(model, executors[runtime]), note)


def _integer(model: Model, executor: Executor) -> Answer:
    def answer(features: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        scores = executor(extract.quantize(model.features, features))
        return normalized(scores) if model.gives_probabilities else softmax(scores, model.score_scale), scores

    return answer


def _float(model: Model) -> Answer:
    from edgekws import pipeline

    def answer(features: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        if model.trained is None:
            raise ConfigError("a float network should be given", got=model.kind)
        return softmax(pipeline.float_logits(model.trained, features), 1.0), None

    return answer


def _require_own(model: Model, on: str, own: str) -> None:
    """Raises ConfigError for an executor that this file cannot run on."""
    if on in ("", own):
        return
    what = "a float network runs in torch" if model.kind == FLOAT else "an exported file runs in its own runtime"
    hint = f"leave out --on, or give the graph.npz of edgekws quantize for --on {on}"
    raise ConfigError(f"{what}: --on {own}", got=f"--on {on}", hint=hint)


def _runnable() -> list[str]:
    """Names, with dashes, of the emitters whose files run here."""
    names = [_dashed(name) for name in plugins.names("emitters")]
    return [name for name in names if hasattr(plugins.load("emitters", name), "executors")]


def _dashed(name: str) -> str:
    return name.replace("_", "-")
