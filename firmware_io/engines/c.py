"""The engine `c`: the C of the boards, compiled for this computer and cached in the user's cache folder."""

from __future__ import annotations

from pathlib import Path

from edgekws.emit import c
from edgekws.emit.c import stream as c_stream
from edgekws.features.fixed import Sums
from edgekws.features.spec import FeatureSpec
from edgekws.files import cache_folder
from edgekws.graph.executor import Executor, Stream
from edgekws.graph.ir import Graph
from firmware_io.build import host_front_end, host_library
from firmware_io.build.host_stream import HostStream


def compile(graph: Graph) -> Executor:
    """The graph as a function int8 [n, frames, coefficients] -> int8 [n, labels].

    Raises BoardError without a compiler, or when the C does not compile.
    """
    return host_library.compile_model(c.emit(graph), _libraries())


def front_end(spec: FeatureSpec) -> Sums:
    """`fixed.sums` of a front end. Raises BoardError as `compile`, and ConfigError as fixed.check."""
    return host_front_end.compile_sums(spec, _libraries())


def _libraries() -> Path | None:
    caches = cache_folder()
    return caches and caches / "host"


def stream(graph: Graph) -> Stream:
    """The graph over a stream of rows.

    Raises BoardError without a compiler or when the C does not compile, and TargetError with the layer that forbids a
    stream.
    """
    caches = cache_folder()
    return HostStream({**c.emit(graph), **c_stream.emit(graph)}, caches and caches / "host")
