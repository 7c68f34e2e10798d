"""A device in Python that speaks the MLPerf Tiny protocol, with faults to be injected.

`FakeDevice` is bytes in, bytes out; `Direct` makes a transport of it without a port; `on_pty`
puts it behind a pseudo-terminal, where pyserial opens it like a board.
"""

from __future__ import annotations

import os
import select
import string
import threading
import time
import tty
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from edgekws.graph import interp
from edgekws.graph.ir import Graph
from edgekws.graph.softmax import permille

BANNER = "m-timestamp-mode-performance\r\nm-lap-us-63\r\nm-init-done\r\nm-ready\r\n"


@dataclass
class Faults:
    """lose: this byte of what the host sends (counted from 0) never arrives. command: number of the command
    (from 0) at which `silent`, `garbage`, `half_line`, `reset`, `hang_up` strike; once, unless `always`."""

    lose: int | None = None
    command: int = 0
    silent: bool = False
    garbage: bool = False
    half_line: bool = False
    reset: bool = False
    always: bool = False
    wrong_score_at: int | None = None
    wrong_text_at: int | None = None
    wrong_crc: bool = False
    backwards: bool = False
    slow_s: float = 0.0
    banner: bool = False


class FakeDevice:
    def __init__(
        self,
        graph: Graph,
        faults: Faults | None = None,
        raw: bool = True,
        us_per_inference: int = 2000,
        stack: str | None = None,
    ):
        """stack: answer to `memory` between its brackets; None: the command is unknown."""
        self.graph, self.faults, self.has_raw, self.us = graph, faults or Faults(), raw, us_per_inference
        self.stack = stack
        self.clock_us = 63
        self.received = self.commands = self.inferences = 0
        self.command = b""
        self.buffer = b""
        self.size = graph.features.frames * graph.features.coefficients
        self.scores = np.zeros(len(graph.labels), np.int8)
        self.expected = 0

    def receive(self, content: bytes) -> bytes:
        answer = b""
        for byte in content:
            lost = self.received == self.faults.lose
            self.received += 1
            if lost:
                continue
            if byte == ord("%"):
                answer += self._faulty(self.command.decode())
                self.command = b""
            else:
                self.command += bytes([byte])
        return answer

    def _faulty(self, command: str) -> bytes:
        number, faults = self.commands, self.faults
        self.commands += 1
        strikes = number >= faults.command if faults.always else number == faults.command
        answer = (self._answer(command) + "m-ready\r\n").encode()
        if strikes and faults.silent:
            return b""
        if strikes and faults.garbage:
            return b"\xf3\x9c\x00\xff" * 5 + b"\r\n"
        if strikes and faults.half_line:
            return answer[:5]
        if strikes and faults.reset:
            return BANNER.encode()
        return answer

    def _answer(self, command: str) -> str:
        word, *rest = command.split(" ")
        if word == "db":
            return self._db(rest)
        if word == "raw" and self.has_raw:
            return self._raw()
        if word == "memory" and self.stack is not None:
            return f"m-memory-stack-[{self.stack}]\r\n"
        actions: dict[str, Callable[[], str]] = {
            "name": lambda: "m-name-dut-[fake]\r\n",
            "profile": lambda: "m-profile-[ULPMark for tinyML Firmware V0.0.1]\r\nm-model-[kws01]\r\n",
            "timestamp": self._lap,
            "infer": lambda: self._infer(int(rest[0]), int(rest[1])),
            "results": self._results,
        }
        return actions[word]() if word in actions else f"e-[Unknown command: {word}]\r\n"

    def _db(self, words: list[str]) -> str:
        if words[0] == "load":
            self.buffer, self.expected = b"", int(words[1])
            return f"m-[Expecting {words[1]} bytes]\r\n"
        wrong = [digit for digit in words[0] if digit not in string.hexdigits]
        if wrong:
            return f"e-[Invalid hex digit '{wrong[0]}']\r\n"
        if len(words[0]) % 2:
            return "e-[Insufficent number of hex digits]\r\n"
        waiting = len(self.buffer) < self.expected
        self.buffer += bytes.fromhex(words[0])
        return "m-load-done\r\n" if waiting and len(self.buffer) >= self.expected else ""

    def _lap(self) -> str:
        self.clock_us += 5
        return f"m-lap-us-{self.clock_us}\r\n"

    def _infer(self, n: int, w: int) -> str:
        time.sleep(self.faults.slow_s)
        features = np.frombuffer(self.buffer.ljust(self.size, b"\0")[: self.size], np.int8)
        self.scores = interp.run(self.graph, features.reshape(1, *self.graph.features.shape))[0].copy()
        if self.inferences == self.faults.wrong_score_at:
            self.scores[3] ^= 1
        self.inferences += 1
        self.clock_us += w * self.us
        if self.faults.backwards and self.clock_us > 12_000_000:
            self.clock_us = 63
        lines = f"m-warmup-start-{w}\r\nm-warmup-done\r\nm-infer-start-{n}\r\n" + self._lap()
        self.clock_us += n * self.us
        return lines + self._lap() + "m-infer-done\r\n" + self._results()

    def _results(self) -> str:
        thousandths = permille(self.scores[None], self.graph.score_scale)[0].tolist()
        if self.inferences - 1 == self.faults.wrong_text_at:
            thousandths[0] = 999 - thousandths[0]
        text = ",".join(f"{value // 1000}.{value % 1000:03d}" for value in thousandths)
        return f"m-results-[{text}]\r\n"

    def _raw(self) -> str:
        scores = ",".join(map(str, self.scores.tolist()))
        crc = zlib.crc32(self.buffer[: self.size]) ^ self.faults.wrong_crc
        return f"m-raw-[{scores}]\r\nm-input-crc32-[{crc:08x}]\r\n"


class Direct:
    """The fake device as a transport in the same thread; silence takes no time."""

    def __init__(self, device: FakeDevice, chunk: int = 7) -> None:
        self.device, self.chunk = device, chunk
        self.waiting = BANNER.encode() if device.faults.banner else b""

    def read(self, timeout_s: float) -> bytes:
        content, self.waiting = self.waiting[: self.chunk], self.waiting[self.chunk :]
        return content

    def write(self, content: bytes) -> None:
        self.waiting += self.device.receive(content)

    def close(self) -> None:
        self.waiting = b""


@contextmanager
def on_pty(device: FakeDevice, banner_after_s: float | None = None) -> Iterator[str]:
    """Give the path of a pty with the device behind it; nothing is read before the late banner was sent."""
    master, slave = os.openpty()
    tty.setraw(slave)
    stop = threading.Event()

    def serve() -> None:
        if banner_after_s is not None:
            time.sleep(banner_after_s)
            os.write(master, BANNER.encode())
        while not stop.is_set():
            if select.select([master], [], [], 0.02)[0]:
                os.write(master, device.receive(os.read(master, 1024)))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        stop.set()
        thread.join()
        os.close(slave)
        os.close(master)
