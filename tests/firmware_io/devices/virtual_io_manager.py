"""An IO manager in Python: EEMBC's Arduino or MLCommons' interface board, on a pty, in front of a device.

The device is anything with read() and write() of bytes, which do not wait: `Wired` (a FakeDevice), or an open
pyserial port with timeout 0 (a pty, QEMU's socket).

Sources, from which every literal was taken:
mlc    mlcommons/tiny @1afd2c9, benchmark/interface/Application: CLI/InterfaceMenu.cpp (commands and answers),
       CLI/Menu.cpp (which command is meant; the relay waits for the device's m-ready without end), IO/Uart.cpp (queues
       of 100 bytes, what does not fit is dropped), Test/DeviceUnderTest.cpp; benchmark/interface/Core: baud_config
       (9600 baud unless `setbaud` stored another rate up to 2,000,000). Earlier InterfaceMenu.cpp: 42db64b answers
       checkbaud(N) and setbaud(N); f0d1362 has neither command.
eembc  session logs, for example mlcommons/tiny_results_v1.0, closed/STMicroelectronics/results/NUCLEO_L4R5ZI/kws/
       energy/log.txt: echo, m-ready, the prefix, and that the device is relayed whenever it speaks. Its firmware is
       closed: its answers to `name` and to an unknown command are NOT known and are invented here.
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
from typing import Literal, Protocol

_QUEUE = 100  # bytes that the interface board keeps of the device while it does not listen, and of the host
_FASTEST = 2_000_000
_COMMANDS = ("dut", "name", "ls", "play", "setbaud", "checkbaud", "record_detections", "print_detections",
             "print_dutycycle")  # fmt: skip
"""Of the interface board, in its order."""
Version = Literal["1afd2c9", "42db64b", "f0d1362"]


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
    with this number reaches the manager with a wrong character. silent_s: it boots for so long, also after `setbaud`.
    """

    lose_answer: int | None = None
    spoil: int | None = None
    silent_s: float = 0.0
    refuse: bool = False


class VirtualIoManager:
    """dialect `eembc`: relays the device whenever it speaks. `mlc`: from a command to the next m-ready only, and till
    then it keeps commands unread; what the device says in between is kept (the first 100 bytes).

    throttle: the device's side takes 10 bits a byte. device_baud: of the device, whose bytes are otherwise garbage.
    version: the commit of the interface board's firmware.
    """

    def __init__(
        self,
        line: DeviceLine,
        dialect: str,
        faults: Faults | None = None,
        throttle: bool = False,
        device_baud: int | None = None,
        version: Version = "1afd2c9",
    ) -> None:
        self.line, self.dialect, self.faults, self.throttle = line, dialect, faults or Faults(), throttle
        self.device_baud, self.version = device_baud, version
        self.baud = 9600
        self.commands: list[str] = []  # of the host
        self.restarts = 0
        self.unread, self.kept = b"", b""
        self.passed = 0
        self.relaying = dialect == "eembc"
        self._boot()

    def receive(self, content: bytes) -> bytes:
        """Bytes of the host; gives the answers."""
        answer = b""
        for byte in content:
            if time.monotonic() >= self.deaf_until and len(self.unread) < _QUEUE:
                self.unread += bytes([byte])
            answer += self._listen()
        return answer

    def poll(self) -> bytes:
        """What the device said, and answers to commands that were kept meanwhile."""
        heard = self._wire(self.line.read(1 if self.throttle else 4096))
        if time.monotonic() < self.deaf_until:
            return b""
        if heard and self.throttle:
            time.sleep(10 / self.baud)
        self.kept += heard
        shown = self._relayed() if self.relaying else b""
        if not self.relaying:
            self.kept = self.kept[:_QUEUE]
        return shown + self._listen()

    def _relayed(self) -> bytes:
        *lines, self.kept = self.kept.split(b"\r\n")
        shown = b""
        for number, line in enumerate(lines):
            shown += b"[dut]: " + line + b"\r\n"
            if line == b"m-ready" and self.dialect == "mlc":
                self.relaying = False
                self.kept = b"\r\n".join([*lines[number + 1 :], self.kept])
                break
        return shown

    def _listen(self) -> bytes:
        answer = b""
        while b"%" in self.unread and not (self.relaying and self.dialect == "mlc"):
            command, _, self.unread = self.unread.partition(b"%")
            answer += self._answer(command.decode("latin-1")).encode("latin-1")
        return answer

    def _answer(self, command: str) -> str:
        self.commands.append(command)
        if self.dialect == "mlc":
            return self._interface_board(command)
        word, _, rest = command.partition(" ")
        if word == "dut":
            return self._pass_on(rest)
        own = {"name": "m-name-io-[io-manager 1.0.3]"}
        return f"{own.get(word, 'e-[Unknown command]')}\r\nm-ready\r\n"

    def _interface_board(self, command: str) -> str:
        known = _COMMANDS if self.version == "1afd2c9" else _COMMANDS[:-1]
        if self.version == "f0d1362":
            known = tuple(word for word in known if "baud" not in word)
        word = next((word for word in known if command.startswith(word)), None)
        if word is None:
            return "m-ready\r\n"
        rest = command.removeprefix(word)
        if rest and (rest[0] != " " or len(rest) == 1):
            return ""  # neither done nor refused
        return self._do(word, rest[1:])

    def _do(self, word: str, rest: str) -> str:
        new = self.version == "1afd2c9"
        if word == "dut":
            return self._pass_on(rest)
        if word == "name":
            return "tinyML Enhanced Interface Board\r\nm-ready\r\n"
        if word == "checkbaud":
            return (f"baud is: {self.baud}\n" if new else f"checkbaud({self.baud})\r\n") + "m-ready\r\n"
        if word == "setbaud":
            self.baud = int(rest) if 0 < int(rest) <= _FASTEST else 9600
            self.restarts += 1
            self._boot()
            return (f"set baud to: {rest}\n" if new else f"setbaud({rest})\r\n") + "m-ready\r\n"
        raise NotImplementedError(word)

    def _boot(self) -> None:
        self.unread, self.kept = b"", b""
        self.relaying = self.dialect == "eembc"
        self.deaf_until = time.monotonic() + self.faults.silent_s

    def _pass_on(self, command: str) -> str:
        number, self.passed = self.passed, self.passed + 1
        if self.faults.refuse:
            return "e-[Not now]\r\nm-ready\r\n"
        if number == self.faults.spoil:
            command = command[:-1] + "?"
        for byte in f"{command}%".encode("latin-1"):
            if self.throttle:
                time.sleep(10 / self.baud)
            self.line.write(self._wire(bytes([byte])))
        if number == self.faults.lose_answer:
            while self.line.read(4096):
                pass
        self.relaying = True
        return f"m-dut-passthrough({command})\r\nm-ready\r\n"

    def _wire(self, content: bytes) -> bytes:
        """Bytes between manager and device, as the other end hears them."""
        wrong = self.device_baud not in (None, self.baud)
        return bytes(byte | 0xC0 for byte in content) if wrong else content


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
