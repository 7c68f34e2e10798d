"""Ports: how they are listed, selected and probed, and why one cannot be opened."""

from __future__ import annotations

import os
import subprocess
import sys
import tty
from contextlib import ExitStack
from types import SimpleNamespace

import pytest
from serial.tools import list_ports
from typer.testing import CliRunner

from edgekws.cli import app
from edgekws.errors import BoardError, ConfigError, ProtocolError
from firmware_io import ports
from firmware_io.ports import Port, holders, opening
from firmware_io.protocol import probe
from firmware_io.protocol.session import Identity, Session
from firmware_io.transport import open_transport, serial
from tests.firmware_io.devices.fake_device import FakeDevice, on_pty
from tests.firmware_io.devices.virtual_io_manager import VirtualIoManager, Wired
from tests.firmware_io.devices.virtual_io_manager import on_pty as manager_on_pty

STLINK, XDS110, LPM01A = (0x0483, 0x374B), (0x0451, 0xBEF3), (0x0483, 0x5740)


def info(device, usb=(None, None), serial_number=None, location=None):
    vid, pid = usb
    return SimpleNamespace(
        device=device, vid=vid, pid=pid, serial_number=serial_number, description="n/a", location=location
    )


BENCH = [
    info("/dev/ttyACM1", LPM01A, "PS01"),
    info("/dev/ttyACM0", STLINK, "0667FF01"),
    info("/dev/ttyACM2", STLINK, "0667FF02"),
    info("/dev/ttyACM3", XDS110, "MG01", "1-3:1.0"),
    info("/dev/ttyS0"),
    info("/dev/ttyUSB0", (0x0403, 0x6001), "FT01"),
]


@pytest.fixture
def plugged(monkeypatch):
    def plug(*infos):
        monkeypatch.setattr(list_ports, "comports", lambda: list(infos))
        return ports.listed()

    return plug


def test_ports_are_listed_with_what_they_may_be(plugged):
    listed = {port.device: port for port in plugged(*BENCH)}
    assert list(listed) == sorted(listed)
    assert listed["/dev/ttyACM0"].boards == ("nucleo-l4r5zi",) and listed["/dev/ttyACM3"].boards == ("lp-mspm0g5187",)
    assert listed["/dev/ttyACM1"].meter == "X-NUCLEO-LPM01A" and listed["/dev/ttyACM1"].boards == ()
    assert "because of its USB id 0483:374b" in listed["/dev/ttyACM0"].kind
    assert str(listed["/dev/ttyACM2"]) == "/dev/ttyACM2 (0483:374b, serial number 0667FF02)"
    assert listed["/dev/ttyS0"].kind == "not on USB" and "0403:6001" in listed["/dev/ttyUSB0"].kind


@pytest.mark.parametrize(
    ("selector", "device"),
    [
        ("0451:BEF3", "/dev/ttyACM3"),
        ("0403:6001", "/dev/ttyUSB0"),
        ("sn=0667ff02", "/dev/ttyACM2"),
        ("board=lp-mspm0g5187", "/dev/ttyACM3"),
        ("/dev/anything", "/dev/anything"),
        ("COM3", "COM3"),
    ],
)
def test_a_port_is_selected_by_usb_id_serial_number_board_or_path(plugged, selector, device):
    plugged(*BENCH)
    assert serial.path_of(selector) == device


def test_two_candidates_are_both_listed_in_the_error(plugged):
    plugged(*BENCH)
    with pytest.raises(BoardError, match=r"2 candidates.*ttyACM0.*0667FF01.*ttyACM2.*0667FF02.*sn=0667FF01"):
        serial.path_of("0483:374b")


@pytest.mark.parametrize("selector", ["dead:beef", "sn=none", "board=nucleo-l4r5zi"])
def test_a_port_that_is_not_plugged_in_lists_the_others(plugged, selector):
    plugged(BENCH[0], BENCH[4])
    with pytest.raises(BoardError, match=r"plugged in.*2 other ports: /dev/ttyACM1.*LPM01A.*edgekws ports"):
        serial.path_of(selector)
    plugged()
    with pytest.raises(BoardError, match="no serial port at all"):
        serial.path_of(selector)


def test_an_unknown_board_is_refused(plugged):
    plugged()
    with pytest.raises(ConfigError, match="--board esp32 is not known"):
        serial.path_of("board=esp32")


def answering(name):
    return lambda port: probe.Probe(port, True, Identity(name(port), "profile", "kws01"), 115_200)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("serial:board=lp-mspm0g5187", "serial:/dev/ttyACM3"),
        ("io:serial:board=lp-mspm0g5187?baud=9600", "io:serial:/dev/ttyACM3?baud=9600"),
        ("spy:t.jsonl:serial:board=lp-mspm0g5187", "spy:t.jsonl:serial:/dev/ttyACM3"),
        ("serial:/dev/ttyACM1", "serial:/dev/ttyACM1"),
        ("host:", "host:"),
    ],
)
def test_a_board_in_a_url_becomes_the_path_of_its_port(plugged, url, expected):
    plugged(*BENCH)
    assert probe.resolved(url) == expected


def test_the_board_of_a_url_is_probed_where_two_ports_have_its_usb_id(plugged, monkeypatch):
    plugged(*BENCH)
    names = {"/dev/ttyACM0": "interface", "/dev/ttyACM2": "edgekws-nucleo-l4r5zi"}
    probed = answering(lambda port: names[port.device])
    monkeypatch.setattr(probe, "_identity", lambda port, *_: probed(port).identity)
    assert probe.resolved("serial:board=nucleo-l4r5zi?baud=9600") == "serial:/dev/ttyACM2?baud=9600"


def test_two_probes_with_one_usb_id_are_distinguished_by_name(plugged):
    """The interface board of MLPerf Tiny has the same USB id as the board that it is wired to."""
    listed = plugged(*BENCH)
    names = {"/dev/ttyACM0": "interface", "/dev/ttyACM2": "edgekws-nucleo-l4r5zi"}
    probed = answering(lambda port: names[port.device])
    assert probe.board_port("nucleo-l4r5zi", listed, probed).device == "/dev/ttyACM2"
    with pytest.raises(BoardError, match=r"ttyACM0.*0667FF01.*m-name-dut-\[twin\].*ttyACM2.*name one"):
        probe.board_port("nucleo-l4r5zi", listed, answering(lambda port: "twin"))


def test_no_other_port_is_ever_probed(plugged):
    probed = []

    def ask(port):
        probed.append(port.device)
        return probe.Probe(port, True, reason="silence")

    listed = plugged(*BENCH)
    answers = probe.all_of(listed, (), ask)
    assert probed == ["/dev/ttyACM0", "/dev/ttyACM2", "/dev/ttyACM3"]
    assert probe.summary(answers) == "6 ports; 3 probed; 0 answered"
    left = {answer.port.device: answer.verdict for answer in answers if not answer.probed}
    assert "not probed: it may be the meter X-NUCLEO-LPM01A" in left["/dev/ttyACM1"]
    assert left["/dev/ttyACM1"].endswith("use it with --meter lpm01a:/dev/ttyACM1")
    assert left["/dev/ttyUSB0"].endswith("name the port to probe it")
    probed.clear()
    probe.all_of(listed, ["/dev/ttyUSB0", "/dev/ttyACM1"], ask)
    assert "/dev/ttyUSB0" in probed and "/dev/ttyACM1" not in probed  # a meter is never probed, even when named


class RecordingDevice(FakeDevice):
    """Keeps what it was sent."""

    input_log = b""

    def receive(self, content):
        self.input_log += content
        return super().receive(content)


def test_a_probe_reports_the_device_and_its_answer(graph):
    device = RecordingDevice(graph, check=True)
    with on_pty(device) as path:
        result = probe.probe(Port(path))
    assert result.verdict == ("a kws01 device, because it answered `name%` with m-name-dut-[fake] at 115200 baud")
    assert device.input_log == b"name%profile%"


def test_a_probe_tries_the_baud_rates_in_turn(graph, monkeypatch):
    tried = []

    def identity(port, baud, timeouts):
        tried.append(baud)
        if baud == 9_600:
            return Identity("x", "", "kws01")
        raise BoardError("silence", got="silence")

    monkeypatch.setattr(probe, "_identity", identity)
    assert probe.probe(Port("x", boards=("nucleo-l4r5zi",))).baud == 9_600
    assert tried == [115_200, 9_600]


class Console:
    """Another firmware: a shell with an echo, or a log without one."""

    def __init__(self, echo):
        self.echo = echo

    def receive(self, content):
        return content if self.echo else b"[00:01.2] temperature 21\r\n"


@pytest.mark.parametrize(("echo", "message"), [(True, "an echo: 'name%'"), (False, "temperature 21")])
def test_other_firmware_and_a_console_are_reported(echo, message, monkeypatch):
    monkeypatch.setattr(probe, "BAUDS", (115_200,))
    with on_pty(Console(echo)) as path:
        result = probe.probe(Port(path))
        with open_transport(f"serial:{path}") as opened, pytest.raises(ProtocolError, match=r"Got: .*What to do: "):
            Session(opened, probe.TIMEOUTS).start()
    assert result.identity is None and message in result.verdict


@pytest.mark.parametrize(
    ("dialect", "title", "answer"),
    [
        ("mlc", "MLCommons' interface board (STM32H573I-DK)", "`name%` with tinyML Enhanced Interface Board"),
        ("eembc", "EEMBC's IO manager", "`dut name%` with m-dut-passthrough(name)"),
    ],
)
def test_an_io_manager_is_recognised_and_its_url_given(graph, plugged, dialect, title, answer):
    manager = VirtualIoManager(Wired(FakeDevice(graph)), dialect)
    plugged()
    with manager_on_pty(manager) as path:
        output = " ".join(CliRunner().invoke(app, ["ports", "--probe", path]).stdout.split())
    assert f"{title}, because it answered {answer} at 115200 baud; use it with --port io:serial:{path} " in output
    assert "1 port; 1 probed; 1 answered" in output and "cable" not in output
    assert set(manager.commands) == ({"name"} if dialect == "mlc" else {"name", "dut name"})


def test_an_interface_board_without_a_device_still_answers_after_the_probe(graph, plugged):
    """It would wait for the device's m-ready without end."""

    class Nothing:
        read, write = staticmethod(lambda size: b""), staticmethod(lambda content: None)

    with manager_on_pty(VirtualIoManager(Nothing(), "mlc")) as path:
        for _ in range(2):
            assert "interface board" in probe.probe(Port(path)).verdict


def test_a_meter_that_answers_is_recognised(monkeypatch):
    class Meter:
        def receive(self, content):
            return b"PowerShield > error\r\n"

    monkeypatch.setattr(probe, "BAUDS", (115_200,))
    with on_pty(Meter()) as path:
        verdict = probe.probe(Port(path)).verdict
    assert "a meter X-NUCLEO-LPM01A, because it answered PowerShield > error" in verdict
    assert verdict.endswith(f"use it with --meter lpm01a:{path}")


def test_the_command_lists_and_probes(graph, plugged):
    with ExitStack() as stack:
        first, second = (stack.enter_context(on_pty(RecordingDevice(graph))) for _ in range(2))
        plugged(info(first, STLINK, "A"), info("/dev/ttyS0"))
        listed = CliRunner().invoke(app, ["ports"]).stdout
        probed = CliRunner().invoke(app, ["ports", "--probe", second]).stdout
    listed, probed = (" ".join(text.split()) for text in (listed, probed))
    assert "2 ports" in listed and "nucleo-l4r5zi, because of its USB id" in listed
    assert "3 ports; 2 probed; 2 answered" in probed and "m-name-dut-[fake]" in probed


def test_a_port_in_use_names_the_process(graph):
    holder = "import sys, time; file = open(sys.argv[1]); print(flush=True); time.sleep(60)"
    with on_pty(FakeDevice(graph)) as path:
        process = subprocess.Popen([sys.executable, "-c", holder, path], stdout=subprocess.PIPE)
        with process:
            process.stdout.readline()
            assert f"(pid {process.pid})" in " ".join(holders.holders(path))
            process.kill()
        with (
            open_transport(f"serial:{path}"),
            pytest.raises(BoardError, match=rf"free.*in use by this program itself \(pid {os.getpid()}\)"),
            open_transport(f"serial:{path}"),
        ):
            pass


def test_a_port_that_another_program_reads_is_refused(monkeypatch):
    monkeypatch.setattr(serial, "holders", lambda path: ["minicom (pid 7)"])
    with pytest.raises(BoardError, match=r"in use by minicom \(pid 7\)"), open_transport("serial:/dev/null"):
        pass


@pytest.mark.parametrize(
    ("group", "mode", "message"),
    [
        ("dialout", 0o660, r"belongs to the group dialout, mode -rw-rw----.*usermod -aG dialout"),
        ("root", 0o660, r"group root.*chmod a\+rw"),
        ("dialout", 0o600, r"mode -rw-------.*chmod a\+rw"),
    ],
)
def test_a_missing_permission_names_the_group(tmp_path, monkeypatch, group, mode, message):
    import grp

    path = tmp_path / "ttyACM0"
    path.touch(mode)
    path.chmod(mode)
    monkeypatch.setattr(grp, "getgrgid", lambda number: SimpleNamespace(gr_name=group))
    with pytest.raises(BoardError, match=message):
        raise holders.open_error(str(path), PermissionError(13, "Permission denied"))


def test_a_missing_port_is_refused():
    with pytest.raises(BoardError, match=r"no such port.*edgekws ports"), open_transport("serial:/dev/ttyNONE7"):
        pass


def test_a_refused_connection_is_a_board_error():
    with pytest.raises(BoardError, match=r"Connection refused.*check host and port"), open_transport("tcp:127.0.0.1:9"):
        pass


def test_a_port_unplugged_during_a_session(graph, monkeypatch):
    """The master's end closes, as when the cable is pulled; then the path is gone as well."""
    master, slave = os.openpty()
    path = os.ttyname(slave)
    with open_transport(f"serial:{path}") as opened:
        os.close(slave)
        os.close(master)
        with pytest.raises(BoardError, match=r"stay connected.*the connection ended"):
            opened.read(2.0)
        monkeypatch.setattr(opening.Path, "exists", lambda path: False)
        with pytest.raises(BoardError, match=r"the port is gone: it was unplugged"):
            opened.write(b"x")


def test_a_port_that_accepts_nothing_times_out(monkeypatch):
    monkeypatch.setattr(opening, "WRITE_TIMEOUT_S", 0.2)
    master, slave = os.openpty()
    tty.setraw(slave)
    with open_transport(f"serial:{os.ttyname(slave)}") as opened:
        with pytest.raises(BoardError, match=r"should accept what is sent.*0.2 s"):
            opened.write(bytes(100_000))
        os.read(master, 100_000)
    os.close(slave)
    os.close(master)
