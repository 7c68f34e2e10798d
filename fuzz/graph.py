"""Fuzzes the reader of graph files: a graph that it accepts passes check(), can be saved again and gives scores."""

from __future__ import annotations

import json
import math
import random
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from edgekws.emit import c
from edgekws.files import npz_arrays
from edgekws.graph import io
from edgekws.graph.ir import Graph, Node
from fuzz import graph_inputs, npz_inputs
from fuzz.graph_inputs import Arrays, Seed
from fuzz.protocol import tiny_graph
from tests.graphs import random_dag

_RELEASED = Path(__file__).parent.parent / "models" / "dscnn" / "graph.npz"
T = TypeVar("T")
_MAX_WORK = 2_000_000
_EMIT_RATE = 0.1


def attempt(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.2:
        return _checked(rng, io.from_bytes(npz_inputs.damaged(rng, _pick(rng, _files()))))
    if kind < 0.35:
        return _checked(rng, io.from_bytes(_odd_file(rng)))
    if kind < 0.4:
        return _checked(rng, io.from_arrays({"header": _odd_text(rng), **_seed(rng).arrays}))
    return _checked(rng, io.from_arrays(_changed(rng)))


def _checked(rng: random.Random, graph: Graph) -> str:
    """Check a graph that the reader accepted: a fault that it missed would appear only in an executor."""
    graph.check()
    if rng.random() < _EMIT_RATE:
        again = io.from_bytes(io.to_bytes(graph))
        assert io.digest(again) == io.digest(graph)
        c.emit(graph)
        if graph.macs + sum(_values(node) for node in graph.nodes) < _MAX_WORK:
            assert graph.run(np.zeros((1, *graph.features.shape), np.int8)).shape == (1, len(graph.labels))
    return "loaded"


def _values(node: Node) -> int:
    """Number of values that the interpreter holds for `node`, padding included."""
    height, width, channels = node.in_shape
    top, bottom, left, right = node.pad
    return math.prod(node.out_shape) + (height + top + bottom) * (width + left + right) * channels


def _changed(rng: random.Random) -> Arrays:
    """A changed header, changed arrays, or both, with their correct hash."""
    seed = _seed(rng)
    header, arrays = json.loads(seed.header), seed.arrays
    if rng.random() < 0.05:
        graph_inputs.padded(rng, header)
    elif rng.random() < 0.75:
        header = graph_inputs.changed_header(rng, header)
    if rng.random() < 0.35:
        arrays = graph_inputs.changed_arrays(rng, arrays)
    return {"header": _with_hash(header, arrays), **arrays}


def _with_hash(header: Any, arrays: Arrays) -> np.ndarray:
    if isinstance(header, dict):
        body = {key: value for key, value in header.items() if key not in ("kind", "version", "sha256")}
        header = {**header, "sha256": io.digest_of(arrays, body)}
    return _text(json.dumps(header).encode())


def _text(content: bytes) -> np.ndarray:
    return np.frombuffer(content, np.uint8)


def _odd_text(rng: random.Random) -> np.ndarray:
    seed = _seed(rng)
    if rng.random() < 0.3:
        return _text(npz_inputs.damaged(rng, seed.header.encode()))
    return _text(graph_inputs.odd_text(rng, seed.header))


def _odd_file(rng: random.Random) -> bytes:
    arrays = _changed(rng) if rng.random() < 0.3 else _pick(rng, _contents())
    return npz_inputs.odd_zip(rng, npz_inputs.members_of(arrays))


def _seed(rng: random.Random) -> Seed:
    """Mostly the smallest: few faults need a large graph, and an input made from one takes ten times as long."""
    return _pick(rng, _seeds())


def _pick(rng: random.Random, things: list[T]) -> T:
    return things[0] if rng.random() < 0.8 else rng.choice(things)


@cache
def _files() -> list[bytes]:
    graphs = [tiny_graph(), random_dag(3, "tinpu"), random_dag(6, "int8")]
    return [io.to_bytes(graph) for graph in graphs] + [_RELEASED.read_bytes()]


@cache
def _contents() -> list[Arrays]:
    return [npz_arrays(content, "a seed", "") for content in _files()]


@cache
def _seeds() -> list[Seed]:
    seeds = []
    for arrays in _contents():
        header = json.loads(arrays["header"].tobytes())
        del header["sha256"]
        seeds.append(Seed(json.dumps(header), {key: value for key, value in arrays.items() if key != "header"}))
    return seeds
