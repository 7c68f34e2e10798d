"""Running virtual instruments of the vendors' meters, one factory each, for suites that run every meter.

factory(profile, edges, **faults) is a context of (URL, instrument): profile(seconds) gives watts, edges are seconds.
The instruments run on the time since `start`, faster than real time unless `speed` (times real time) is given.
The vendor's package is the real one where it is installed and can speak to a virtual instrument, else ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

from tests.firmware_io.devices import fake_otii, fake_ppk2
from tests.firmware_io.devices.fake_joulescope import virtual_joulescope
from tests.firmware_io.devices.fake_otii import virtual_otii
from tests.firmware_io.devices.fake_ppk2 import virtual_ppk2
from tests.firmware_io.devices.profiles import Profile

Factory = Callable[..., AbstractContextManager[tuple[str, Any]]]


@contextmanager
def _ppk2(profile: Profile, edges: tuple[float, ...] = (), **more: Any) -> Iterator[tuple[str, Any]]:
    with fake_ppk2.package(), virtual_ppk2(profile, edges, **more) as running:
        yield running


@contextmanager
def _otii(
    profile: Profile, edges: tuple[float, ...] = (), model: str = "Arc", **more: Any
) -> Iterator[tuple[str, Any]]:
    with fake_otii.package(), virtual_otii(profile, edges, model, **more) as running:
        yield running


VIRTUAL: dict[str, Factory] = {
    "ppk2": _ppk2,
    "joulescope": virtual_joulescope,
    "joulescope-js110": partial(virtual_joulescope, model="js110"),
    "otii": _otii,
    "otii-ace": partial(_otii, model="Ace"),
}
