"""A served board behaves as a serial device does: the door and the relay, with a board that a test plays."""

from __future__ import annotations

import os
import socket
import termios
import threading
import time
from contextlib import contextmanager, suppress

import pytest
import serial

from edgekws.errors import BoardError, ConfigError
from firmware_io import serving
from firmware_io.serving.relay import LIMIT_BYTES, Relay, Visit
from firmware_io.serving.tcp import BUSY

BANNER = b"m-init-done\r\nm-ready\r\n"
MUCH = bytes(range(256)) * 4096  # 1 MB, every byte value: a terminal that is not raw would change some


class PlayedBoard:
    """A BoardLine whose program is the test: `ours` is its end of the line."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.theirs.setblocking(False)
        self.waiting, self.restarts = bytearray(), 0
        self.ours.sendall(BANNER)

    @property
    def unsent(self):
        return len(self.waiting)

    def fileno(self):
        return self.theirs.fileno()

    def read(self, timeout_s):
        self.theirs.settimeout(timeout_s)
        try:
            return self.theirs.recv(4096)
        except (TimeoutError, BlockingIOError):
            return b""
        finally:
            self.theirs.setblocking(False)

    def write(self, content):
        self.waiting += content

    def flush(self):
        with suppress(BlockingIOError):  # full; the next flush sends it
            del self.waiting[: self.theirs.send(self.waiting)]

    def restart(self):
        self.restarts += 1
        self.ours.sendall(BANNER)

    def close(self):
        self.ours.close()
        self.theirs.close()


@contextmanager
def relayed(tcp="", reset=False):
    """Give (board, address, visits, relay) of a relay that runs."""
    board, visits, stop = PlayedBoard(), [], threading.Event()
    with serving.door(tcp) as door:
        relay = Relay(board, door, visits.append, reset=reset)
        relay.greet()
        thread = threading.Thread(daemon=True, target=relay.run, args=(stop.is_set,))
        thread.start()
        try:
            yield board, door.address, visits, relay
        finally:
            stop.set()
            thread.join()
            board.close()


def wait_until(holds, seconds=20):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def exactly(read, count):
    content = b""
    while len(content) < count:
        received = read(count - len(content))
        assert received, f"the end after {content!r}"
        content += received
    return content


@contextmanager
def opened(path):
    """A program that opens the terminal with nothing but the operating system."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def left(visits, number):
    wait_until(lambda: any(visit and visit.number == number and visit.seconds is not None for visit in list(visits)))


def test_the_first_reader_finds_the_banner_and_bytes_pass_both_ways():
    with relayed() as (board, path, _, _), opened(path) as client:
        assert exactly(lambda count: os.read(client, count), len(BANNER)) == BANNER
        os.write(client, b"name%")
        assert board.ours.recv(100) == b"name%"
        board.ours.sendall(b"m-name-dut-[x]\r\n")
        assert exactly(lambda count: os.read(client, count), 16) == b"m-name-dut-[x]\r\n"


def test_nothing_is_lost_or_changed_and_a_slow_reader_stops_the_board():
    with relayed() as (board, path, visits, relay):
        with opened(path) as client:
            exactly(lambda count: os.read(client, count), len(BANNER))
            writer = threading.Thread(daemon=True, target=board.ours.sendall, args=(MUCH,))
            writer.start()
            time.sleep(0.5)
            assert writer.is_alive() and len(relay._to_client) <= LIMIT_BYTES + 4096  # nobody reads
            assert exactly(lambda count: os.read(client, count), len(MUCH)) == MUCH
            writer.join()
        left(visits, 1)
    assert visits[-1].sent == len(MUCH)


def test_a_board_that_is_busy_stops_the_client():
    with relayed() as (board, path, _, _), opened(path) as client:
        parts = [MUCH[at : at + 64] for at in range(0, len(MUCH), 64)]
        writer = threading.Thread(daemon=True, target=lambda: [os.write(client, part) for part in parts])
        writer.start()
        time.sleep(0.5)
        assert writer.is_alive() and board.unsent <= LIMIT_BYTES + 4096
        assert exactly(board.ours.recv, len(MUCH)) == MUCH
        writer.join()


@pytest.mark.parametrize("baud", [9600, 115_200, 921_600])
def test_any_baud_rate_of_a_client(baud):
    with relayed() as (board, path, _, _), serial.Serial(path, baud, timeout=10, exclusive=True) as client:
        client.write(b"name%")
        assert board.ours.recv(100) == b"name%"
        board.ours.sendall(b"m-ready\r\n")
        assert client.read(9) == b"m-ready\r\n"


def test_what_one_client_leaves_does_not_reach_the_next():
    """Unread answers, a terminal with echo and lines, and what the board says while nobody is there."""
    with relayed() as (board, path, visits, _):
        with opened(path) as client:
            mode = termios.tcgetattr(client)
            mode[3] |= termios.ECHO | termios.ICANON
            termios.tcsetattr(client, termios.TCSANOW, mode)
            board.ours.sendall(b"never read\r\n")
            wait_until(lambda: visits)
            time.sleep(0.2)
        left(visits, 1)
        board.ours.recv(100)  # the echo
        board.ours.sendall(b"said to nobody\r\n")
        time.sleep(0.2)
        with opened(path) as client:
            os.write(client, b"name%")
            assert board.ours.recv(100) == b"name%"
            board.ours.sendall(b"m-ready\r\n")
            assert exactly(lambda count: os.read(client, count), 9) == b"m-ready\r\n"
        left(visits, 2)
    assert [visit.number for visit in visits if visit.seconds is None] == [1, 2]


def test_a_reset_between_clients_on_request():
    with relayed(reset=True) as (board, path, visits, _):
        for number in (1, 2, 3):
            with opened(path) as client:
                assert exactly(lambda count, fd=client: os.read(fd, count), len(BANNER)) == BANNER
                wait_until(lambda number=number: visits and visits[-1] == Visit(number))
            left(visits, number)
            wait_until(lambda number=number: board.restarts == number)


def client_of(address):
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def test_one_client_at_a_time_on_the_network():
    with relayed("127.0.0.1:0") as (board, address, visits, _):
        with client_of(address) as client:
            assert exactly(client.recv, len(BANNER)) == BANNER
            with client_of(address) as second:
                assert exactly(second.recv, len(BUSY)) == BUSY and second.recv(1) == b""
            client.sendall(b"name%")
            assert board.ours.recv(100) == b"name%"
        left(visits, 1)
        with client_of(address) as client:
            client.sendall(b"name%")
            assert board.ours.recv(100) == b"name%"
            board.ours.sendall(MUCH)
            assert exactly(client.recv, len(MUCH)) == MUCH
    assert visits.count(None) == 1 and visits[-1] == Visit(2, 5, len(MUCH), visits[-1].seconds)


def test_a_second_client_while_the_first_one_is_sending():
    with relayed("127.0.0.1:0") as (board, address, _, _), client_of(address) as client:
        writer = threading.Thread(daemon=True, target=client.sendall, args=(MUCH,))
        writer.start()
        with client_of(address) as second:
            assert exactly(board.ours.recv, len(MUCH)) == MUCH
            assert exactly(second.recv, len(BUSY)) == BUSY and second.recv(1) == b""


def test_a_client_that_comes_at_the_moment_the_last_one_leaves():
    with relayed("127.0.0.1:0", reset=True) as (board, address, visits, _):
        for _ in range(50):
            with client_of(address) as client:
                assert exactly(client.recv, len(BANNER)) == BANNER
                client.sendall(b"name%")
        left(visits, 50)
        wait_until(lambda: board.restarts == 50)
        assert exactly(board.ours.recv, 250) == b"name%" * 50
    assert [visit.number for visit in visits if visit and visit.seconds] == list(range(1, 51))


@pytest.mark.parametrize("tcp", ["4000", "127.0.0.1:", "127.0.0.1:x", ":4000", "127.0.0.1:70000"])
def test_malformed_addresses(tcp):
    with pytest.raises(ConfigError, match="HOST:PORT"):
        serving.door(tcp)


def test_an_address_that_is_taken():
    with (
        serving.door("127.0.0.1:0") as door,
        pytest.raises(BoardError, match="should be free"),
        serving.door(door.address),
    ):
        pass


def test_the_link_is_removed_but_not_that_of_a_later_server(tmp_path):
    link = tmp_path / "links" / "board"
    with serving.door(link=link) as first:
        assert first.address == str(link) and link.resolve().is_char_device()
    assert not link.is_symlink()
    with serving.door(link=link) as later:
        early = serving.door(link=link)
        with early:
            path = link.readlink()
        assert not link.is_symlink() and later.address == str(link)
        link.symlink_to(path)
    assert link.readlink() == path


def test_the_link_replaces_no_file(tmp_path):
    (tmp_path / "board").write_text("notes")
    with pytest.raises(BoardError, match="a file that is no link"), serving.door(link=tmp_path / "board"):
        pass
    assert (tmp_path / "board").read_text() == "notes"
