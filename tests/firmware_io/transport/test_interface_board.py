"""io: behind MLCommons' interface board: its literals, and a device that starts, falls silent or is out of step."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws.errors import BoardError, EdgeKwsError
from edgekws.graph import interp
from edgekws.graph.softmax import permille
from firmware_io import board as boards
from firmware_io.bench import Plan, Vectors, bench
from firmware_io.protocol.session import Session, Timeouts
from firmware_io.transport import io, open_transport
from fuzz.faults import wide_graph
from tests.firmware_io.devices.fake_device import BANNER, ENERGY_BANNER, FakeDevice
from tests.firmware_io.devices.virtual_io_manager import DirectManager, Faults, VirtualIoManager, Wired, on_pty

QUICK = Timeouts(line_s=0.6, infer_s=2.0, quiet_s=0.02)
STARTS = {
    "performance": BANNER,
    "energy": ENERGY_BANNER,
    "two resets": 2 * BANNER,
    "the end of a banner": BANNER[-25:],
    "a lone m-ready": "m-ready\r\n",
    "half a line": "it-done\r\nm-ready\r\n",
    "after noise": "\xff\x00" + BANNER,
    "the answers to a session that was killed": "m-load-done\r\nm-ready\r\n",
    "an old name and profile": "m-name-dut-[old]\r\nm-ready\r\nm-profile-[x]\r\nm-model-[ad01]\r\nm-ready\r\n",
}


@pytest.fixture(scope="module")
def wide():
    return wide_graph()


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(io, "_LATE_S", 0.0)
    monkeypatch.setattr(io, "_ECHO_S", 0.1)


def behind(graph, waiting="", version="1afd2c9", faults=None, device_baud=None, **device):
    line = Wired(FakeDevice(graph, **device), waiting.encode("latin-1"))
    return VirtualIoManager(line, "mlc", faults, device_baud=device_baud, version=version)


def opened(manager, baud=None):
    line = io.IoManager(DirectManager(manager), "direct")
    line.open(baud)
    return line


@pytest.mark.parametrize(
    ("version", "command", "answer"),
    [
        ("1afd2c9", b"name%", b"tinyML Enhanced Interface Board\r\nm-ready\r\n"),
        ("1afd2c9", b"checkbaud%", b"baud is: 9600\nm-ready\r\n"),
        ("1afd2c9", b"setbaud 115200%", b"set baud to: 115200\nm-ready\r\n"),
        ("42db64b", b"checkbaud%", b"checkbaud(9600)\r\nm-ready\r\n"),
        ("42db64b", b"setbaud 115200%", b"setbaud(115200)\r\nm-ready\r\n"),
        ("f0d1362", b"checkbaud%", b"m-ready\r\n"),
        ("1afd2c9", b"dut timestamp%", b"m-dut-passthrough(timestamp)\r\nm-ready\r\n"),
        ("1afd2c9", b"%", b"m-ready\r\n"),
        ("1afd2c9", b"\r\nname%", b"m-ready\r\n"),
        ("1afd2c9", b"help%", b"m-ready\r\n"),
        ("1afd2c9", b"names%", b""),
        ("1afd2c9", b"dut %", b""),
    ],
)
def test_the_virtual_board_has_the_literals_of_the_real_one(graph, version, command, answer):
    """As InterfaceMenu.cpp and Menu.cpp of that commit print them: the lines about baud rates end without CR."""
    assert behind(graph, version=version).receive(command) == answer


def test_the_virtual_board_listens_to_nobody_until_the_devices_m_ready(graph):
    manager = behind(graph, faults=Faults(lose_answer=0))
    manager.receive(b"dut name%")
    manager.poll()
    assert manager.receive(b"name%" + b"x" * 200) == b"" and len(manager.unread) == 100
    manager.line.waiting = b"m-ready\r\n"
    assert manager.poll() == b"[dut]: m-ready\r\ntinyML Enhanced Interface Board\r\nm-ready\r\n"


def test_the_virtual_board_keeps_its_baud_rate_within_what_its_flash_may_hold(graph):
    manager = behind(graph)
    for asked, actual in ((115_200, 115_200), (2_000_000, 2_000_000), (3_000_000, 9600)):
        manager.receive(b"setbaud %d%%" % asked)
        assert manager.baud == actual


@pytest.mark.parametrize("version", ["1afd2c9", "42db64b"])
def test_the_baud_rate_is_read_and_set_in_the_words_of_every_version(graph, version):
    manager = behind(graph, version=version)
    for baud in (9600, 115_200, 115_200, 9600):
        opened(manager, baud)
        assert manager.baud == baud
    assert manager.restarts == 2


def test_a_firmware_without_baud_rates_is_named(graph, monkeypatch):
    monkeypatch.setattr(io, "_ANSWER_S", 0.05)
    opened(behind(graph, version="f0d1362"))
    with pytest.raises(BoardError, match=r"answer `checkbaud`.*install its present firmware"):
        opened(behind(graph, version="f0d1362"), 9600)


def test_a_rate_that_the_board_does_not_keep_is_refused(graph):
    with pytest.raises(BoardError, match=r"at 3000000 baud\. Got: 9600 baud"):
        opened(behind(graph), 3_000_000)


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("start", STARTS)
def test_every_answer_belongs_to_its_command_whatever_waited_in_the_board(graph, soon, start, check):
    """Without ?baud=: the board keeps what the device said before, and takes it for the first answer."""
    line = opened(behind(graph, STARTS[start], check=check, raw=check))
    session = Session(line, QUICK)
    assert session.start().name == "fake"
    for seed in range(3):
        features = np.random.default_rng(seed).integers(-128, 128, (49, 10), np.int8)
        expected = interp.run(graph, features.reshape(1, *graph.features.shape))[0]
        answer = session.classify(features)
        assert answer.scores == (tuple(expected.tolist()) if check else None)
        assert int(np.argmax(answer.permille)) == int(expected.argmax())


FRAGMENTS = st.sampled_from(
    [*STARTS.values(), "m-results-[0.9,0.1]\r\n", "e-[Unknown command: x]\r\n", "m-lap-us-9\r\n"]
)
WAITING = st.lists(st.tuples(FRAGMENTS, st.integers(0, 40), st.integers(0, 40)), max_size=4)


@given(WAITING, st.booleans(), st.integers(0, 3))
def test_no_answer_is_ever_taken_for_one_to_another_command(wide, parts, check, resets):
    """Whatever waits in the board, cut anywhere, before the session or at one of its clips: right answers or errors."""
    waiting = "".join(text[start : len(text) - end] for text, start, end in parts)
    manager = behind(wide, "" if resets else waiting, check=check, raw=check)
    with mock.patch.object(io, "_LATE_S", 0.0), mock.patch.object(io, "_ECHO_S", 0.05):
        session = Session(opened(manager), QUICK)
        try:
            session.start()
            for clip in range(1, 4):
                manager.kept += waiting.encode("latin-1") if clip == resets else b""
                features = np.random.default_rng(clip).integers(-128, 128, (49, 10), np.int8)
                expected = interp.run(wide, features.reshape(1, *wide.features.shape))
                answer = session.classify(features)
                assert answer.permille == tuple(permille(expected, wide.score_scale)[0].tolist())
                assert answer.scores == (tuple(expected[0].tolist()) if check else None)
        except EdgeKwsError as error:
            assert error.got and error.hint


@pytest.mark.parametrize("check", [True, False])
def test_a_bench_without_a_baud_rate_behind_a_device_that_has_just_started(graph, random_features, check, soon):
    features = random_features(6)
    vectors = Vectors("dev split", tuple("abcdef"), features, interp.run(graph, features).argmax(axis=1))
    manager = behind(graph, BANNER, check=check)
    with on_pty(manager) as path, open_transport(f"io:serial:{path}") as line:
        result = bench(Session(line), boards.load("qemu-an386"), graph, vectors, Plan(("performance", "accuracy")))
    assert result.valid and result.accuracy.matches == 6 and result.performance.latency_us == pytest.approx(2000, 1e-3)
    assert manager.restarts == 1


def test_a_device_that_restarts_in_the_middle_ends_the_session(graph, soon):
    device = behind(graph, check=True)
    session = Session(opened(device), QUICK)
    session.start()
    device.line.waiting += BANNER.encode()
    with pytest.raises(BoardError, match=r"it was reset"):
        session.load(bytes(490))
    assert Session(opened(device), QUICK).start().name == "fake"


def test_a_device_behind_an_old_board_that_is_out_of_step_ends_clearly(graph, soon, monkeypatch):
    monkeypatch.setattr(io, "_ANSWER_S", 0.05)
    with pytest.raises(BoardError, match=r"answer `checkbaud`.*reset the interface board after the device has started"):
        Session(opened(behind(graph, BANNER, "f0d1362")), QUICK).start()


def test_a_board_that_waits_without_end_for_its_device_is_named(graph, soon):
    """The device's side has another baud rate: nothing that it says ends with m-ready."""
    with on_pty(behind(graph, device_baud=115_200)) as path, open_transport(f"io:serial:{path}") as line:
        session = Session(line, Timeouts(line_s=1.0, quiet_s=0.02))
        with pytest.raises(BoardError, match=r"pass on 'name'.*without end.*reset button.*\?baud=N"):
            session.start()


def test_the_right_baud_rate_reaches_the_device(graph):
    with on_pty(behind(graph, device_baud=115_200)) as path, open_transport(f"io:serial:{path}?baud=115200") as line:
        assert Session(line).start().name == "fake"


def test_answers_to_an_interrupted_program_are_not_taken_for_ones_to_this(graph):
    """The board was busy with its device when the last program was killed: its answers come first."""
    manager = behind(graph)
    manager.receive(b"dut profile%name%checkbaud%name%")
    opened(manager, 115_200)
    assert manager.baud == 115_200 and manager.restarts == 1


def test_a_board_that_boots_for_a_while_after_setbaud(graph, monkeypatch):
    monkeypatch.setattr(io, "_ANSWER_S", 0.3)
    manager = behind(graph, faults=Faults(silent_s=0.5))
    with on_pty(manager) as path, open_transport(f"io:serial:{path}?baud=19200") as line:
        assert Session(line).start().name == "fake"
    assert manager.baud == 19_200


def test_the_device_itself_is_no_manager(graph):
    from tests.firmware_io.devices.fake_device import on_pty as device_on_pty

    with (
        device_on_pty(FakeDevice(graph)) as path,
        pytest.raises(BoardError, match=r"an IO manager\. Got: the device itself.*--port serial:"),
        open_transport(f"io:serial:{path}"),
    ):
        pass
