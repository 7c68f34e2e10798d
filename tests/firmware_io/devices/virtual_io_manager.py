"""An IO manager in Python: EEMBC's Arduino or MLCommons' interface board, on a pty, in front of a device.

The device is anything with read() and write() of bytes, which do not wait: `Wired` (a FakeDevice), or an open
pyserial port with timeout 0 (a pty, QEMU's socket).
"""

from __future__ import annotations

import os
import select
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

_QUEUE = 100  # bytes that the interface board keeps of the device while it does not listen


class DeviceLine(Protocol):
    def read(self, size: int) -> bytes: ...

    def write(self, content: bytes) -> object: ...


class Wired:
    """A FakeDevice as a line; `banner` waits in it."""

    def __init__(self, device, banner: bytes = b"") -> None:
        self.device, self.waiting = device, banner

    def read(self, size: int) -> bytes:
        content, self.waiting = self.waiting[:size], self.waiting[size:]
        return content

    def write(self, content: bytes) -> None:
        self.waiting += self.device.receive(content)


@dataclass
class Faults:
    """lose_answer: the device's whole answer to this command (from 0) is lost behind the manager. spoil: the command
    with this number reaches the manager with a wrong character. silent_s: it boots for so long."""

    lose_answer: int | None = None
    spoil: int | None = None
    silent_s: float = 0.0
    refuse: bool = False


class VirtualIoManager:
    """dialect `eembc`: relays the device whenever it speaks. `mlc`: from a command to the next m-ready only; what the
    device says in between is kept (the first 100 bytes). throttle: the device's side takes 10 bits a byte."""

    def __init__(self, line: DeviceLine, dialect: str, faults: Faults | None = None, throttle: bool = False) -> None:
        self.line, self.dialect, self.faults, self.throttle = line, dialect, faults or Faults(), throttle
        self.baud = 9600 if dialect == "eembc" else 115_200
        self.commands: list[str] = []  # of the host
        self.restarts = 0
        self.command, self.kept = b"", b""
        self.passed = 0
        self.relaying = dialect == "eembc"
        self.deaf_until = time.monotonic() + self.faults.silent_s

    def receive(self, content: bytes) -> bytes:
        """Bytes of the host; gives the answers."""
        if time.monotonic() < self.deaf_until:
            return b""
        *commands, self.command = (self.command + content).split(b"%")
        return b"".join(self._answer(command.decode("latin-1")) for command in commands)

    def poll(self) -> bytes:
        """What the device said."""
        heard = self.line.read(1 if self.throttle else 4096)
        if heard and self.throttle:
            time.sleep(10 / self.baud)
        self.kept += heard
        if not self.relaying:
            self.kept = self.kept[:_QUEUE]
            return b""
        *lines, self.kept = self.kept.split(b"\r\n")
        shown = b""
        for number, line in enumerate(lines):
            shown += b"[dut]: " + line + b"\r\n"
            if line == b"m-ready" and self.dialect == "mlc":
                self.relaying = False
                self.kept = b"\r\n".join([*lines[number + 1 :], self.kept])
                break
        return shown

    def _answer(self, command: str) -> bytes:
        self.commands.append(command)
        word, _, rest = command.partition(" ")
        if word == "dut":
            return self._pass_on(rest)
        own = {
            "name": "tinyML Enhanced Interface Board" if self.dialect == "mlc" else "m-name-io-[io-manager 1.0.3]",
            "checkbaud": f"checkbaud({self.baud})",
            "setbaud": f"setbaud({rest})",
        }
        if word == "setbaud" and self.dialect == "mlc":
            self.baud, self.kept, self.relaying = int(rest), b"", False
            self.restarts += 1
        return f"{own.get(word, 'e-[Unknown command]')}\r\nm-ready\r\n".encode()

    def _pass_on(self, command: str) -> bytes:
        number, self.passed = self.passed, self.passed + 1
        if self.faults.refuse:
            return b"e-[Not now]\r\nm-ready\r\n"
        if number == self.faults.spoil:
            command = command[:-1] + "?"
        for byte in f"{command}%".encode("latin-1"):
            if self.throttle:
                time.sleep(10 / self.baud)
            self.line.write(bytes([byte]))
        if number == self.faults.lose_answer:
            while self.line.read(4096):
                pass
        self.relaying = True
        return f"m-dut-passthrough({command})\r\nm-ready\r\n".encode("latin-1")


class DirectManager:
    """A virtual manager as a transport in the same thread; silence takes no time."""

    def __init__(self, manager: VirtualIoManager) -> None:
        self.manager, self.waiting = manager, b""

    def read(self, timeout_s: float) -> bytes:
        self.waiting += self.manager.poll()
        content, self.waiting = self.waiting[:7], self.waiting[7:]
        return content

    def write(self, content: bytes) -> None:
        self.waiting += self.manager.receive(content)

    def close(self) -> None:
        self.waiting = b""


@contextmanager
def on_pty(manager: VirtualIoManager) -> Iterator[str]:
    """Give the path of the pty to the host."""
    master, slave = os.openpty()
    tty.setraw(slave)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            answer = b""
            if select.select([master], [], [], 0.002)[0]:
                answer = manager.receive(os.read(master, 1024))
            answer += manager.poll()
            if answer:
                os.write(master, answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        stop.set()
        thread.join()
        os.close(slave)
        os.close(master)
