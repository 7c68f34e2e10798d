"""The released DS-CNN on emulated boards: instructions of an inference, emulated, not a time.

What pytest-benchmark times here is the emulator on this computer; the figure is extra_info's
`instructions_per_inference`, which one compiler gives again to an instruction or two (the clock counts microseconds).
"""

from __future__ import annotations

import pytest
from instructions import GOLDEN, GRAPHS, MODEL, counted, running, runs_here

from edgekws.graph import golden, interp, io
from firmware_io import board as boards

BOARDS = ("qemu-an385-v6m", "qemu-an385", "qemu-an386", "qemu-an547", "qemu-riscv32")
ITERATIONS, ROUNDS = 16, 3


@pytest.mark.parametrize("name", BOARDS)
def test_inference(benchmark, name):
    board = boards.load(name)
    if not runs_here(board):
        pytest.skip(f"{board.compiler} is not installed")
    graph = io.load(MODEL / GRAPHS["w8"])
    clip = golden.read(GOLDEN)["features"][:1]
    with running(board, graph, min_ram=False) as (session, firmware):
        assert session.classify(clip[0]).scores == tuple(interp.run(graph, clip)[0].tolist())
        window = benchmark.pedantic(session.infer, (ITERATIONS, 1), rounds=ROUNDS, warmup_rounds=1)
    benchmark.extra_info |= {
        "how": board.how,
        "instructions_per_inference": round(counted(board, window.device_us / ITERATIONS)),
        "flash_bytes": firmware.flash_bytes,
        "ram_bytes": firmware.ram_bytes,
    }
