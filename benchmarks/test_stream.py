"""Speed of a stream on this machine: the released DS-CNN without padding in time, on random rows.

Compare within one run only: shared machines are noisy. Instructions on boards: benchmarks/_stream_board.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekws.graph import io
from edgekws.graph.stream.convert import streamable

GRAPH = Path(__file__).resolve().parents[1] / "models" / "dscnn" / "graph.npz"
ROWS = {"a step": 2, "a second": 50, "a minute": 3000}


@pytest.fixture(scope="module")
def graph():
    return streamable(io.load(GRAPH))


@pytest.mark.parametrize("engine", ["interp", "c"])
@pytest.mark.parametrize("length", ROWS)
def test_rows_pushed_at_once(benchmark, graph, engine, length):
    rows = np.random.default_rng(0).integers(-128, 128, (ROWS[length], 10)).astype(np.int8)
    stream = graph.stream(engine)
    stream.push(rows[:2])
    benchmark.extra_info["steps"] = ROWS[length] // stream.step_rows
    benchmark(stream.push, rows)


def test_one_clip_that_is_not_streamed(benchmark, graph):
    """What each step would cost without a stream."""
    clip = np.random.default_rng(0).integers(-128, 128, (1, *graph.clip_shape)).astype(np.int8)
    benchmark(graph.compile("c"), clip)
