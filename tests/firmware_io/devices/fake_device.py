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
from firmware_io.build import Firmware

BANNER = "m-timestamp-mode-performance\r\nm-lap-us-63\r\nm-init-done\r\nm-ready\r\n"
ENERGY_BANNER = "m-timestamp-mode-energy\r\nm-init-done\r\nm-ready\r\n"
COMMAND_CHARACTERS = 80
HELP_WORDS = ("help", "name", "profile", "timestamp", "db", "infer", "results", "raw", "check")
START_COMMANDS = 4
"""What Session.start sends to a device without `check`: name, check, profile, timestamp."""
CLASSIFY_COMMANDS = 16
"""What Session.classify sends to a device with `raw`: db load, 13 chunks, infer, raw."""


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
        layers_us: list[int] | None = None,
        check: bool = False,
        energy: bool = False,
        build: str = "",
        flash_crc32: int | None = None,
        runs: Firmware | None = None,
    ):
        """stack: answer to `memory` between its brackets; None: the command is unknown. energy: its firmware's mode.

        build: the id that `check` and `help` say; "" for a firmware without one. flash_crc32: answer to `image`; None:
        the command is unknown. runs: as if it were this firmware; gives both."""
        if runs is not None:
            build, flash_crc32 = runs.build_id, runs.flash_crc32
        self.flash_crc32 = flash_crc32
        self.has_check, self.energy, self.build = check, energy, build
        self.graph, self.faults, self.has_raw, self.us = graph, faults or Faults(), raw, us_per_inference
        self.stack, self.layers_us = stack, layers_us
        self.received = self.commands = self.inferences = self.edges = 0
        self.known: dict[bytes, np.ndarray] = {}
        self.size = graph.features.frames * graph.features.coefficients
        self.boot()

    def boot(self) -> bytes:
        """Forget everything, as after a reset; give the banner."""
        self.clock_us = 63
        self.command = self.buffer = b""
        self.scores: np.ndarray | None = None
        self.expected = self.rx = self.tx = 0
        banner = (ENERGY_BANNER if self.energy else BANNER).encode()
        self.tx = zlib.crc32(banner)
        return banner

    def receive(self, content: bytes) -> bytes:
        answer = b""
        for byte in content:
            lost = self.received == self.faults.lose
            self.received += 1
            if not lost:
                answer += self._take(bytes([byte]))
        return answer

    def _take(self, byte: bytes) -> bytes:
        self.rx = zlib.crc32(byte, self.rx)
        if byte != b"%":
            self.command += b"" if byte in b"\r\n" else byte
            return b""
        text = "".join(chr(c) if 0x20 <= c <= 0x7E else "?" for c in self.command)
        self.command = b""
        answer = self._faulty(text)
        checked = self.has_check and text.split(" ")[0] == "check"
        self.rx, self.tx = (0, 0) if checked else (self.rx, zlib.crc32(answer, self.tx))
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
            banner, self.rx, self.tx = self.boot(), 0, 0
            return banner
        return answer

    def _answer(self, command: str) -> str:
        word, first, second = [*filter(None, command.split(" ")), "", "", ""][:3]
        if len(command) > COMMAND_CHARACTERS:
            return "e-[Command too long]\r\n"
        actions: dict[str, Callable[[], str]] = {
            "": lambda: "",
            "name": lambda: "m-name-dut-[fake]\r\n",
            "help": self._help,
            "profile": lambda: "m-profile-[ULPMark for tinyML Firmware V0.0.1]\r\nm-model-[kws01]\r\n",
            "timestamp": self._lap,
            "db": lambda: self._db(first, second),
            "infer": lambda: self._infer(_number(first, 1), _number(second, 10)),
            "results": self._results,
        }
        if self.has_raw:
            actions["raw"] = self._raw
        if self.has_check:
            actions["check"] = lambda: f"m-check-[{self.rx:08x},{self.tx:08x}{self._short()}]\r\n"
        if self.flash_crc32 is not None:
            actions["image"] = lambda: f"m-image-crc32-[{self.flash_crc32:08x}]\r\n"
        if self.layers_us is not None:
            actions["layers"] = lambda: self._layers(_number(first, 1))
        if self.stack is not None:
            actions["memory"] = lambda: f"m-memory-stack-[{self.stack}]\r\n"
        return actions[word]() if word in actions else f"e-[Unknown command: {word}]\r\n"

    def _help(self) -> str:
        last = f"m-build-[{self.build}]\r\n" if self.build else ""
        lines = "".join(f"{word} : {'what it does, at length ' * 3}\r\n" for word in HELP_WORDS)
        return f"ULPMark for tinyML Firmware V0.0.1\r\n\r\n{lines}{last}"

    def _short(self) -> str:
        return f",{self.build[:8]}" if self.build else ""

    def _layers(self, iterations: int) -> str:
        if iterations <= 0:
            return "e-[Inference iterations must be >0]\r\n"
        rows = "".join(f"m-layer-[{i},{us * iterations}]\r\n" for i, us in enumerate(self.layers_us))
        return f"m-layers-[{len(self.layers_us)},{iterations},1000000]\r\n{rows}"

    def _db(self, first: str, second: str) -> str:
        if first == "load":
            return self._start_load(_number(second, 0))
        if not first:
            return "e-[Command 'db' requires a subcommand]\r\n"
        if first == "print":
            return "".join(f"m-buffer-{self.buffer[at : at + 8].hex('-')}\r\n" for at in range(0, len(self.buffer), 8))
        if self.expected == 0:
            return "e-[Command 'db' needs a 'db load' before]\r\n"
        if len(first) % 2:
            return "e-[Insufficent number of hex digits]\r\n"
        wrong = [digit for digit in first if digit not in string.hexdigits]
        if wrong:
            return f"e-[Invalid hex digit '{wrong[0]}']\r\n"
        waiting = len(self.buffer) < self.expected
        self.buffer = (self.buffer + bytes.fromhex(first))[: self.expected]
        return "m-load-done\r\n" if waiting and len(self.buffer) == self.expected else ""

    def _start_load(self, size: int) -> str:
        if size <= 0:
            return "e-[Command 'db load' must be >0 bytes]\r\n"
        self.buffer, self.scores, self.expected = b"", None, size if size <= self.size else 0
        if size > self.size:
            return f"Supplied buffer size {size} exceeds maximum of {self.size}\r\n"
        return f"m-[Expecting {size} bytes]\r\n"

    def _lap(self) -> str:
        if self.energy:
            self.edges += 1
            return ""
        self.clock_us += 5
        return f"m-lap-us-{self.clock_us}\r\n"

    def _infer(self, n: int, w: int) -> str:
        if n <= 0 or w < 0:
            return "e-[Inference iterations must be >0]\r\n" if n <= 0 else "e-[Inference warmup must be >=0]\r\n"
        if len(self.buffer) != self.size:
            return f"Input db has {len(self.buffer)} elemented, expected {self.size}\r\n"
        time.sleep(self.faults.slow_s)
        self.scores = self._scored()
        if self.inferences == self.faults.wrong_score_at:
            self.scores[3] ^= 1
        self.inferences += 1
        self.clock_us += w * self.us
        if self.faults.backwards and self.clock_us > 12_000_000:
            self.clock_us = 63
        lines = f"m-warmup-start-{w}\r\nm-warmup-done\r\nm-infer-start-{n}\r\n" + self._lap()
        self.clock_us += n * self.us
        return lines + self._lap() + "m-infer-done\r\n" + self._results()

    def _scored(self) -> np.ndarray:
        if self.buffer not in self.known:
            features = np.frombuffer(self.buffer, np.int8).reshape(1, *self.graph.features.shape)
            self.known[self.buffer] = interp.run(self.graph, features)[0]
        return self.known[self.buffer].copy()

    def _results(self) -> str:
        if self.scores is None:
            return "e-[No inference has been run on this input]\r\n"
        thousandths = self.graph.permille(self.scores[None])[0].tolist()
        if self.inferences - 1 == self.faults.wrong_text_at:
            thousandths[0] = 999 - thousandths[0]
        text = ",".join(f"{value // 1000}.{value % 1000:03d}" for value in thousandths)
        return f"m-results-[{text}]\r\n"

    def _raw(self) -> str:
        crc = f"m-input-crc32-[{zlib.crc32(self.buffer) ^ self.faults.wrong_crc:08x}]\r\n"
        if self.scores is None:
            return "e-[No inference has been run on this input]\r\n" + crc
        return f"m-raw-[{','.join(map(str, self.scores.tolist()))}]\r\n{crc}"


def _number(text: str, absent: int) -> int:
    """As the firmware reads one: what is no number is no number that any command takes."""
    return int(text) if text.lstrip("-").isdecimal() else absent if not text else -1


class Direct:
    """The fake device as a transport in the same thread; silence takes no time."""

    def __init__(self, device: FakeDevice, chunk: int = 7) -> None:
        self.device, self.chunk = device, chunk
        self.waiting = device.boot() if device.faults.banner else b""

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
            os.write(master, device.boot())
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
