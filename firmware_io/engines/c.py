"""The engine `c`: the C of the boards, compiled for this computer and cached in the user's cache folder."""

from __future__ import annotations

from edgekws.emit import c
from edgekws.emit.c import stream as c_stream
from edgekws.files import cache_folder
from edgekws.graph.executor import Executor, Stream
from edgekws.graph.ir import Graph
from firmware_io.build import host_library
from firmware_io.build.host_stream import HostStream


def compile(graph: Graph) -> Executor:
    """The graph as a function int8 [n, frames, coefficients] -> int8 [n, labels].

    Raises BoardError without a compiler, or when the C does not compile.
    """
    caches = cache_folder()
    return host_library.compile_model(c.emit(graph), caches and caches / "host")


def stream(graph: Graph) -> Stream:
    """The graph over a stream of rows.

    Raises BoardError without a compiler or when the C does not compile, and TargetError with the layer that forbids a
    stream.
    """
    caches = cache_folder()
    return HostStream({**c.emit(graph), **c_stream.emit(graph)}, caches and caches / "host")
