"""Fuzzes the firmware that listens, frames and ekw_push alike, with a small network and the whole front end."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgekws.detect.settings import Settings
from edgekws.emit.c import listening
from edgekws.features.spec import FeatureSpec
from edgekws.graph.ir import INPUT, Graph, Node, Requant
from edgekws.graph.ops import OPS
from firmware_io import build as builds
from firmware_io.build import FIRMWARE, streaming
from fuzz import sanitized
from fuzz.protocol import watch

LISTEN = FIRMWARE / "listen"
_HARNESS = ("stream.c", "stream_line.c")
_DEFINITIONS = (
    "-DEKW_TIMER_HZ=25000000u",
    '-DEKW_BOARD_NAME="fuzz"',
    "-DEKW_ENERGY_MODE=0",
    "-DEKW_LAPS",
    "-O1",
)


def small_graph() -> Graph:
    """A convolution over all of ten frames, a sum over twelve rows, three labels."""
    rng, rows = np.random.default_rng(0), 12
    frames = 10 + 2 * (rows - 1)
    spec = replace(FeatureSpec(), clip_samples=480 + (frames - 1) * 320, arithmetic="fixed", level="stream")

    def requant(channels: int, shift: int, hi: int) -> Requant:
        offset = rng.integers(-500, 500, channels).astype(np.int32)
        low = 0 if hi > 127 else -128
        return Requant(offset, np.ones(channels, np.uint8), np.full(channels, shift, np.uint8), low, hi)

    def weight(*shape: int) -> np.ndarray:
        return rng.integers(-127, 128, shape).astype(np.int8)

    shape, conv, words = (*spec.shape, 1), (rows, 1, 4), ("silence", "yes", "no")
    filters = weight(*(OPS["conv2d"].weight_shape(shape, 4, (10, 10)) or ()))
    first = Node("conv", "conv2d", (INPUT,), requant(4, 9, 255), shape, conv, filters, stride=(2, 1))
    pool = Node("pool", "global_sum_pool", ("conv",), requant(4, 3, 255), conv, (1, 1, 4))
    last = Node("fc", "linear", ("pool",), requant(3, 6, 127), (1, 1, 4), (1, 1, 3), weight(3, 4), out_scale=1 / 64)
    return Graph((first, pool, last), words, spec, "tinpu", "small", input_scale=1 / 32)


def build(folder: Path, listen: Path = LISTEN, options: tuple[str, ...] = ()) -> Path:
    """Build the fuzzer in `folder`. listen: the folder of the firmware's own C."""
    graph = small_graph()
    builds.write_model(listening.files(graph, Settings(("yes", "no"), (30, 35), 2, 3)), folder)
    model = sorted(folder.glob("*.c"))
    own = [path for path in sorted(listen.glob("*.c")) if path.name != "main.c"]
    shared = [FIRMWARE / "app" / f"{name}.c" for name in streaming.SHARED]
    none = FIRMWARE / "port" / "capture_none" / "capture.c"
    sources = [
        *own,
        *shared,
        none,
        FIRMWARE / "stream" / "ekw.c",
        *model,
        *(sanitized.HERE / name for name in _HARNESS),
    ]
    return sanitized.compile_c(sources, folder, folder / "fuzz", *_DEFINITIONS, *options)


def run(inputs: int, seed: int, report: Callable[[str], None]) -> bool:
    """Send `inputs` frames and commands to the firmware. Returns True when there was no finding."""
    with tempfile.TemporaryDirectory(prefix="edgekws-fuzz-") as folder:
        return watch(sanitized.start(build(Path(folder)), inputs, seed), report)
