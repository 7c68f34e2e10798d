"""What a user may type for a port: the same for every command."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from edgekws.cli import app
from edgekws.errors import BoardError, ConfigError
from firmware_io import ports
from firmware_io.ports import Port
from firmware_io.transport import device_url, open_transport, serial_part


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", ""),
        ("/dev/ttyACM0", "serial:/dev/ttyACM0"),
        ("/dev/serial/by-path/pci-0000:00:14.0-usb", "serial:/dev/serial/by-path/pci-0000:00:14.0-usb"),
        ("COM3", "serial:COM3"),
        ("0483:374b", "serial:0483:374b"),
        ("beef:cafe", "serial:beef:cafe"),
        ("sn=066AFF", "serial:sn=066AFF"),
        ("board=nucleo-l4r5zi", "serial:board=nucleo-l4r5zi"),
        ("socket://localhost:4321", "serial:socket://localhost:4321"),
        ("serial:/dev/ttyACM0?baud=9600", "serial:/dev/ttyACM0?baud=9600"),
        ("tcp:localhost:4321", "tcp:localhost:4321"),
        ("io:serial:/dev/ttyACM1", "io:serial:/dev/ttyACM1"),
        ("seral:/dev/ttyACM0", "seral:/dev/ttyACM0"),
    ],
)
def test_a_port_becomes_a_url(text: str, url: str) -> None:
    assert device_url(text) == url == device_url(url)


def test_a_scheme_that_is_mistyped_is_not_taken_for_a_path() -> None:
    with pytest.raises(ConfigError, match="serial"), open_transport(device_url("seral:/dev/ttyACM0")):
        pass


def test_only_the_serial_part_of_a_url_can_be_written_to() -> None:
    assert [serial_part(text) for text in ("", "COM3", "serial:sn=1?baud=9600")] == ["", "COM3", "sn=1?baud=9600"]
    with pytest.raises(ConfigError, match="should be a serial port"):
        serial_part("replay:traffic.jsonl")


@pytest.mark.parametrize("command", ["bench", "flash", "ports"])
def test_every_command_explains_a_port_in_the_same_words(command: str) -> None:
    shown = " ".join(CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "300"}).output.split())
    assert "its path (/dev/ttyACM0), a USB id VID:PID, sn=NUMBER, board=NAME, or a URL: serial:PORT" in shown


@pytest.mark.parametrize("text", ["/dev/ttyNONE7", "serial:/dev/ttyNONE7", "0451:BEF3", "sn=M1", "board=lp-mspm0g5187"])
def test_ports_takes_what_bench_takes(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "listed", lambda: [Port("/dev/ttyNONE7", "0451:bef3", "M1", boards=("lp-mspm0g5187",))])
    done = CliRunner().invoke(app, ["ports", text])
    assert done.exit_code == 0 and done.output.count("/dev/ttyNONE7") == 1, done.output
    other = CliRunner().invoke(app, ["ports", "sn=NONE"])
    assert isinstance(other.exception, BoardError) and "should be plugged in" in str(other.exception)
