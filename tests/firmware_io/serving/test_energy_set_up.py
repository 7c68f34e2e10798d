"""The emulated interface board and meter, without a board: what they answer, byte for byte."""

from __future__ import annotations

import pytest

from firmware_io.serving.energy import meter as meters
from firmware_io.serving.energy.interface_board import EmulatedInterfaceBoard
from firmware_io.serving.energy.meter import NOMINAL_A, EmulatedMeter


class Clock:
    now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(meters, "time", clock)
    return clock


def taken(meter):
    content = bytes(meter.outgoing).decode()
    meter.outgoing.clear()
    return content


def asked(meter, command):
    meter.receive(f"{command}\r\n".encode())
    return taken(meter)


def test_a_second_of_energy_with_an_edge(clock):
    meter = EmulatedMeter(lambda volts: None)
    for command in ("htc", "output energy", "format ascii_dec", "freq 1k", "volt 1800m"):
        assert asked(meter, command) == f"\r\nPowerShield > ack {command}\r\n\r\n"
    assert asked(meter, "volt get") == "\r\nPowerShield > ack volt get 1800-03\r\n\r\n"
    asked(meter, "start")
    clock.now = 0.25
    meter.edge()
    clock.now = 1.0
    meter.produce()
    lines = taken(meter).replace("\0", "").split("\r\n")
    assert lines[0] == "TimeStamp: 000s 000ms, buff 00%" and lines[251] == "event 01 ris"
    assert lines[1:251] + lines[252:-1] == ["1800-08"] * 1000
    assert pytest.approx(1.8 * NOMINAL_A / 1000) == 1800e-8
    end = asked(meter, "stop")
    assert "samples: 1000\r\n" in end and end.endswith("PowerShield > Acquisition completed\r\n")
    meter.edge()
    assert taken(meter) == ""


def test_amperes_and_power():
    volts = []
    meter = EmulatedMeter(volts.append)
    assert meter.sample == NOMINAL_A
    for command in ("volt 3300m", "pwr on nostatus", "pwr off"):
        asked(meter, command)
    assert volts == [3.3, 0.0]


def test_it_says_that_it_is_emulated():
    meter = EmulatedMeter(lambda volts: None)
    assert "EMULATED" in asked(meter, "powershield") and asked(meter, "version").endswith("version 1.0.6\r\n\r\n")


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("dance", "Command unknown"),
        ("stop", "no acquisition"),
        ("format bin_hexa", "sends ascii_dec"),
        ("freq 100k", "1 to 5000 Hz"),
        ("volt high", "not a number"),
    ],
)
def test_what_it_refuses(command, why):
    answer = asked(EmulatedMeter(lambda volts: None), command)
    assert answer.startswith(f"\r\nPowerShield > error {command}\r\nError detail: ") and why in answer


def test_a_host_that_does_not_read_ends_the_acquisition(clock):
    meter = EmulatedMeter(lambda volts: None)
    asked(meter, "freq 5k")
    asked(meter, "start")
    for _ in range(100):
        clock.now += 1.0
        meter.produce()
    assert not meter.acquiring and "error: buffer overflow" in taken(meter)


def test_the_interface_board_relays_from_a_command_to_the_next_ready():
    board = EmulatedInterfaceBoard()
    board.from_device(b"m-init-done\r\nm-ready\r\n")  # nobody asked: kept
    board.from_host(b"setbaud 115200%")  # it starts again: what it kept is gone
    board.from_host(b"checkbaud%name%")
    assert board.to_host == (
        b"set baud to: 115200\nm-ready\r\nbaud is: 115200\nm-ready\r\ntinyML Enhanced Interface Board\r\nm-ready\r\n"
    )
    board.to_host.clear()
    board.from_host(b"dut name%dut profile%")  # the second waits for the first answer
    assert board.to_device == b"name%" and board.to_host == b"m-dut-passthrough(name)\r\nm-ready\r\n"
    board.to_host.clear()
    board.from_device(b"m-name-dut-[x]\r\nm-re")
    board.from_device(b"ady\r\n")
    assert board.to_device == b"name%profile%"
    assert board.to_host == (b"[dut]: m-name-dut-[x]\r\n[dut]: m-ready\r\nm-dut-passthrough(profile)\r\nm-ready\r\n")


def test_a_banner_before_the_first_command_puts_the_interface_board_behind():
    """As the real one: without setbaud the banner is the first answer."""
    board = EmulatedInterfaceBoard()
    board.from_device(b"m-init-done\r\nm-ready\r\n")
    board.from_host(b"dut name%")
    assert board.to_host == (b"m-dut-passthrough(name)\r\nm-ready\r\n[dut]: m-init-done\r\n[dut]: m-ready\r\n")
