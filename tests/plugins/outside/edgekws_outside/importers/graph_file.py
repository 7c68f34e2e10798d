"""What the emitter graph_file wrote."""

from __future__ import annotations

from collections.abc import Mapping

from edgekws.errors import ArtifactError
from edgekws.graph import io
from edgekws.graph.ir import Graph


def read(files: Mapping[str, bytes]) -> Graph:
    """Raises ArtifactError for other files and damaged ones."""
    if len(files) != 1:
        raise ArtifactError("a graph is one file", got=f"{len(files)} files")
    return io.from_bytes(next(iter(files.values())))
