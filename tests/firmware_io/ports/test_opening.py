"""Opening a port loses no byte that the device sends."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import suppress

import pytest
import serial
from serial import rfc2217

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


@pytest.fixture
def terminal() -> Iterator[str]:
    """A pseudo-terminal whose other end speaks before anybody opens it, as the firmware of the board `host` does."""
    master, slave = os.openpty()
    tty.setraw(slave)
    os.write(master, BANNER)
    try:
        yield os.ttyname(slave)
    finally:
        os.close(slave)
        os.close(master)


@pytest.mark.parametrize("scheme", ["", "spy://", "alt://"])
def test_a_boot_banner_that_waits_in_a_terminal_is_kept(terminal, scheme, capfd):
    with open_port(f"{scheme}{terminal}", exclusive=None) as port:
        assert port.read(1) == BANNER


def test_the_input_of_an_open_terminal_can_still_be_emptied(terminal):
    with open_serial(terminal, timeout=0.1) as port:
        port.reset_input_buffer()
        assert port.read(1) == b""


class TelnetServer:
    """A serial port on the network (RFC 2217) whose device speaks as soon as there is a client."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"rfc2217://127.0.0.1:{self.listener.getsockname()[1]}"
        self.client: socket.socket | None = None
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def write(self, content: bytes) -> None:
        self.client.sendall(content)

    def _serve(self) -> None:
        self.client, _ = self.listener.accept()
        with self.client, serial.serial_for_url("loop://") as device:
            manager = rfc2217.PortManager(device, self)
            self.write(BANNER)
            while content := self.client.recv(1024):
                b"".join(manager.filter(content))

    def close(self) -> None:
        with suppress(OSError):  # the client has ended the connection
            assert self.client, "nobody has connected"
            self.client.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()


@pytest.mark.filterwarnings("ignore:set(Daemon|Name)")
def test_a_boot_banner_that_arrives_during_the_negotiation_with_a_serial_server_is_kept():
    server = TelnetServer()
    try:
        with open_serial(server.url, timeout=10) as port:
            assert port.read(len(BANNER)) == BANNER
    finally:
        server.close()


def test_a_closed_socket_does_not_hold_up_its_owner(url, monkeypatch):
    """pyserial sleeps for 0.3 s."""
    with open_port(url) as port:
        monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail(f"it sleeps for {seconds} s"))
        port.close()
