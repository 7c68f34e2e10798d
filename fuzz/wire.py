"""A faulty wire: a transport between a session and a device, with faults at given bytes.

The bytes that the device sent are kept, so that the session's results can be compared with them.
"""

from __future__ import annotations

import random
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from edgekws.errors import BoardError

Direction = Literal["to", "from"]
KINDS = (
    *("drop", "duplicate", "repeat", "corrupt", "digit", "reorder"),
    *("delay", "noise", "flood", "lines", "reset", "cut", "build", "swap"),
)
_WEIGHTS = {"cut": 1, "swap": 2}
"""Of the kinds that end a run, which are therefore rarer than the others with 4."""
_HISTORY_BYTES = 400
_CHECK = re.compile(rb"(?<=m-check-\[[0-9a-f]{8},[0-9a-f]{8}),([0-9a-f]{8})(?=\])")
_LINES = (
    *(b"m-ready\r\n", b"m-load-done\r\n", b"m-lap-us-7\r\n", b"m-init-done\r\n", b"e-[Unknown command: raw]\r\n"),
    *(b"m-check-[00000000,00000000]\r\n", b"m-input-crc32-[00000000]\r\n", b"%", b"name%", b"infer 1 0%", b"db 00%"),
)


class Device(Protocol):
    """The device: a transport that can be reset, with the clock for its time-outs.

    build: the id of the firmware that it runs now, "" for none. swap: restart with another firmware; without its banner
    it is as when the line was unplugged meanwhile.
    """

    @property
    def build(self) -> str: ...

    def read(self, timeout_s: float) -> bytes: ...
    def write(self, content: bytes) -> None: ...
    def reset(self) -> None: ...
    def swap(self, banner: bool) -> None: ...
    def clock(self) -> float: ...


@dataclass(frozen=True)
class Fault:
    """at: index of the byte in its direction that it affects. size: bytes that it removes, changes or adds."""

    kind: str
    direction: Direction
    at: int
    size: int
    seconds: float


def random_faults(rng: random.Random, count: int, bytes_to: int, bytes_from: int) -> list[Fault]:
    """`count` faults within the first bytes of each direction."""
    kinds = rng.choices(KINDS, [_WEIGHTS.get(kind, 4) for kind in KINDS], k=count)
    return [_random_fault(rng, kind, bytes_to, bytes_from) for kind in kinds]


def _random_fault(rng: random.Random, kind: str, bytes_to: int, bytes_from: int) -> Fault:
    direction: Direction = "from" if kind == "build" else rng.choice(("to", "from", "from"))
    at = rng.randrange(bytes_to if direction == "to" else bytes_from)
    size = rng.randrange(5_000, 50_000) if kind == "flood" else rng.choice((1, 1, 2, 5, 20, 80, 300))
    return Fault(kind, direction, at, size, rng.choice((0.001, 0.02, 0.1, 0.3, 1.0, 3.0)))


class Wire:
    """A Transport with `faults`. Raises AssertionError (a hang) when it is still in use after `budget_s` seconds."""

    def __init__(self, device: Device, faults: list[Fault], rng: random.Random, budget_s: float) -> None:
        self._device = device
        self._lanes = {
            "to": _Lane([f for f in faults if f.direction == "to"], rng, self._interrupt),
            "from": _Lane([f for f in faults if f.direction == "from"], rng, self._interrupt),
        }
        self._rng = rng
        self._until = device.clock() + budget_s
        self._cut = False
        self.resets = 0
        """Those that must be noticed. Without banner and build id a restart between two commands leaves no trace, and
        the results must be right all the same."""
        self.received = bytearray()

    def read(self, timeout_s: float) -> bytes:
        deadline = self._now() + timeout_s
        while True:
            self._move()
            content = self._lanes["from"].taken(self._device.clock())
            now = self._now()
            if content or now >= deadline:
                return content
            due = min(lane.due for lane in self._lanes.values())
            received = self._device.read(max(0.0, min(deadline, due) - now))
            self.received += received
            self._lanes["from"].feed(received, self._device.clock())

    def write(self, content: bytes) -> None:
        self._lanes["to"].feed(content, self._now())
        self._move()

    def close(self) -> None:
        self._cut = True

    def _move(self) -> None:
        """Pass on what is due to the device."""
        if content := self._lanes["to"].taken(self._device.clock()):
            self._device.write(content)

    def _now(self) -> float:
        if self._cut:
            raise BoardError("the wire should stay connected", got="it was cut", hint="check the cable")
        now = self._device.clock()
        assert now < self._until, "a hang: the session has not ended in time"
        return now

    def _interrupt(self, kind: str) -> None:
        if kind == "cut":
            self._cut = True
            return
        banner = kind == "reset" or self._rng.random() < 0.5
        self.resets += banner or bool(self._device.build)
        if kind == "swap":
            self._device.swap(banner)
        else:
            self._device.reset()


class _Lane:
    """One direction: bytes go in, and come out when they are due."""

    def __init__(self, faults: list[Fault], rng: random.Random, interrupt: Callable[[str], None]) -> None:
        self._faults = deque(sorted(faults, key=lambda fault: fault.at))
        self._rng = rng
        self._interrupt = interrupt
        self._passed = 0
        self._history = b""
        self._held: deque[tuple[float, bytes]] = deque()
        self._hold_until = 0.0
        self._spoils_build = False

    @property
    def due(self) -> float:
        return self._held[0][0] if self._held else float("inf")

    def taken(self, now: float) -> bytes:
        content = b""
        while self._held and self._held[0][0] <= now:
            content += self._held.popleft()[1]
        return content

    def feed(self, content: bytes, now: float) -> None:
        while content and self._faults and self._faults[0].at < self._passed + len(content):
            fault = self._faults.popleft()
            ahead = max(0, fault.at - self._passed)
            self._pass(content[:ahead], now)
            content = self._applied(fault, content[ahead:], now)
        self._pass(content, now)

    def _pass(self, content: bytes, now: float) -> None:
        self._passed += len(content)
        if self._spoils_build and _CHECK.search(content):
            content, self._spoils_build = _CHECK.sub(self._other_build, content, count=1), False
        if content:
            self._history = (self._history + content)[-_HISTORY_BYTES:]
            self._held.append((max(now, self._hold_until), content))

    def _applied(self, fault: Fault, content: bytes, now: float) -> bytes:
        """Apply `fault` at the start of `content`. Returns the rest, to be passed on."""
        head, rest = content[: fault.size], content[fault.size :]
        if fault.kind in ("reset", "swap", "cut"):
            self._interrupt(fault.kind)
        elif fault.kind == "build":
            self._spoils_build = True
        elif fault.kind == "delay":
            self._hold_until = now + fault.seconds
        elif fault.kind == "drop":
            self._passed += len(head)
            return rest
        elif fault.kind == "reorder":
            middle = len(content) // 2 if not rest else fault.size
            return content[middle : 2 * middle] + content[:middle] + content[2 * middle :]
        elif fault.kind in ("corrupt", "digit"):
            return _changed(self._rng, fault.kind, content, fault.size)
        else:
            self._held.append((max(now, self._hold_until), self._added(fault, head)))
        return content

    def _other_build(self, field: re.Match[bytes]) -> bytes:
        """The third field of an answer to `check`, damaged or lost; no checksum covers it."""
        if self._rng.random() < 0.2:
            return b""
        digits = bytearray(field[1])
        for at in self._rng.sample(range(len(digits)), self._rng.choice((1, 1, 2, 8))):
            digits[at] = self._rng.choice(b"0123456789abcdef")
        return b"," + bytes(digits)

    def _added(self, fault: Fault, head: bytes) -> bytes:
        if fault.kind == "duplicate":
            return head
        if fault.kind == "repeat":
            return self._history[-fault.size :]
        if fault.kind == "lines":
            return b"".join(self._rng.choices(_LINES, k=self._rng.choice((1, 1, 2, 40))))
        return self._rng.randbytes(fault.size)


def _changed(rng: random.Random, kind: str, content: bytes, size: int) -> bytes:
    """`content` with bits changed in its first `size` bytes, or with its first digits replaced by others."""
    changed = bytearray(content)
    if kind == "corrupt":
        for at in range(min(size, len(changed))):
            changed[at] ^= rng.randrange(1, 256) if size > 1 else 1 << rng.randrange(8)
        return bytes(changed)
    digits = [at for at, byte in enumerate(changed) if chr(byte).isdecimal() and byte < 0x80]
    for at in digits[: 1 + size // 20]:
        changed[at] = rng.choice(b"0123456789")
    return bytes(changed)
