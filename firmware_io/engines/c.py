"""The engine `c`: the C of the boards, compiled for this computer and cached in the user's cache folder."""

from __future__ import annotations

from edgekws.emit import c
from edgekws.files import cache_folder
from edgekws.graph.executor import Executor
from edgekws.graph.ir import Graph
from firmware_io.build import host_library


def compile(graph: Graph) -> Executor:
    """The graph as a function int8 [n, frames, coefficients] -> int8 [n, labels].

    Raises BoardError without a compiler, or when the C does not compile.
    """
    caches = cache_folder()
    return host_library.compile_model(c.emit(graph), caches and caches / "host")
