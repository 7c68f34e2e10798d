"""A thread that reads a meter's port continuously, so that no sample is lost while the bench waits for the board."""

from __future__ import annotations

import threading
import time

from edgekws.errors import BoardError
from firmware_io.transport import Transport

_POLL_S = 0.05


class Pump:
    """Reads `port` from start() on. Received bytes can be taken even after the port is gone."""

    def __init__(self, port: Transport) -> None:
        self._port = port
        self._parts: list[bytes] = []
        self._changed = threading.Condition()
        self._failure: BoardError | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="meter", daemon=True)

    def start(self) -> None:
        """Start the thread; until `stop` nothing else may read the port."""
        self._thread.start()

    def take(self, timeout_s: float) -> bytes:
        """Bytes received since the last call; b"" after `timeout_s` of silence.

        Raises BoardError when the port is gone and all bytes before that were taken.
        """
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not self._parts:
                if self._failure:
                    raise self._failure
                remaining = deadline - time.monotonic()
                if remaining <= 0 or not self._changed.wait(remaining):
                    return b""
            content = b"".join(self._parts)
            self._parts = []
            return content

    def stop(self) -> None:
        """End the thread; the caller may read the port again."""
        self._stopping = True
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            try:
                content = self._port.read(_POLL_S)
            except BoardError as error:
                with self._changed:
                    self._failure = error
                    self._changed.notify()
                return
            if content:
                with self._changed:
                    self._parts.append(content)
                    self._changed.notify()
