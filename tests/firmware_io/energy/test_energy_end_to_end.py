"""The energy set-up of MLPerf Tiny end to end: our firmware in energy mode on an emulated board, fed by the virtual
LPM01A, which sees its timestamp pin, behind an IO manager. Only the instrument's watts and the wire are invented."""

from __future__ import annotations

import json
import shutil
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import numpy as np
import pytest

from edgekws.cli.boards.measure import Options, measure
from edgekws.emit import c
from edgekws.graph import interp, io
from edgekws.report import document
from edgekws.report.bundle import verify
from firmware_io import board as boards
from firmware_io.bench import Plan, Vectors, bench, evidence
from firmware_io.bench import vectors as vector_files
from firmware_io.build import build
from firmware_io.energy.meter import Meter
from firmware_io.flash import qemu
from firmware_io.ports.opening import open_serial
from firmware_io.protocol.session import Session
from firmware_io.transport import open_transport
from tests.firmware_io.devices.virtual_io_manager import VirtualIoManager
from tests.firmware_io.devices.virtual_io_manager import on_pty as manager_on_pty
from tests.firmware_io.devices.virtual_lpm01a import VirtualLpm01a, on_pty, watch_events

BOARD = "qemu-an386"
RATE_HZ = 1000


class Powered:
    """An emulated board that runs while the instrument feeds it; its serial line is silent without power."""

    def __init__(self, board, elf, instrument) -> None:
        self.board, self.elf, self.instrument = board, elf, instrument
        self.lock, self.stack, self.port = threading.Lock(), ExitStack(), None
        self.starts = 0

    def power(self, volts: float) -> None:
        with self.lock:
            self.port = None
            self.stack.close()
            if volts:
                lines = self.stack.enter_context(qemu.start_with_events(self.board, self.elf))
                self.stack.enter_context(watch_events(self.instrument, lines.events))
                self.port = self.stack.enter_context(open_serial(lines.line, timeout=0))
                self.starts += 1

    def read(self, size: int) -> bytes:
        with self.lock:
            return bytes(self.port.read(size)) if self.port else b""

    def write(self, content: bytes) -> None:
        with self.lock:
            if self.port:
                self.port.write(content)


def watts(seconds):
    """Power that moves, so that joules tell where a window lies: 12 mW +- 5 mW, three times a second."""
    return 0.012 + 0.005 * np.sin(2 * np.pi * 3 * seconds)


def joules(first_s, last_s):
    def whole(at):
        return 0.012 * at - 0.005 * np.cos(2 * np.pi * 3 * at) / (2 * np.pi * 3)

    return whole(last_s) - whole(first_s)


@pytest.fixture
def vectors(graph, random_features):
    features = random_features(3)
    labels = interp.run(graph, features).argmax(axis=1)
    return Vectors("dev split", ("a", "b", "c"), features, labels)


@contextmanager
def set_up(elf, dialect):
    """Give (board, URL of its serial line, URL of the meter): what MLPerf Tiny's energy set-up has on the table."""
    board = boards.load(BOARD)
    for program in (board.qemu_program, board.compiler):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    instrument = VirtualLpm01a(watts)
    device = Powered(board, elf, instrument)
    instrument.on_power = device.power
    with ExitStack() as stack:
        stack.callback(device.power, 0.0)
        meter = f"lpm01a:{stack.enter_context(on_pty(instrument))}?rate_hz={RATE_HZ}"
        manager = stack.enter_context(manager_on_pty(VirtualIoManager(device, dialect)))
        yield device, f"io:serial:{manager}", meter


@pytest.mark.parametrize("dialect", [pytest.param("eembc", marks=pytest.mark.slow), "mlc"])
def test_joules_of_an_emulated_board_behind_an_io_manager(graph, vectors, tmp_path, dialect, monkeypatch):
    monkeypatch.setattr("firmware_io.bench.modes.energy._CALIBRATION_S", 0.1)
    plan = Plan(("accuracy", "energy"), window_s=0.5, windows=2, idle_s=0.2)
    with set_up(tmp_path / "energy.elf", dialect) as (device, port, meter):
        firmware = build(device.board, c.emit(graph), device.elf, energy=True)
        with open_transport(port) as transport:
            meter_of_run = Meter(meter, tmp_path, 3.0)
            run = bench(Session(transport), device.board, graph, vectors, plan, firmware, meter=meter_of_run)
    assert run.valid, run.reasons
    assert run.identity.name == f"edgekws-{BOARD}" and run.accuracy.matches == 3
    assert device.starts == 1 and device.port is None
    energy, edges = run.energy, run.energy.trace.edges_s
    assert len(energy.windows) == 2 and len(edges) == 5 and energy.wrong == ()
    for number, window in enumerate(energy.windows):
        first_s, last_s = edges[1 + 2 * number : 3 + 2 * number]
        assert window.seconds == pytest.approx(last_s - first_s) and window.seconds >= 0.5
        assert window.joules == pytest.approx(joules(first_s, last_s), rel=1e-3)


@pytest.mark.slow
def test_a_submission_of_energy_mode_from_the_command_line(graph, vectors, tmp_path):
    """Five windows of ten seconds, as the rules want them; about 100 s."""
    io.save(graph, tmp_path / "graph.npz")
    vector_files.write(tmp_path / "clips.npz", vectors, graph.features)
    firmware = build(boards.load(BOARD), c.emit(graph), tmp_path / "firmware.elf", energy=True)
    with set_up(firmware.elf, "eembc") as (_, port, meter):
        options = Options(BOARD, out=tmp_path, modes=("energy",), port=port, meter=meter, voltage=3.0)
        measure(replace(options, vectors=tmp_path / "clips.npz", mlperf=tmp_path / "submission"))
    report = json.loads((tmp_path / "bench" / f"{BOARD}-energy" / "latest" / "report.json").read_text())
    assert report["verdict"]["valid"] and len(report["energy"]["windows"]) == 5
    assert all(window["seconds"] >= 10 for window in report["energy"]["windows"])
    sidecar = json.loads((tmp_path / "bench" / f"{BOARD}-energy" / "latest" / "energy.json").read_text())
    spooled = np.fromfile(tmp_path / "bench" / f"{BOARD}-energy" / "latest" / "energy.f32", "<f4")
    assert len(spooled) == sidecar["samples"] > 60 * RATE_HZ
    assert spooled.sum(dtype=np.float64) == pytest.approx(joules(0, len(spooled) / RATE_HZ), rel=1e-3)
    run = tmp_path / "bench" / f"{BOARD}-energy" / "latest"
    results = [*verify.findings(run), *evidence.findings(run, document.read(run / "bench.json"))]
    assert [one for one in results if one.level == "error"] == []
    assert any(one.what.startswith("energy.f32") for one in results)
    (session,) = (tmp_path / "submission" / "sessions").iterdir()
    assert "Median energy cost is" in (session / "energy" / "results.txt").read_text()
