"""The model that listens, and its detector: what every command about streams begins with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekws.cli import console
from edgekws.errors import ConfigError

if TYPE_CHECKING:
    from edgekws.detect.settings import Settings
    from edgekws.graph.ir import Graph
    from edgekws.inference.model import Model

ModelArgument = Annotated[
    Path,
    typer.Argument(help="A model folder, its graph.npz, or a model of `edgekws models`; it must run over streams."),
]
EngineOption = Annotated[
    str, typer.Option("--on", help="What runs the network: c or interp; the events are the same.", metavar="ENGINE")
]
ThresholdOption = Annotated[
    float | None,
    typer.Option(
        help="Of every word, instead of those of detector.json.", min=0.001, max=1, show_default="detector.json"
    ),
]
DetectorOption = Annotated[
    Path | None, typer.Option(help="A detector.json of this model.", show_default="the one beside the graph")
]


def graph_of(path: Path) -> tuple[Model, Graph]:
    """The model that `path` names, and its graph. Raises ConfigError for a model that is no graph."""
    from edgekws.inference import model as models

    subject = models.read(path)
    if subject.graph is None:
        raise ConfigError(
            "only the integer graph runs over a stream",
            got=str(subject.path),
            hint="give the model folder or its graph.npz",
        )
    return subject, subject.graph


def step_ms(graph: Graph) -> float:
    """From one score to the next. Raises TargetError where the graph cannot run over a stream."""
    from edgekws.detect import listener

    return listener.clock(graph).step_ms


def settings_of(model: Model, graph: Graph, threshold: float | None = None, detector: Path | None = None) -> Settings:
    """The detector beside the model; without one the default, which is said.

    threshold: of all words, 0..1. detector: another file. Raises ArtifactError for a detector of another graph, and
    TargetError where the graph cannot run over a stream.
    """
    from edgekws.detect import settings

    every_ms = step_ms(graph)
    path = detector or model.folder / settings.FILE
    if detector is not None or path.exists():
        chosen = settings.load(path, model.sha256)
    else:
        chosen = settings.default(graph.labels, every_ms)
        if threshold is None:
            percent = chosen.thresholds_permille[0] / settings.ONE
            console.warn(
                f"there is no {settings.FILE} beside {model.name}: every word has the threshold {percent:g}, which "
                "nobody has chosen; edgekws detect-eval chooses thresholds for a budget of false accepts"
            )
    if threshold is None:
        return chosen
    every = max(round(threshold * settings.ONE), 1)
    kept = {key: chosen.how[key] for key in ("histogram",) if key in chosen.how}  # of posteriors: no threshold is in it
    how = {"by": "--threshold", **kept}
    return replace(chosen, thresholds_permille=(every,) * len(chosen.keywords), how=how)
