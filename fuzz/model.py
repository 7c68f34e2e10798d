"""Runs an emitted model as a program under the sanitizers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

from edgekws.emit.c import emit
from edgekws.graph.ir import Graph
from firmware_io.build import write_model
from fuzz import sanitized


def scores(graph: Graph, features: np.ndarray, folder: Path, *options: str) -> np.ndarray:
    """features int8 [n, frames, coefficients] -> scores int8 [n, labels].

    Raises CalledProcessError with the sanitizer's report in its stderr when there is a finding.
    """
    write_model(emit(graph), folder)
    sources = [folder / "model.c", sanitized.HERE / "model_driver.c"]
    program = sanitized.compile_c(sources, folder, folder / "model", *options)
    (folder / "features").write_bytes(np.ascontiguousarray(features, np.int8).tobytes())
    line = [str(program), str(folder / "features"), str(len(features))]
    done = subprocess.run(line, check=True, capture_output=True, env=sanitized.environment())
    return np.frombuffer(done.stdout, np.int8).reshape(len(features), -1)
