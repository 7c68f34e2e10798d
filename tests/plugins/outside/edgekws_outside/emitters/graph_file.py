"""The integer graph itself, as one file that the importer graph_file reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from edgekws.errors import ArtifactError
from edgekws.graph import interp, io
from edgekws.graph.executor import checked_features
from edgekws.graph.ir import Graph

FILE = "graph_file.npz"
NOTE = "the integers of the graph, run by the interpreter, which defines how they are rounded"


def emit(graph: Graph) -> dict[str, bytes]:
    """Raises TargetError for a graph whose sums may overflow."""
    graph.check()
    return {FILE: io.to_bytes(graph)}


def executors(files: Mapping[str, bytes]) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """The interpreter on what the file holds. Raises ArtifactError without the file."""
    if FILE not in files:
        raise ArtifactError(f"there should be {FILE}", got=", ".join(sorted(files)))
    graph = io.from_bytes(files[FILE])
    return {"interp": lambda features: interp.run(graph, checked_features(features, graph.features.shape))}
