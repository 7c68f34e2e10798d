"""`edgekws serve-board`, and host programs that know nothing of edgekws, each in a process of its own."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import serial

from edgekws import models
from edgekws.emit.c import emit
from edgekws.errors import ArtifactError
from edgekws.graph import io
from edgekws.report import session_check
from firmware_io import board as boards
from firmware_io import build, traffic
from tests.firmware_io.firmware.lines import needs_for
from tests.firmware_io.serving.served import served

HOST_PROGRAM = Path(__file__).with_name("host_program.py")
BOARD = "qemu-an386"
CLIPS = 48


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """The released network's golden clips in the files of the benchmark."""
    folder = tmp_path_factory.mktemp("kws01")
    with np.load(models.find(Path("dscnn"), models.GOLDEN), allow_pickle=False) as golden:
        features, labels = golden["features"], golden["labels"]
    rows = [f"clip{number:03d}.bin, 12, {label}\n" for number, label in enumerate(labels)]
    for number, clip in enumerate(features):
        (folder / f"clip{number:03d}.bin").write_bytes(clip.astype(np.int8).tobytes())
    (folder / "y_labels.csv").write_text("".join(rows))
    return folder


def host(mode, clips, folder, *options):
    command = [sys.executable, str(HOST_PROGRAM), mode, "--clips", str(clips), "--out", str(folder), *map(str, options)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def errors(session):
    """Why a checker of the published rules would refuse a session of the host program."""
    found = session_check.findings(session)
    assert len(found) > 3, found
    return [finding for finding in found if finding.level == "error"]


def edgekws(folder, *words):
    command = [sys.executable, "-m", "edgekws", *map(str, words)]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, timeout=600)


def test_a_board_for_one_client_after_another(tmp_path, clips):
    """A foreign program, our own bench, the foreign program again, and a bench of another build, which is refused."""
    recording = tmp_path / "served.jsonl"
    with served(tmp_path, BOARD, "--out", "dscnn", "--link", tmp_path / "board", "--spy", recording) as server:
        path = server.addresses["serial line"]
        assert path == str(tmp_path / "board")
        accuracy = host("accuracy", clips, tmp_path / "accuracy", "--dut", path, "--baud", 9600, "--files", 24)
        assert accuracy.startswith("Top 1% = ")
        words = ("--out", "dscnn", "--board", BOARD, "--port", f"serial:{path}", "--mode", "accuracy", "--clips", 12)
        ours = edgekws(tmp_path, "bench", *words)
        assert "board equals interpreter: 12 of 12" in ours.stdout, ours.stdout + ours.stderr
        assert host("accuracy", clips, tmp_path / "b", "--dut", path, "--files", 24) == accuracy
        other = edgekws(tmp_path, "bench", *words, "--min-ram")  # not what the served board runs
        assert other.returncode not in (0, 9) and "--min-ram" in other.stderr, other.stdout + other.stderr
        left = [server.wait_for(rf"^client {number} left after .* bytes received") for number in (1, 2, 3, 4)]
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0 and server.lines[-1] == "stopped"
    assert all("files" in error.what or "clips" in error.what for error in errors(tmp_path / "accuracy"))
    assert len(left) == 4 and not (tmp_path / "board").is_symlink()
    events = traffic.load(recording)
    assert sum(event.content.count(b"db load 490%") for event in events if event.direction == "to") == 24 + 12 + 24
    assert all(event.content for event in events)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_served_on_the_network_until_a_signal(tmp_path, stop):
    with served(tmp_path, "host", "--out", "dscnn", "--tcp", "127.0.0.1:0", "--reset") as server:
        name, _, port = server.addresses["serial line"].rpartition(":")
        for _ in range(2):
            with socket.create_connection((name, int(port)), timeout=60) as client:
                lines = client.makefile("rb")
                while lines.readline() != b"m-ready\r\n":
                    pass
                client.sendall(b"name%")
                assert [lines.readline(), lines.readline()] == [b"m-name-dut-[edgekws-host]\r\n", b"m-ready\r\n"]
                lines.close()
        server.wait_for("^client 2 left")
        server.process.send_signal(stop)
        assert server.process.wait(20) == 0
    assert server.lines[-1] == "stopped"


@pytest.mark.slow
def test_a_foreign_program_in_performance_mode(tmp_path, clips):
    """Five windows of ten seconds of the board's clock."""
    with served(tmp_path, BOARD, "--out", "dscnn") as server:
        path = server.addresses["serial line"]
        printed = host("performance", clips, tmp_path / "performance", "--dut", path, "--infer", 70, 1)
    assert printed.startswith("Median throughput is ")
    assert errors(tmp_path / "performance") == []


def test_a_board_with_a_port_of_its_own_is_refused(tmp_path):
    done = edgekws(tmp_path, "serve-board", "--board", "nucleo-l4r5zi")
    assert done.returncode == 4 and "has a serial port of its own" in done.stderr


def test_an_image_that_does_not_answer(tmp_path):
    (tmp_path / "image").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "image").chmod(0o755)
    done = edgekws(tmp_path, "serve-board", "--board", "host", "--image", "image")
    assert done.returncode not in (0, 1) and "ended with status 3" in done.stderr


@pytest.mark.parametrize("energy", [(), ("--energy",)])
def test_an_image_that_was_changed_is_refused(tmp_path, energy):
    board = boards.load(BOARD)
    needs_for(board)
    graph = io.load(models.find(Path("dscnn"), "graph.npz"))
    image = build.build(board, emit(graph), tmp_path / "firmware.elf", energy=bool(energy)).elf
    content = bytearray(image.read_bytes())
    content[content.index(b"probabilities of the last")] ^= 1
    image.write_bytes(content)
    done = edgekws(tmp_path, "serve-board", "--board", BOARD, "--image", "firmware.elf", *energy)
    assert done.returncode == ArtifactError.exit_code
    assert "was changed after it was built" in " ".join(done.stderr.split())
    assert "serial line" not in done.stdout


def test_the_terminal_is_plain_for_pyserial_too(tmp_path):
    with served(tmp_path, "host", "--out", "dscnn") as server:
        for baud in (9600, 921_600):
            with serial.Serial(server.addresses["serial line"], baud, timeout=60, exclusive=True) as port:
                port.write(b"name%")
                assert port.read_until(b"m-ready\r\n") == b"m-name-dut-[edgekws-host]\r\nm-ready\r\n"


def test_the_energy_set_up(tmp_path, clips):
    """Short windows: the host program's joules are the nominal current times the time between its edges."""
    with served(tmp_path, BOARD, "--out", "dscnn", "--energy", "--link", tmp_path / "rig") as server:
        ports = ("--interface", tmp_path / "rig-interface", "--meter", tmp_path / "rig-meter", "--volts", 1.8)
        printed = host("energy", clips, tmp_path / "e", *ports, "--files", 2, "--infer", 7, 1)
        server.wait_for("^power off; 4 edges of the timestamp pin")
        again = host("energy", clips, tmp_path / "e2", *ports, "--files", 1)
    assert "Median energy cost is " in printed and "Median energy cost is " in again
    assert any(line.startswith("EMULATED") for line in server.lines)
    for row in json.loads((tmp_path / "e" / "results.json").read_text()):
        power = row["power"]
        assert set(power["samples"]) == {1.8 * 0.01 / 1000} and len(power["timestamps"]) == 2
        (_, begin), (_, end) = power["timestamps"]
        # A stalled computer sees the first edge late, and then the window is short.
        assert end - begin >= 0.3 * 7 * 156 and power["voltage"] == 1.8


@pytest.mark.slow
def test_a_foreign_program_in_energy_mode(tmp_path, clips):
    """Five windows of ten seconds of the meter's clock."""
    with served(tmp_path, BOARD, "--out", "dscnn", "--energy") as server:
        ports = ("--interface", server.addresses["interface board"], "--meter", server.addresses["meter"])
        host("energy", clips, tmp_path / "energy", *ports, "--infer", 80, 1)
    assert errors(tmp_path / "energy") == []
