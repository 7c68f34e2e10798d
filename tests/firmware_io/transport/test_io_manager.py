"""io: a device behind an IO manager looks like a device; what is lost behind it ends in the session's time-out."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws.errors import BoardError, ConfigError, ProtocolError
from edgekws.graph import interp
from firmware_io.protocol.session import Session, Timeouts
from firmware_io.transport import io, open_transport
from tests.firmware_io.devices.fake_device import BANNER, FakeDevice
from tests.firmware_io.devices.virtual_io_manager import DirectManager, Faults, VirtualIoManager, Wired, on_pty

DIALECTS = ["eembc", "mlc"]


@pytest.fixture
def quick(monkeypatch):
    """For managers that stay silent. The others get the time that a busy computer needs."""
    monkeypatch.setattr(io, "_ANSWER_S", 0.2)


def behind(graph, dialect, faults=None, banner=b"", throttle=False):
    return VirtualIoManager(Wired(FakeDevice(graph), banner), dialect, faults, throttle)


def classified(session, graph, seed=0):
    """The answer is the interpreter's."""
    features = np.random.default_rng(seed).integers(-128, 128, (49, 10), np.int8)
    answer = session.classify(features)
    expected = interp.run(graph, features.reshape(1, *graph.features.shape))[0]
    assert answer.scores == tuple(expected.tolist())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_session_does_not_notice_the_manager(graph, dialect):
    manager = behind(graph, dialect)
    with on_pty(manager) as path, open_transport(f"io:serial:{path}?baud=9600") as line:
        session = Session(line)
        assert session.start().name == "fake"
        classified(session, graph)
        assert session.infer(3, 1).iterations == 3
    assert {command.partition(" ")[0] for command in manager.commands} <= {"name", "dut", "checkbaud", "setbaud"}
    assert manager.baud == 9600


@pytest.mark.parametrize("dialect", DIALECTS)
def test_at_the_speed_of_the_energy_set_up(graph, dialect):
    manager = behind(graph, dialect, throttle=True)
    with on_pty(manager) as path, open_transport(f"io:serial:{path}?dialect={dialect}") as line:
        manager.baud = 57_600  # 9600 would take two seconds for one clip
        session = Session(line)
        session.start()
        classified(session, graph)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_device_that_starts_behind_the_manager(graph, dialect):
    """Its banner waits; without care every answer of the interface board comes one command late."""
    manager = behind(graph, dialect, banner=BANNER.encode())
    with on_pty(manager) as path, open_transport(f"io:serial:{path}") as line:
        session = Session(line)
        session.start()
        for seed in range(3):
            classified(session, graph, seed)
    assert manager.restarts == (dialect == "mlc")


def test_the_baud_rate_is_set_only_when_it_differs(graph):
    manager = behind(graph, "mlc")
    with on_pty(manager) as path:
        for baud in (9600, 9600, 115_200):
            with open_transport(f"io:serial:{path}?baud={baud}"):
                assert manager.baud == baud
    assert manager.restarts == 1


def test_the_arduino_has_one_baud_rate(graph):
    with (
        on_pty(behind(graph, "eembc")) as path,
        pytest.raises(ConfigError, match="9600 baud"),
        open_transport(f"io:serial:{path}?baud=115200"),
    ):
        pass


def opened(manager, dialect=""):
    line = io.IoManager(DirectManager(manager), "direct", dialect)
    line.open(None)
    return line


def test_a_reply_lost_behind_the_manager_is_silence_and_ends(graph):
    manager = behind(graph, "mlc", Faults(lose_answer=0))
    with on_pty(manager) as path, open_transport(f"io:serial:{path}") as line:
        line.write(b"name%")
        start = time.monotonic()
        assert line.read(0.5) == b""
        assert 0.5 <= time.monotonic() - start < 10
        with pytest.raises(BoardError):
            Session(BlackHole(line), Timeouts(line_s=0.2, quiet_s=0.02)).start()


class BlackHole:
    """Never passes anything on to the manager, so that nothing ever comes back."""

    def __init__(self, line):
        self.read, self.close = line.read, line.close

    def write(self, content):
        pass


def test_a_command_that_the_manager_misread_is_an_error(graph):
    line = opened(behind(graph, "mlc", Faults(spoil=0)))
    line.write(b"timestamp%")
    with pytest.raises(ProtocolError, match=r"pass on 'timestamp'.*'timestam\?'"):
        line.read(1.0)


def test_a_refusal_of_the_manager_is_quoted(graph):
    line = opened(behind(graph, "eembc", Faults(refuse=True)))
    line.write(b"name%")
    with pytest.raises(ProtocolError, match="Not now"):
        line.read(1.0)


def test_the_session_does_not_see_the_managers_own_lines():
    line = io.IoManager(DirectManager(VirtualIoManager(Wired(None, b""), "eembc")), "direct")
    assert line._relayed(b"m-lap-us-123") == b""
    assert line._relayed(b"m-ready") == b""
    assert line._relayed(b"[dut]: m-lap-us-123") == b"m-lap-us-123\r\n"


def test_commands_may_come_in_pieces(graph):
    manager = behind(graph, "eembc")
    line = opened(manager)
    for piece in (b"na", b"me%prof", b"ile%"):
        line.write(piece)
    assert manager.commands == ["name", "dut name", "dut profile"]


def test_an_arduino_that_restarts_is_waited_for(graph, quick):
    manager = behind(graph, "eembc", Faults(silent_s=0.5))
    with on_pty(manager) as path, open_transport(f"io:serial:{path}") as line:
        Session(line).start()


def test_a_port_without_a_manager(graph, monkeypatch, quick):
    monkeypatch.setattr(io, "_START_S", 0.5)
    manager = behind(graph, "eembc", Faults(silent_s=60))
    with (
        on_pty(manager) as path,
        pytest.raises(BoardError, match="IO manager that answers"),
        open_transport(f"io:serial:{path}"),
    ):
        pass


NAMED = b"m-name-dut-[plain]\r\nm-ready\r\n"


@pytest.mark.parametrize("received", [NAMED, BANNER.encode() + NAMED], ids=["running", "starting"])
def test_a_plain_device_in_the_place_of_a_manager(received):
    """The banner of a device that starts was taken for a manager's name, and its next answer for a bad cable."""
    line = io.IoManager(Recorded(received, 64), "serial:/dev/x")
    with pytest.raises(BoardError, match="leave out `io:`: --port serial:/dev/x"):
        line.open(None)


def test_a_device_that_does_not_know_the_command_of_managers():
    line = io.IoManager(Recorded(b"e-[Unknown command: dut]\r\nm-ready\r\n", 64), "serial:/dev/x")
    line.write(b"name%")
    with pytest.raises(ProtocolError, match="leave out `io:`: --port serial:/dev/x"):
        line.read(1.0)


@pytest.mark.parametrize("rest", ["", "?baud=9600", "serial:x?speed=1", "serial:x?baud=0", "serial:x?baud=x",
                                  "serial:x?dialect=other"])  # fmt: skip
def test_urls_that_are_refused(rest):
    with pytest.raises(ConfigError, match="io: needs"), io.connect(rest):
        pass


def test_both_urls_may_have_options():
    assert io._options("serial:/dev/x?baud=115200?baud=9600&dialect=mlc") == ("serial:/dev/x?baud=115200", "mlc", 9600)
    assert io._options("tcp:127.0.0.1:4000") == ("tcp:127.0.0.1:4000", "", None)


class Recorded:
    """A transport that has received this, in pieces, and nothing more."""

    def __init__(self, content, size):
        self.parts = [content[at : at + size] for at in range(0, len(content), size)]

    def read(self, timeout_s):
        return self.parts.pop(0) if self.parts else b""

    def write(self, content):
        pass

    def close(self):
        pass


LINES = st.lists(
    st.sampled_from([b"[dut]: m-ready", b"[dut]: m-results-[0.1]", b"m-ready", b"m-dut-passthrough(name)", b"[dut]:"])
    | st.binary(max_size=12),
    max_size=12,
)


@given(LINES, st.integers(1, 40))
def test_only_the_devices_own_lines_come_through(lines, size):
    """Whatever arrives, in whatever pieces: whole lines behind the prefix, or an error that names the manager."""
    manager = io.IoManager(Recorded(b"".join(line + b"\r\n" for line in lines), size), "said", "eembc")
    manager.write(b"name%")
    got = b""
    try:
        while content := manager.read(60):  # returns at once: `Recorded` never waits
            assert content.endswith(b"\r\n")
            got += content
    except ProtocolError as error:
        assert str(error).startswith("the IO manager should pass")
        return
    received = b"".join(line + b"\r\n" for line in lines).split(b"\n")
    own = [
        line.removesuffix(b"\r").removeprefix(io.PREFIX) + b"\r\n" for line in received if line.startswith(io.PREFIX)
    ]
    assert got == b"".join(own)
