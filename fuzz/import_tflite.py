"""Fuzzes the reader of foreign TFLite files: a graph that it gives passes check(), can be saved again and runs."""

from __future__ import annotations

import math
import random
import struct
from functools import cache

import numpy as np

from edgekws.graph import io
from edgekws.graph.ir import Graph
from edgekws.importers import tflite
from tests.importers.tflite_models import random_model

_SEEDS, _MAX_WORK, _RUN_RATE = 60, 200_000, 0.05
_WORDS = (0, 1, 2, 3, 4, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE)
_FLOATS = (0.0, -1.0, float("inf"), float("nan"), 1e-45, 1e38, 1e-20)


def attempt(rng: random.Random) -> str:
    content = bytearray(rng.choice(_files()))
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        rng.choice((_byte, _word, _word, _float, _copied, _nearby, _cut))(rng, content)
    return _checked(rng, tflite.read({"model.tflite": bytes(content)}))


def _checked(rng: random.Random, graph: Graph) -> str:
    graph.check()
    if rng.random() < _RUN_RATE:
        assert io.digest(io.from_bytes(io.to_bytes(graph))) == io.digest(graph)
        work = graph.macs + sum(math.prod(node.out_shape) + math.prod(node.in_shape) for node in graph.nodes)
        if work < _MAX_WORK:
            height, width, channels = graph.in_shape
            assert graph.run(np.zeros((1, height, width * channels), np.int8)).shape == (1, len(graph.labels))
    return "imported"


def _place(rng: random.Random, content: bytearray, size: int = 4) -> int:
    """Where a number may stand: mostly aligned."""
    at = rng.randrange(max(len(content) - size, 1))
    return at - at % size if rng.random() < 0.9 else at


def _byte(rng: random.Random, content: bytearray) -> None:
    if content:
        content[rng.randrange(len(content))] = rng.choice((rng.randrange(256), 0, 1, 127, 128, 255))


def _word(rng: random.Random, content: bytearray) -> None:
    value = rng.choice((rng.choice(_WORDS), rng.randrange(64), rng.randrange(len(content) + 1)))
    _put(content, _place(rng, content), struct.pack("<I", value))


def _float(rng: random.Random, content: bytearray) -> None:
    _put(content, _place(rng, content), struct.pack("<f", rng.choice(_FLOATS)))


def _nearby(rng: random.Random, content: bytearray) -> None:
    """A number becomes a little larger or smaller: offsets, indices, sizes."""
    at = _place(rng, content)
    if at + 4 <= len(content):
        (value,) = struct.unpack_from("<I", content, at)
        _put(content, at, struct.pack("<I", (value + rng.randint(-8, 8)) & 0xFFFFFFFF))


def _copied(rng: random.Random, content: bytearray) -> None:
    """A part of the file over another one: tables with the fields of others."""
    size = rng.choice((4, 8, 16, 64))
    source, at = _place(rng, content), _place(rng, content)
    _put(content, at, bytes(content[source : source + size]))


def _cut(rng: random.Random, content: bytearray) -> None:
    if rng.random() < 0.2:
        del content[rng.randrange(len(content) + 1) :]


def _put(content: bytearray, at: int, data: bytes) -> None:
    """Overwrite; the length stays."""
    part = data[: max(len(content) - at, 0)]
    content[at : at + len(part)] = part


@cache
def _files() -> list[bytes]:
    """The smallest of many random models: most of their bytes are tables, and few are weights."""
    return sorted((random_model(seed) for seed in range(4 * _SEEDS)), key=len)[:_SEEDS]
