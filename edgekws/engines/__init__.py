"""Engines run a graph on this computer with the same integers. One file each: `compile(graph) -> Executor`.

interp     the interpreter: the definition of a graph, and the fallback
c          the C that boards run, compiled for this computer (firmware_io/engines/c.py)
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from edgekws import plugins
from edgekws.errors import BoardError
from edgekws.graph.executor import Executor

if TYPE_CHECKING:
    from edgekws.graph.ir import Graph

DEFAULT, FALLBACK = "c", "interp"


@dataclass(frozen=True)
class Compiled:
    """A graph ready to run, as a function. engine: what runs it."""

    engine: str
    run: Executor

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """features int8 [n, frames, coefficients] -> scores int8 [n, labels]. ArtifactError for others."""
        return self.run(features)


def compile(graph: Graph, engine: str | None = None) -> Compiled:
    """See Graph.compile. Raises ConfigError that lists the engines, and what a named engine raises."""
    if engine is not None:
        return Compiled(engine, _executor(graph, engine))
    try:
        return Compiled(DEFAULT, _executor(graph, DEFAULT))
    except BoardError as error:
        _warn(str(error))
    return Compiled(FALLBACK, _executor(graph, FALLBACK))


def _executor(graph: Graph, engine: str) -> Executor:
    executor: Executor = plugins.load("engines", engine).compile(graph)
    return executor


@cache
def _warn(reason: str) -> None:
    """At most once per process."""
    warnings.warn(f"graphs run in the interpreter, which is slow: {reason}", RuntimeWarning, stacklevel=4)
