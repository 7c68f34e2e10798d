"""Recorded traffic: played back byte for byte, readable after a kill, and the literals of the reference firmware."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from edgekws.emit import c
from edgekws.errors import ArtifactError, ConfigError, ProtocolError
from firmware_io import board as boards
from firmware_io import traffic
from firmware_io.build import build
from firmware_io.protocol.session import Session, Timeouts
from firmware_io.traffic import load
from firmware_io.transport import open_transport, spy
from tests.firmware_io.devices.fake_device import FakeDevice, Faults, on_pty

DATA = Path(__file__).parents[1] / "data"
WORDS = 12


def ramp(step):
    return (np.arange(490) * step % 256).astype(np.uint8).view(np.int8)


def bytes_of(path):
    """(to the device, from the device), and the order in which the two changed."""
    rows = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    sides = [next(key for key in row if key in ("to", "from")) for row in rows if row.get("to") or row.get("from")]
    turns = [side for before, side in zip(["", *sides], sides, strict=False) if side != before]
    return "".join(row.get("to", "") for row in rows), "".join(row.get("from", "") for row in rows), turns


def test_the_reference_firmware_in_performance_mode():
    """Its literals, from its sources: no extension, results of three decimals, a clock of 32 bits."""
    with open_transport(f"replay:{DATA / 'reference-performance.jsonl'}") as opened:
        session = Session(opened)
        identity = session.start()
        assert (identity.name, identity.model) == ("unspecified", "kws01")
        assert (session.has_check, session.mode) == (False, "performance")
        answers = [session.classify(ramp(step)) for step in (1, 7)]
        window = session.infer(10, 1)
        assert (session.timestamp_us(), session.results()) == (5_200_000, window.permille)
        assert session.stack() is None and session.layers(2) is None
    assert all(answer.scores is None and np.argmax(answer.permille) == WORDS - 1 for answer in answers)
    assert answers[0].permille == (0, 0, 3, 0, 0, 1, 0, 0, 0, 0, 0, 994)
    assert window.device_us / window.iterations == 181_920
    assert not session.transfers.checked and session.transfers.repeated == 0


def test_the_reference_firmware_in_energy_mode():
    with open_transport(f"replay:{DATA / 'reference-energy.jsonl'}") as opened:
        session = Session(opened)
        session.start()
        assert (session.has_check, session.mode) == (False, "energy")
        answers = [session.classify(ramp(step)) for step in (1, 7)]
        run = session.infer_energy(10, 1)
        assert run.permille == answers[0].permille and run.attempts == 1
        session.mark()
        assert session.results() == run.permille
        assert session.stack() is None and session.layers(2) is None


def converse(opened, graph):
    session = Session(opened, Timeouts(line_s=1.0, quiet_s=0.05))
    identity = session.start()
    clips = np.random.default_rng(3).integers(-128, 128, (3, *graph.features.shape)).astype(np.int8)
    answers = [session.classify(clip) for clip in clips]
    return identity, answers, session.infer(2, 1).permille, session.stack(), session.transfers


def replayed_twice(graph, path, tmp_path):
    """Play a recording, record that, and compare both."""
    again = tmp_path / "again.jsonl"
    with open_transport(f"spy:{again}:replay:{path}") as opened:
        answer = converse(opened, graph)
    assert bytes_of(again) == bytes_of(path)
    return answer


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("fault", [{}, {"lose": 700}, {"garbage": True, "command": 9}, {"silent": True, "command": 11}])
def test_a_session_replays_byte_for_byte(graph, tmp_path, check, fault):
    """Also one in which bytes were lost and silence was waited for."""
    path = tmp_path / "traffic.jsonl"
    device = FakeDevice(graph, Faults(**fault), check=check)
    with on_pty(device) as port, open_transport(f"spy:{path}:serial:{port}") as opened:
        recorded = converse(opened, graph)
    assert recorded[-1].repeated == bool(fault)
    assert replayed_twice(graph, path, tmp_path) == recorded


def test_the_real_firmware_replays_byte_for_byte(graph, tmp_path):
    host = boards.load("host")
    if shutil.which(host.compiler) is None:
        pytest.skip(f"{host.compiler} is not installed")
    elf, path = build(host, c.emit(graph), tmp_path / "firmware.elf").elf, tmp_path / "traffic.jsonl"
    with open_transport(f"spy:{path}:host:", elf) as opened:
        recorded = converse(opened, graph)
    assert replayed_twice(graph, path, tmp_path) == recorded


KILLED = """
import os, signal, sys
from firmware_io.transport import open_transport
with open_transport(sys.argv[1]) as opened:
    opened.write(b"name%")
    opened.read(5.0)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_run_leaves_its_recording(graph, tmp_path):
    path = tmp_path / "traffic.jsonl"
    with on_pty(FakeDevice(graph)) as port:
        line = [sys.executable, "-c", KILLED, f"spy:{path}:serial:{port}"]
        assert subprocess.run(line, check=False).returncode == -signal.SIGKILL
    with open_transport(f"replay:{path}") as opened:
        opened.write(b"name%")
        assert opened.read(1.0)[:1] == b"m"


def test_a_truncated_last_line_is_ignored(tmp_path):
    path = tmp_path / "traffic.jsonl"
    whole = (DATA / "reference-energy.jsonl").read_text().splitlines(keepends=True)
    path.write_text("".join(whole[:5]) + whole[5][:20])
    with pytest.raises(ProtocolError, match="is the end of the session"), open_transport(f"replay:{path}") as opened:
        Session(opened).start()


def test_only_a_recording_is_replaced_by_another(graph, tmp_path):
    mine, recording = tmp_path / "clips.npz", tmp_path / "traffic.jsonl"
    mine.write_bytes(b"PK of a week")
    with on_pty(FakeDevice(graph)) as port:
        refused = pytest.raises(ArtifactError, match=r"clips\.npz should be free.*another file")
        with refused, open_transport(f"spy:{mine}:serial:{port}"):
            pass
        for _ in range(2):
            with open_transport(f"spy:{recording}:serial:{port}") as opened:
                Session(opened).start()
    assert mine.read_bytes() == b"PK of a week" and len(load(recording)) > 2


@pytest.mark.parametrize("rest", ["", "x.jsonl", "x.jsonl:", ":host:", "x.jsonl:telnet:y"])
def test_a_spy_needs_a_file_and_a_url(rest):
    with pytest.raises(ConfigError, match="spy"), open_transport(f"spy:{rest}"):
        pass


@pytest.mark.parametrize("name", ["plain.jsonl", "C:traffic.jsonl", "a:host:b", "host:", 'a"b'])
def test_a_recording_of_any_name_is_written_and_plays(name, graph, tmp_path):
    path = tmp_path / name
    with on_pty(FakeDevice(graph)) as port, open_transport(spy.url_of(path, f"serial:{port}")) as opened:
        Session(opened).start()
    assert traffic.header(path).url == f"serial:{port}"
    assert datetime.now().astimezone() - datetime.fromisoformat(traffic.header(path).recorded) < timedelta(minutes=10)
    with open_transport(f"replay:{path}") as opened:
        Session(opened).start()


def test_a_name_that_cannot_be_quoted_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="in its name"):
        spy.url_of(tmp_path / 'a":host:', "host:")


def test_a_spy_takes_a_file_with_a_colon(graph, tmp_path):
    path = tmp_path / "C:traffic.jsonl"
    with on_pty(FakeDevice(graph)) as port, open_transport(f"spy:{path}:serial:{port}") as opened:
        opened.write(b"x")
    assert '"to": "x"' in path.read_text()


def test_a_full_disk_is_reported(graph):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    with (
        on_pty(FakeDevice(graph)) as port,
        pytest.raises(ArtifactError, match=r"could not be written.*No space left.*another file"),
        open_transport(f"spy:/dev/full:serial:{port}"),
    ):
        pass
