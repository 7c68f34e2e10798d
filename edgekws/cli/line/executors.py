"""The model on what --on names; a board is built, started and closed here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edgekws.cli import console
from edgekws.errors import ConfigError

if TYPE_CHECKING:
    from edgekws.inference.classifier import Classifier
    from edgekws.inference.model import Model


@contextmanager
def opened(model: Model, on: str, port: str = "") -> Iterator[Classifier]:
    """The classifier of `model` on `on`. Raises ConfigError for an executor that does not exist or does not fit."""
    from edgekws.inference import classifier as classifiers

    if on.startswith(classifiers.BOARD):
        with _board(model, on, port) as classifier:
            yield classifier
        return
    if port:
        raise ConfigError("--port belongs to --on board:NAME", got=f"--port {port}", hint="leave it out")
    yield classifiers.classifier(model, on)


@contextmanager
def _board(model: Model, on: str, port: str) -> Iterator[Classifier]:
    from edgekws.cli.boards import locks, measure
    from edgekws.inference import classifier as classifiers
    from firmware_io import board as boards
    from firmware_io.bench import executor
    from firmware_io.build import memory_plan, model_id
    from firmware_io.protocol import probe

    board = boards.load(on.removeprefix(classifiers.BOARD))
    classifiers.require_graph(model, on)
    graph = model.graph
    if graph is None:
        raise ConfigError("a board runs the integer graph", got=model.kind)
    memory_plan.checked(board, graph, False)
    url = probe.resolved(measure.port_of(measure.Options(board=board.name, port=port), board))
    with (
        locks.board(url, board.name),
        console.progress() as report,
        executor.executor(board, graph, model_id.model(graph), url, report) as run,
    ):
        yield classifiers.classifier(model, on, run)
