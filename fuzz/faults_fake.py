"""The fake device of the tests, in this process and in virtual time: thousands of runs in a minute."""

from __future__ import annotations

import random
from functools import cache
from importlib import import_module
from typing import Any

from firmware_io.protocol.session import Timeouts
from fuzz import faults

_BYTE_S = 10 / 115_200
_COMMAND_S = 0.001
BUDGET_S = 300.0
TIMEOUTS = Timeouts()


class Virtual:
    """A FakeDevice on a line of 115,200 baud. Waiting takes no real time."""

    def __init__(self, device: Any) -> None:
        self.device = device
        self._waiting = b""
        self._now = 0.0

    def clock(self) -> float:
        return self._now

    def read(self, timeout_s: float) -> bytes:
        content, self._waiting = self._waiting[:64], self._waiting[64:]
        self._pass(len(content) * _BYTE_S if content else timeout_s)
        return content

    def write(self, content: bytes) -> None:
        self._pass(len(content) * _BYTE_S + _COMMAND_S)
        self._waiting += self.device.receive(content)

    def reset(self) -> None:
        self._waiting += self.device.boot()

    def _pass(self, seconds: float) -> None:
        self._now += seconds
        self.device.clock_us += round(seconds * 1e6)


@cache
def _device_and_clips() -> tuple[Any, faults.Clips]:
    graph = faults.wide_graph()
    kind = import_module("tests.firmware_io.devices.fake_device").FakeDevice
    return kind(graph, check=True), faults.clips_of(graph)


def attempt(rng: random.Random) -> str:
    device, clips = _device_and_clips()
    device.energy, device.has_check = rng.random() < 0.3, rng.random() < 0.9
    virtual = Virtual(device)
    virtual.reset()
    return faults.run(rng, virtual, clips, TIMEOUTS, BUDGET_S, device.has_check)
