"""Counts where the runtimes of an artifact differ from the interpreter."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgekws import plugs
from edgekws.errors import ParityError
from edgekws.graph import interp
from edgekws.graph.ir import Graph


def differences(emitter: str, graph: Graph, files: Mapping[str, bytes], features: np.ndarray) -> dict[str, int]:
    """Runtime -> how many of the n * labels scores differ from the interpreter.

    features: int8 [n, frames, coefficients]. Raises ParityError when a runtime differs that the emitter
    does not list in its MAY_DIFFER (runtime -> reason).
    """
    plug = plugs.load("emit", emitter)
    expected = interp.run(graph, features)
    counts = {name: int((run(features) != expected).sum()) for name, run in plug.executors(files).items()}
    wrong = {name: count for name, count in counts.items() if count and name not in getattr(plug, "MAY_DIFFER", {})}
    if wrong:
        raise ParityError(
            f"{emitter}: every score should equal the interpreter's",
            got=", ".join(f"{count} of {expected.size} differ in {name}" for name, count in wrong.items()),
            hint="report this graph: its export was proved exact",
        )
    return counts
