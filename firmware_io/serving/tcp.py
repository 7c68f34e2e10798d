"""A port of the network as a door: raw bytes, one client at a time."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from edgekws.errors import BoardError

BUSY = b"e-[This board is in use by another client]\r\n"
"""What a second client is told before its connection is closed."""
_CHUNK = 4096


class Listener:
    """A listening socket, and the connection of the client that is there."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._client: socket.socket | None = None
        self._greeting = b""
        self._refused = 0
        self._just_left = False
        self._next: socket.socket | None = None  # came while the client was leaving

    @property
    def address(self) -> str:
        """HOST:PORT, with the port that was chosen."""
        host, port = self._listening.getsockname()[:2]
        return f"{host}:{port}"

    @property
    def url(self) -> str:
        """For --port."""
        return f"tcp:{self.address}"

    def fileno(self) -> int:
        """Of the client's connection, or of the listening socket without one."""
        return (self._client or self._listening).fileno()

    def poll(self) -> bool:
        """Accept a client; turn all others away. False at least once between two clients."""
        if self._just_left:
            self._just_left = False
            return False
        if self._next is not None:
            connection, self._next = self._next, None
            self._receive(connection)
        while self._next is None:
            try:
                connection, _ = self._listening.accept()
            except BlockingIOError:
                break
            self._receive(connection)
        return self._client is not None

    def greet(self, content: bytes) -> None:
        """Keep a banner for the next client; the one that is there gets it now."""
        self._greeting = content
        if self._client is not None:
            self._say_greeting(self._client)

    def read(self) -> bytes:
        """b"" when the client sent nothing, or has left."""
        if self._client is None:
            return b""
        try:
            content = self._client.recv(_CHUNK)
        except BlockingIOError:
            return b""
        except OSError:  # the connection was reset: it has left
            content = b""
        if not content:
            self.close_client()
        return content

    def write(self, content: bytes) -> int:
        """0 when the connection is full."""
        if self._client is None:
            return 0
        try:
            return self._client.send(content)
        except BlockingIOError:
            return 0
        except OSError:
            self.close_client()
            return 0

    def refused(self) -> int:
        """How many were turned away since the last call."""
        count, self._refused = self._refused, 0
        return count

    def close(self) -> None:
        """End all connections."""
        self.close_client()
        if self._next is not None:
            self._next.close()

    def close_client(self) -> None:
        """End the connection of the client, if there is one."""
        if self._client is not None:
            self._client.close()
            self._just_left = True
        self._client = None

    def _receive(self, connection: socket.socket) -> None:
        """Whether the client has left is looked up after the next one came: it may have left just before."""
        if self._client is None:
            self._accept(connection)
        elif self._is_silent(self._client):
            self._turn_away(connection)
        else:
            self._next = connection

    @staticmethod
    def _is_silent(client: socket.socket) -> bool:
        """Whether there is nothing to read, not even the end of the connection."""
        try:
            client.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:  # the next read finds it, too
            return False
        return False

    def _accept(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        self._client = connection
        self._say_greeting(connection)

    def _say_greeting(self, connection: socket.socket) -> None:
        """A banner is shorter than the buffer of a new connection."""
        greeting, self._greeting = self._greeting, b""
        with contextlib.suppress(OSError):  # it has left already, which the next read finds
            connection.sendall(greeting)

    def _turn_away(self, connection: socket.socket) -> None:
        self._refused += 1
        with connection, contextlib.suppress(OSError):
            connection.sendall(BUSY)


@contextmanager
def opened(host: str, port: int) -> Iterator[Listener]:
    """Listen on `port` of `host`, 0 for a free one, for a `with` block. Raises BoardError when that is not possible."""
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        hint = "choose another port; 0 takes a free one"
        raise BoardError(f"--tcp {host}:{port} should be free", got=str(error.strerror or error), hint=hint) from error
    with listening:
        listening.setblocking(False)
        listener = Listener(listening)
        try:
            yield listener
        finally:
            listener.close()
