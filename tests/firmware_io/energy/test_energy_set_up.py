"""MLPerf Tiny's energy set-up as a whole, around an emulated board: the meter sees its edges, the IO manager its line.

session - io: - virtual IO manager, 9600 baud - UART 0 of the board in QEMU
meter   - lpm01a: - virtual LPM01A            - UART 1 of the board: its timestamp pin
"""

from __future__ import annotations

import shutil
import time

import numpy as np
import pytest

from edgekws.emit import c
from edgekws.graph import interp
from firmware_io import board as boards
from firmware_io import build
from firmware_io.flash import qemu
from firmware_io.monitors import lpm01a
from firmware_io.ports.opening import open_serial
from firmware_io.protocol.session import Session
from firmware_io.transport import open_transport
from tests.conftest import random_graph
from tests.firmware_io.devices import virtual_io_manager
from tests.firmware_io.devices.virtual_io_manager import VirtualIoManager
from tests.firmware_io.devices.virtual_lpm01a import VirtualLpm01a, on_pty, watch_events

BOARD, PROGRAMS = "qemu-an386", ("qemu-system-arm", "arm-none-eabi-gcc")
pytestmark = pytest.mark.skipif(not all(map(shutil.which, PROGRAMS)), reason=f"needs {' and '.join(PROGRAMS)}")
IDLE_W, BUSY_W, RATE_HZ = 0.005, 0.030, 1e3


class Load:
    """Watts of a board that draws more from an edge to the next."""

    def __init__(self):
        self.edges_s = []

    def __call__(self, seconds):
        passed = np.searchsorted(self.edges_s, seconds)
        return np.where(passed % 2, BUSY_W, IDLE_W)


class Instrument(VirtualLpm01a):
    """Tells the load of its edges."""

    def edge(self):
        super().edge()
        if self.acquiring:
            self.profile.edges_s.append(time.monotonic() - self.started)


@pytest.fixture(scope="module")
def graph_and_elf(tmp_path_factory):
    graph = random_graph(seed=3)
    elf = tmp_path_factory.mktemp("energy") / "energy.elf"
    build.build(boards.load(BOARD), c.emit(graph), elf, energy=True)
    return graph, elf


@pytest.mark.parametrize("dialect", ["eembc", pytest.param("mlc", marks=pytest.mark.slow)])
def test_microjoules_of_an_emulated_board(graph_and_elf, dialect):
    graph, elf = graph_and_elf
    instrument = Instrument(Load())
    features = np.random.default_rng(1).integers(-128, 128, graph.features.shape, np.int8)
    with (
        qemu.start_with_events(boards.load(BOARD), elf) as lines,
        watch_events(instrument, lines.events),
        open_serial(lines.line, timeout=0) as device,
        virtual_io_manager.on_pty(VirtualIoManager(device, dialect)) as io_path,
        on_pty(instrument) as meter_path,
        lpm01a.connect(meter_path) as meter,
        open_transport(f"io:serial:{io_path}?baud=9600") as line,
    ):
        meter.set_voltage(3.0)
        session = Session(line)
        session.start()
        assert session.mode == "energy"
        meter.start(RATE_HZ)
        session.load(features.tobytes())
        run = session.infer_energy(2000, 1)
        meter.stop()
        joules = []
        while (block := meter.samples(0.1)).size:
            joules.append(block)
        edges = meter.edges()
    joules = np.concatenate(joules)
    assert len(edges) == 2
    between = joules[edges[0] : edges[1]].sum()
    assert between == pytest.approx(BUSY_W * (edges[1] - edges[0]) / RATE_HZ, rel=0.02, abs=2 * BUSY_W / RATE_HZ)
    assert joules[: edges[0] - 20].mean() * RATE_HZ == pytest.approx(IDLE_W, rel=1e-3)
    scores = interp.run(graph, features[None])[0]
    assert max(run.permille) == run.permille[int(scores.argmax())]
