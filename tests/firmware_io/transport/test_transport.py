"""Transports: serial on a pty, tcp, recording and replay, and what goes wrong with them."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest

from edgekws.errors import ArtifactError, BoardError, ConfigError, ProtocolError
from firmware_io.protocol.session import Session, Timeouts
from firmware_io.transport import open_transport
from tests.firmware_io.devices.fake_device import FakeDevice, on_pty

NAME_ANSWER = b"m-name-dut-[fake]\r\nm-ready\r\n"


def read_all(opened, size, timeout_s=2.0):
    content = b""
    while len(content) < size:
        part = opened.read(timeout_s)
        assert part, f"silence after {content!r}"
        content += part
    return content


def test_serial_talks_to_a_pty(graph):
    with on_pty(FakeDevice(graph)) as path, open_transport(f"serial:{path}?baud=9600") as opened:
        opened.write(b"name%")
        assert read_all(opened, len(NAME_ANSWER)) == NAME_ANSWER


def test_a_read_without_data_takes_its_timeout_and_no_longer(graph):
    with on_pty(FakeDevice(graph)) as path, open_transport(f"serial:{path}") as opened:
        start = time.monotonic()
        assert opened.read(0.2) == b""
        assert 0.2 <= time.monotonic() - start < 10


@pytest.fixture
def server():
    """(port, connections): a listening socket of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_tcp_talks_to_a_socket(server, graph):
    device = FakeDevice(graph)

    def serve():
        connection, _ = server.accept()
        with connection:
            while content := connection.recv(100):
                connection.sendall(device.receive(content))

    thread = threading.Thread(target=serve)
    thread.start()
    with open_transport(f"tcp:127.0.0.1:{server.getsockname()[1]}") as opened:
        opened.write(b"name%")
        assert read_all(opened, len(NAME_ANSWER)) == NAME_ANSWER
    thread.join(timeout=60)
    assert not thread.is_alive()


def test_tcp_that_hangs_up_is_a_board_error(server):
    def hang_up():
        connection, _ = server.accept()
        connection.close()

    thread = threading.Thread(target=hang_up)
    thread.start()
    with open_transport(f"tcp:127.0.0.1:{server.getsockname()[1]}") as opened:
        thread.join()
        with pytest.raises(BoardError, match="the connection ended"):
            opened.read(2.0)


@pytest.mark.parametrize("url", ["serial:/dev/there-is-no-such-port", "tcp:127.0.0.1:1"])
def test_a_port_that_cannot_be_opened(url):
    with pytest.raises(BoardError, match=r"can be opened.*What to do"), open_transport(url):
        pass


@pytest.mark.parametrize(
    "url", ["", "/dev/ttyACM0", "telnet:x", "_port:x", "serial:", "serial:x?baud=fast", "serial:x?parity=n", "tcp:host"]
)
def test_malformed_urls_are_refused(url):
    with pytest.raises(ConfigError), open_transport(url):
        pass


@pytest.mark.parametrize("url", ["qemu:qemu-an386", "host:"])
def test_launched_boards_need_a_firmware_file(url, tmp_path):
    with pytest.raises(BoardError, match=r"build it first"), open_transport(url):
        pass
    with pytest.raises(BoardError, match="does not exist"), open_transport(url, elf=tmp_path / "no.elf"):
        pass


SENT = (
    "name%check 1%profile%timestamp%db load 490%"
    + f"db {'00' * 38}%" * 12
    + f"db {'00' * (490 - 12 * 38)}%"
    + "infer 2 1%"
)


def record_a_session(graph, path):
    with on_pty(FakeDevice(graph)) as port, open_transport(f"spy:{path}:serial:{port}") as opened:
        return talk(opened, graph)


def talk(opened, graph):
    session = Session(opened, Timeouts(quiet_s=0.05))
    identity = session.start()
    session.load(bytes(490))
    window = session.infer(2, 1)
    return identity, window.permille, window.start_us, window.end_us


def test_recorded_traffic_plays_the_same_session(graph, tmp_path):
    path = tmp_path / "traffic.jsonl"
    recorded = record_a_session(graph, path)
    header, *events = [json.loads(line) for line in path.read_text().splitlines()]
    assert (header["kind"], header["version"]) == ("edgekws-traffic", 2)
    assert "".join(event.get("to", "") for event in events) == SENT
    with open_transport(f"replay:{path}") as opened:
        assert talk(opened, graph) == recorded


def test_replay_refuses_another_command(graph, tmp_path):
    path = tmp_path / "traffic.jsonl"
    record_a_session(graph, path)
    with pytest.raises(ProtocolError, match=r"'name%'.*'help%'"), open_transport(f"replay:{path}") as opened:
        opened.write(b"help%")


def test_replay_refuses_to_end_early_or_late(graph, tmp_path):
    path = tmp_path / "traffic.jsonl"
    record_a_session(graph, path)
    with pytest.raises(ProtocolError, match="end of the session"), open_transport(f"replay:{path}") as opened:
        Session(opened).start()
    with open_transport(f"replay:{path}") as opened:
        talk(opened, graph)
        with pytest.raises(ProtocolError, match="is the end of the session"):
            opened.write(b"name%")


def test_a_failed_session_is_recorded_too(graph, tmp_path):
    path = tmp_path / "traffic.jsonl"
    with (
        on_pty(FakeDevice(graph)) as port,
        pytest.raises(ZeroDivisionError),
        open_transport(f"spy:{path}:serial:{port}") as opened,
    ):
        opened.write(b"na")
        raise ZeroDivisionError
    assert '"to": "na"' in path.read_text()


@pytest.mark.parametrize(
    "content",
    [
        *("", "not json\n", "[]\n", '{"kind": "edgekws-traffic", "version": 3}\n', '{"kind": "other", "version": 1}\n'),
        *(f'{{"kind": "edgekws-traffic", "version": 1}}\n{row}\n' for row in ('{"s": 1}', "7")),
    ],
)
def test_damaged_recordings_are_refused(content, tmp_path):
    path = tmp_path / "traffic.jsonl"
    path.write_text(content)
    with pytest.raises(ArtifactError), open_transport(f"replay:{path}"):
        pass


def test_a_missing_recording_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="recorded traffic"), open_transport(f"replay:{tmp_path / 'no'}"):
        pass
