"""The interpreter, on blocks of 16 clips, which need less memory."""

from __future__ import annotations

import numpy as np

from edgekws.graph import interp
from edgekws.graph.executor import Executor, checked_features
from edgekws.graph.ir import Graph

BLOCK = 16


def compile(graph: Graph) -> Executor:
    def run(features: np.ndarray) -> np.ndarray:
        checked = checked_features(features, graph.features.shape)
        blocks = [checked[start : start + BLOCK] for start in range(0, max(len(checked), 1), BLOCK)]
        return np.concatenate([interp.run(graph, block) for block in blocks])

    return run
