"""Emitters, one file for each kind of artifact. `edgekws.emit(graph, "onnx-tinpu")` calls this package."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgekws.graph.ir import Graph


def files(graph: Graph, kind: str) -> dict[str, bytes]:
    """See edgekws.api.emit."""
    from edgekws import plugins

    emitted: dict[str, bytes] = plugins.load("emit", kind).emit(graph)
    return emitted


class _Callable(ModuleType):
    """A call and a package of one name: importing any emitter would else hide the call `edgekws.emit`."""

    def __call__(self, graph: Graph, kind: str) -> dict[str, bytes]:
        return files(graph, kind)


sys.modules[__name__].__class__ = _Callable
