"""Speed of a firmware that listens, over its serial line: a second of sound in frames, on this computer and emulated.

It is the line that takes the time, not the network: each byte is an interrupt. Instructions of the board's own work are
those of `edgekws bench --mode stream`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekws import models
from edgekws.detect import settings
from edgekws.graph import io
from firmware_io import board as boards
from firmware_io.bench.modes import stream
from firmware_io.listening import mirror

MODEL = "dscnn_stream"


@pytest.mark.parametrize("name", ["host", "qemu-an386"])
def test_a_second_of_sound(benchmark, name):
    folder: Path = models.folder(MODEL)
    graph = io.load(folder / "graph.npz")
    chosen = settings.load(folder / settings.FILE, io.digest(graph))
    sound = stream.noise(graph.front_end.rate_hz)[: graph.front_end.rate_hz]
    target = boards.load(name)
    with mirror.connected(target, graph, chosen, target.transport) as listener:
        benchmark.extra_info["samples"] = len(sound)
        benchmark.pedantic(lambda: list(listener.events([sound])), rounds=5, warmup_rounds=1)
        assert listener.heard is not None and listener.heard.samples == len(sound)
