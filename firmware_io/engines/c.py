"""The C of the boards, compiled for this computer and kept in the user's cache."""

from __future__ import annotations

from edgekws.emit import c
from edgekws.files import cache_folder
from edgekws.graph.executor import Executor
from edgekws.graph.ir import Graph
from firmware_io.build import host_library


def compile(graph: Graph) -> Executor:
    """Raises BoardError without a compiler, or where the C does not compile."""
    caches = cache_folder()
    return host_library.compile_model(c.emit(graph), caches and caches / "host")
