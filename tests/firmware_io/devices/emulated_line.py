"""A wire to an emulated boot loader: a pseudo-terminal, with noise in both directions."""

from __future__ import annotations

import os
import pty
import random
import select
import signal
import termios
import threading
import tty
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Protocol

BAUDS = {getattr(termios, name): int(name[1:]) for name in dir(termios) if name[:1] == "B" and name[1:].isdigit()}


class Device(Protocol):
    def receive(self, content: bytes, baud: int) -> Iterable[bytes]:
        """What the device answers, piece by piece, to these bytes, which the host sent with this rate."""


class Noise:
    """Damages a packet with the given probabilities: one byte of it changed, or lost."""

    def __init__(self, seed: int = 0, corrupt: float = 0.0, drop: float = 0.0) -> None:
        self._rng = random.Random(seed)
        self._corrupt, self._drop = corrupt, drop
        self.strikes = 0

    def __call__(self, packet: bytes, share: float = 1.0) -> bytes:
        """share: of a whole packet, for what is only a part of one."""
        if not packet:
            return packet
        at = self._rng.randrange(len(packet))
        luck = self._rng.random()
        if luck < self._corrupt * share:
            self.strikes += 1
            return packet[:at] + bytes([packet[at] ^ self._rng.randrange(1, 256)]) + packet[at + 1 :]
        if luck < (self._corrupt + self._drop) * share:
            self.strikes += 1
            return packet[:at] + packet[at + 1 :]
        return packet


class KillsHost:
    """A device whose host program is killed (SIGKILL) as soon as `reached()` holds, before it gets an answer."""

    def __init__(self, device: Device, reached: Callable[[], bool]) -> None:
        self._device, self._reached = device, reached
        self.host: Future[int] = Future()
        """Process id of the program."""
        self._killed = False

    def receive(self, content: bytes, baud: int) -> Iterable[bytes]:
        answers = list(self._device.receive(content, baud))
        if self._reached() and not self._killed:
            self._killed = True
            os.kill(self.host.result(timeout=60), signal.SIGKILL)
            return []
        return answers


@contextmanager
def on_pty(device: Device) -> Iterator[str]:
    """Serve `device`; give the path that pyserial opens. It may be opened many times, one after another."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    stop_read, stop_write = os.pipe()
    thread = threading.Thread(target=_serve, args=(device, master, slave, stop_read))
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        os.write(stop_write, b"x")
        thread.join()
        for descriptor in (master, slave, stop_read, stop_write):
            os.close(descriptor)


def _serve(device: Device, master: int, slave: int, stop: int) -> None:
    while True:
        ready, _, _ = select.select([master, stop], [], [])
        if stop in ready:
            return
        content = os.read(master, 1 << 16)
        for answer in device.receive(content, BAUDS[termios.tcgetattr(slave)[4]]):
            written = 0
            while written < len(answer):
                written += os.write(master, answer[written:])
