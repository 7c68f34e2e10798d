"""A board in energy mode and a meter that sees it: FakeDevice beside the virtual LPM01A, in real time.

The board takes IDLE_WATTS at rest and ACTIVE_WATTS while it infers, so that the joules of a window are known.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from tests.firmware_io.devices.fake_device import Direct, FakeDevice, Faults
from tests.firmware_io.devices.virtual_lpm01a import Faults as MeterFaults
from tests.firmware_io.devices.virtual_lpm01a import VirtualLpm01a, on_pty

IDLE_WATTS, ACTIVE_WATTS = 0.002, 0.012


class Board(FakeDevice):
    """A FakeDevice whose inferences take real time, whose edges are seen and whose power depends on what it does.

    mute: edges (from 0, the lone `timestamp`, as the meter counts) that the wire loses. echo: those that it doubles.
    silent_after: so many edges, after which the board says nothing any more. garble: {"infer": 2}: in place of the
    second answer to it, while the meter runs, there comes garbage, once. deafen: that command arrives damaged.
    """

    def __init__(self, graph, us=500, mute=(), echo=(), silent_after=1000, garble=None, deafen=None, **more):
        super().__init__(graph, energy=True, check=True, us_per_inference=us, **more)
        self.mute, self.echo, self.silent_after = mute, echo, silent_after
        self.seen = 0
        self.garble, self.deafen = garble or {}, deafen or {}
        self.meter: VirtualLpm01a | None = None
        self.powered: list[float] = []
        self.busy: list[tuple[float, float]] = []

    def watts(self, seconds):
        at = seconds + self.meter.started
        busy = np.zeros(len(at), bool)
        for begin, end in list(self.busy):
            busy |= (at >= begin) & (at < end)
        return np.where(busy, ACTIVE_WATTS, IDLE_WATTS)

    def _faulty(self, command):
        word = command.split(" ")[0]
        if self._is_time(self.garble, word):
            self.faults = Faults(garbage=True, command=self.commands)
        return super()._faulty("x" + command if self._is_time(self.deafen, word) else command)

    def _is_time(self, times, word):
        if not self.meter.acquiring or word not in times:
            return False
        times[word] -= 1
        return times[word] == 0

    def _lap(self):
        now = time.monotonic()
        answer = super()._lap()
        if self.busy and self.busy[-1][1] == np.inf:
            self.busy[-1] = (self.busy[-1][0], now)
        elif self.inferring:
            self.busy.append((now, np.inf))
        if self.meter.acquiring:
            self._seen()
        if self.inferring and self.busy[-1][1] == np.inf:
            time.sleep(self.count * self.us / 1e6)
        return answer

    def _seen(self):
        for _ in range(0 if self.seen in self.mute else 2 if self.seen in self.echo else 1):
            self.meter.edge()
        self.seen += 1
        if self.seen > self.silent_after:
            self.faults = Faults(silent=True, command=0, always=True)

    inferring, count = False, 0

    def _infer(self, n, w):
        time.sleep(w * self.us / 1e6)
        self.inferring, self.count = True, n
        try:
            return super()._infer(n, w)
        finally:
            self.inferring = False


@contextmanager
def rig(graph, meter_faults=None, rate_hz=10_000, **board) -> Iterator[tuple[Board, VirtualLpm01a, str, Direct]]:
    """Give (board, instrument, URL of the meter, transport to the board)."""
    device = Board(graph, **board)
    instrument = VirtualLpm01a(device.watts, (), meter_faults or MeterFaults(), on_power=device.powered.append)
    device.meter = instrument
    with on_pty(instrument) as path:
        yield device, instrument, f"lpm01a:{path}?rate_hz={rate_hz}", Direct(device, chunk=4096)


__all__ = ["ACTIVE_WATTS", "IDLE_WATTS", "Board", "Faults", "MeterFaults", "rig"]
