"""The interpreter as an engine."""

from __future__ import annotations

import numpy as np

from edgekws.graph import interp
from edgekws.graph.executor import Executor
from edgekws.graph.ir import Graph
from edgekws.graph.stream.incremental import Stream


def compile(graph: Graph) -> Executor:
    def run(features: np.ndarray) -> np.ndarray:
        return interp.run(graph, features)

    return run


def stream(graph: Graph) -> Stream:
    return Stream(graph)
