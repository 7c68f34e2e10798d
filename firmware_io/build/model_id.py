"""What the firmware calls its model in the benchmark's protocol: `kws01` only where the benchmark's inputs are its own.

A host chooses its input files by this name. A runner that does not know the name stops; given `kws01`, it would send
files that a model of other features takes for noise.
"""

from __future__ import annotations

from edgekws.emit import c
from edgekws.features.presets import are_the_benchmarks
from edgekws.graph.ir import Graph

FILE = "model_id.h"
BENCHMARK, OWN_INPUTS, STREAM, SWW01 = "kws01", "kws-own-inputs", "kws-stream", "sww01"


def of(graph: Graph) -> str:
    """The name of the graph's model for the answer to `profile`."""
    return BENCHMARK if are_the_benchmarks(graph.features) else OWN_INPUTS


def header(name: str = BENCHMARK) -> bytes:
    """A header that defines the name; and, for one of other inputs, what `help` says about it."""
    text = f'#define EKW_MODEL_ID "{name}"\n'
    if name == OWN_INPUTS:
        text += '#define EKW_MODEL_NOTE "inputs are NOT those of kws01: other features; its files give wrong scores"\n'
    return text.encode()


def model(graph: Graph, min_ram: bool = False) -> dict[str, bytes]:
    """The C of a graph with the name of its model, for `firmware_io.build.build`. Raises what edgekws.emit.c raises."""
    return {**c.emit(graph, min_ram), FILE: header(of(graph))}
