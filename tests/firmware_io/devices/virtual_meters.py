"""Running virtual instruments by the name of their meter, all made in the same way.

factory(profile, edges, **faults) -> context of (url, ...): profile gives watts float64 [n] at seconds float64 [n];
edges are the seconds at which the timestamp pin falls. Instruments send as fast as they are read where they can.
A meter joins by adding its factory here, or in virtual_vendors.py as VIRTUAL.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType
from typing import Any, cast

import numpy as np

from firmware_io import monitors
from firmware_io.monitors import Monitor
from tests.firmware_io.devices.virtual_lpm01a import Faults, VirtualLpm01a, on_pty

Profile = Callable[[np.ndarray], np.ndarray]
Factory = Callable[..., AbstractContextManager[tuple[str, object]]]


def connect(url: str) -> AbstractContextManager[Any]:
    module, rest = monitors.load(url)
    return cast(ModuleType, module).connect(rest)


def record(meter: Monitor, seconds: float, rate_hz: float) -> tuple[np.ndarray, list[int]]:
    """Every sample of the first `seconds` and of what comes until it has stopped, and every edge."""
    meter.start(rate_hz)
    blocks: list[np.ndarray] = []
    while sum(block.size for block in blocks) < seconds * rate_hz:
        blocks.append(meter.samples(5.0))
        assert blocks[-1].size, "silence"
    meter.stop()
    while (block := meter.samples(0.0)).size:
        blocks.append(block)
    return np.concatenate(blocks), list(meter.edges())


@contextmanager
def lpm01a(
    profile: Profile, edges: tuple[float, ...] = (), fast: bool = True, **faults: object
) -> Iterator[tuple[str, VirtualLpm01a]]:
    instrument = VirtualLpm01a(profile, edges, Faults(**faults), real_time=not fast)
    with on_pty(instrument) as path:
        yield f"lpm01a:{path}", instrument


VIRTUAL: dict[str, Factory] = {"lpm01a": lpm01a}
if importlib.util.find_spec("tests.firmware_io.devices.virtual_vendors"):
    VIRTUAL |= importlib.import_module("tests.firmware_io.devices.virtual_vendors").VIRTUAL
