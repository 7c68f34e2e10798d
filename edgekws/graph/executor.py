"""Executors: functions from features to scores, with one check of the features for all of them.

`compile` makes one with an engine: a module of edgekws.engines, firmware_io.engines or another package.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Protocol

import numpy as np

from edgekws import plugins
from edgekws.errors import ArtifactError, BoardError, SystemFaultError, TargetError
from edgekws.features.spec import INPUT_MAX, INPUT_MIN

if TYPE_CHECKING:
    from edgekws.graph.ir import Graph

Executor = Callable[[np.ndarray], np.ndarray]
"""features int8 [n, frames, coefficients] -> scores int8 [n, labels]"""
DEFAULT, FALLBACK = "c", "interp"
"""Names of engines: the C that boards run, and the interpreter where there is no compiler."""


@dataclass(frozen=True)
class Compiled:
    """A graph ready to run, as a function. engine: what runs it."""

    engine: str
    run: Executor

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """features int8 [n, frames, coefficients] -> scores int8 [n, labels]. ArtifactError for others."""
        return self.run(features)


class Stream(Protocol):
    """A graph that runs over rows as they come; edgekws.graph.stream.definition says what its scores are."""

    @property
    def step_rows(self) -> int:
        """Rows between two scores."""

    @property
    def first_rows(self) -> int:
        """Rows until the first scores: scores j, from 0, are complete after first_rows + j * step_rows rows."""

    def push(self, rows: np.ndarray) -> np.ndarray:
        """rows int8 [k, coefficients], any k -> scores int8 [steps, labels]. ArtifactError for others."""

    def reset(self) -> None:
        """Begin a new stream."""


def checked_features(features: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`features` as int8. Raises ArtifactError unless they are integers within int8 of shape [n, *shape]."""
    expected = f"features should be int8 [n, {', '.join(map(str, shape))}]"
    if features.dtype.kind not in "iu" or features.shape[1:] != shape:
        hint = "edgekws.features.extract.quantized makes them"
        raise ArtifactError(expected, got=f"{features.dtype} {list(features.shape)}", hint=hint)
    if features.size and (features.min() < INPUT_MIN or features.max() > INPUT_MAX):
        raise ArtifactError(expected, got=f"{features.min()}..{features.max()}")
    return features.astype(np.int8, copy=False)


def compile(graph: Graph, engine: str | None = None) -> Compiled:
    """See Graph.compile. Raises ConfigError that lists the engines, and the errors of a named engine."""
    if engine is not None:
        return Compiled(engine, _executor(graph, engine))
    try:
        return Compiled(DEFAULT, _executor(graph, DEFAULT))
    except (BoardError, SystemFaultError) as error:  # no compiler, or no room to build
        _warn(str(error))
    return Compiled(FALLBACK, _executor(graph, FALLBACK))


def stream(graph: Graph, engine: str | None = None) -> Stream:
    """See Graph.stream. Raises ConfigError that lists the engines, TargetError where a layer forbids it, and the errors
    of a named engine.
    """
    if engine is not None:
        return _stream(graph, engine)
    try:
        return _stream(graph, DEFAULT)
    except (BoardError, SystemFaultError) as error:
        _warn(str(error))
    except TargetError:  # of a layer that C cannot stream, or that nothing can
        pass
    return _stream(graph, FALLBACK)


def _stream(graph: Graph, engine: str) -> Stream:
    opened: Stream = plugins.load("engines", engine).stream(graph)
    return opened


def _executor(graph: Graph, engine: str) -> Executor:
    executor: Executor = plugins.load("engines", engine).compile(graph)
    return executor


@cache
def _warn(reason: str) -> None:
    """At most once per process."""
    warnings.warn(f"graphs run in the interpreter, which is slow: {reason}", RuntimeWarning, stacklevel=4)
