"""Opening a port loses no byte that the device sends."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import pytest

from firmware_io.ports.opening import open_port, open_serial

BANNER = b"m-timestamp-mode-performance\r\nm-init-done\r\nm-ready\r\n"


@pytest.fixture
def url(monkeypatch) -> Iterator[str]:
    """A board that starts at the connection; the host goes on only after the boot banner has arrived."""
    connect, boards = socket.create_connection, []

    def connect_then_stall(*arguments, **options):
        connection = connect(*arguments, **options)
        boards.append(listener.accept()[0])
        boards[0].sendall(BANNER)
        assert select.select([connection], [], [], 60)[0]
        return connection

    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setattr(socket, "create_connection", connect_then_stall)
        yield f"socket://127.0.0.1:{listener.getsockname()[1]}"
    for board in boards:
        board.close()


def test_a_boot_banner_that_arrives_while_a_socket_opens_is_kept(url):
    with open_port(url) as port:
        assert port.read(1) == BANNER


def test_the_input_of_an_open_socket_can_still_be_emptied(url):
    with open_serial(url, timeout=0.1) as port:
        assert port.read(1) == BANNER[:1]
        port.reset_input_buffer()
        assert port.read(1) == b""
