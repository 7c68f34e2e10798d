"""The fake device of the tests, in this process and in virtual time: thousands of runs in a minute."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from edgekws.graph.ir import Graph
from firmware_io.protocol.session import Timeouts
from fuzz import faults

_BYTE_S = 10 / 115_200
_COMMAND_S = 0.001
BUDGET_S = 300.0
TIMEOUTS = Timeouts()


class Virtual:
    """A FakeDevice on a line of 115,200 baud. Waiting takes no real time."""

    def __init__(self, device: Any, others: Mapping[str, Graph]) -> None:
        """others: the graph of each build, to be exchanged by `swap`; empty for a firmware without a build id."""
        self.device = device
        self._graphs = others
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

    @property
    def build(self) -> str:
        return str(self.device.build)

    def reset(self) -> None:
        self._waiting += self.device.boot()

    def swap(self, banner: bool) -> None:
        for build, graph in self._graphs.items():
            if build != self.device.build:
                self.device.build, self.device.graph, self.device.known = build, graph, {}
                break
        start = self.device.boot()
        self._waiting = start if banner else b""

    def _pass(self, seconds: float) -> None:
        self._now += seconds
        self.device.clock_us += round(seconds * 1e6)


@cache
def _device_and_clips() -> tuple[Any, dict[str, Graph], dict[str, faults.Clips]]:
    """The device, the graph of each of its builds, and their clips; "" is a firmware without a build id."""
    graphs = {"5eed0" + "0" * 27: faults.wide_graph(), "5eed1" + "0" * 27: faults.wide_graph(1)}
    clips = {build: faults.clips_of(graph) for build, graph in graphs.items()}
    first = next(iter(graphs))
    kind = import_module("tests.firmware_io.devices.fake_device").FakeDevice
    return kind(graphs[first], check=True), graphs, {**clips, "": clips[first]}


def attempt(rng: random.Random) -> str:
    device, graphs, clips = _device_and_clips()
    device.energy, device.has_check = rng.random() < 0.3, rng.random() < 0.9
    build = next(iter(graphs)) if device.has_check and rng.random() < 0.8 else ""
    device.build, device.graph, device.known = build, next(iter(graphs.values())), {}
    virtual = Virtual(device, graphs if build else {})
    virtual.reset()
    return faults.run(rng, virtual, clips, TIMEOUTS, BUDGET_S, device.has_check)
