"""The real firmware, compiled for this computer, on its pseudo-terminal, in real time."""

from __future__ import annotations

import atexit
import os
import random
import select
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache
from itertools import product
from pathlib import Path

from edgekws.emit.c import emit
from firmware_io import board as boards
from firmware_io import build
from firmware_io.flash import host
from firmware_io.protocol.session import Timeouts
from fuzz import faults

TIMEOUTS = Timeouts(line_s=0.3, infer_s=1.0, quiet_s=0.02)
BUDGET_S = 60.0
_BYTES = 1024
_BANNER_S = 5.0


class Firmware:
    """One process of the firmware at a time. The pty is opened without pyserial, which would discard its input."""

    def __init__(self, built: Sequence[build.Firmware], energy: bool) -> None:
        """built: the first one runs; `swap` starts the next."""
        self._built = deque(built)
        self._energy = energy
        self._running = ExitStack()
        self.reset()

    def reset(self) -> None:
        """Start the firmware again. The next read returns its banner."""
        self._running.close()
        self._waiting = b""
        self._line = os.open(self._started(), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._running.callback(os.close, self._line)

    @property
    def build(self) -> str:
        return self._built[0].build_id

    def swap(self, banner: bool) -> None:
        """Start another firmware. The next read returns its banner, or waits for an answer."""
        self._built.rotate()
        self.reset()
        while not banner and not self._waiting.endswith(b"m-ready\r\n"):
            self._wait([], _BANNER_S)
        self._waiting = self._waiting if banner else b""

    def _started(self) -> str:
        board = boards.load("host")
        if not self._energy:
            return self._running.enter_context(host.start(board, self._built[0].elf))
        return self._running.enter_context(host.start_with_events(board, self._built[0].elf)).line

    def close(self) -> None:
        self._running.close()

    def clock(self) -> float:
        return time.monotonic()

    def read(self, timeout_s: float) -> bytes:
        if not self._waiting:
            self._wait([], timeout_s)
        content, self._waiting = self._waiting, b""
        return content

    def write(self, content: bytes) -> None:
        """Write, and read meanwhile: with a full pty the firmware and this process would wait for each other."""
        while content:
            if self._wait([self._line], 1.0):
                content = content[os.write(self._line, content[:_BYTES]) :]

    def _wait(self, writers: list[int], timeout_s: float) -> bool:
        """Read what has arrived. Returns whether the line can be written to."""
        readable, writable, _ = select.select([self._line], writers, [], timeout_s)
        if readable:
            self._waiting += os.read(self._line, _BYTES)
        return bool(writable)


@cache
def _built_and_clips() -> tuple[dict[bool, list[build.Firmware]], dict[str, faults.Clips]]:
    """Two firmwares of performance mode (False) and two of energy mode (True), and the clips of each build."""
    board, built, clips = boards.load("host"), dict[bool, list[build.Firmware]](), dict[str, faults.Clips]()
    folder = tempfile.TemporaryDirectory(prefix="edgekws-faults-")
    atexit.register(folder.cleanup)
    for energy, seed in product((False, True), (0, 1)):
        graph = faults.wide_graph(seed)
        firmware = build.build(board, emit(graph), Path(folder.name) / f"{energy}{seed}.elf", energy)
        built.setdefault(energy, []).append(firmware)
        clips[firmware.build_id] = faults.clips_of(graph)
    return built, clips


def attempt(rng: random.Random) -> str:
    built, clips = _built_and_clips()
    energy = rng.random() < 0.3
    firmware = Firmware(built[energy], energy)
    try:
        return faults.run(rng, firmware, clips, TIMEOUTS, BUDGET_S)
    finally:
        firmware.close()
