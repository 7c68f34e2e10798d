"""A vendor whose tool takes a zip archive with the graph, and compiles nothing."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekws.graph import io
from edgekws.graph.ir import Graph

NAME, TARGET = "archive", "int8"
HOW_TO_GET = "nothing has to be installed"


@dataclass(frozen=True)
class Compiled:
    """See edgekws.vendor.ti_nnc."""

    library: Path
    on_cpu: tuple[str, ...] = ()


def write(
    folder: Path, graph: Graph, device: str, features: np.ndarray, labels: np.ndarray, ids: Sequence[str]
) -> None:
    """graph.npz and vectors.npz in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "graph.npz").write_bytes(io.to_bytes(graph))
    np.savez(folder / "vectors.npz", features=features, labels=labels, ids=np.array(ids), device=np.array(device))


def command(graph: Graph, device: str) -> str:
    del graph, device
    return "zip model.zip graph.npz"


def installed() -> bool:
    return True


def compile_model(folder: Path) -> Compiled:
    """Pack what `write` wrote."""
    library = folder / "model.zip"
    with zipfile.ZipFile(library, "w") as archive:
        archive.write(folder / "graph.npz", "graph.npz")
    return Compiled(library)
