"""What the emitter graph_file wrote."""

from __future__ import annotations

from collections.abc import Mapping

from edgekws.errors import ArtifactError
from edgekws.graph import io
from edgekws.graph.ir import Graph
from edgekws.importers import Options

SUFFIXES = (".npz",)


def recognizes(content: bytes) -> bool:
    """Whether it is a zip archive with a header of ours."""
    return content.startswith(b"PK") and b"header.npy" in content[:200]


def read(files: Mapping[str, bytes], options: Options = Options()) -> Graph:  # noqa: B008 (frozen)
    """Raises ArtifactError for other files and damaged ones."""
    del options  # the file says everything
    if len(files) != 1:
        raise ArtifactError("a graph is one file", got=f"{len(files)} files")
    return io.from_bytes(next(iter(files.values())))
