"""constant:AMPERES: the trace of a board that always takes this current at 3 V, a timestamp edge every second."""

from __future__ import annotations

import numpy as np

from edgekws.errors import ConfigError
from firmware_io.monitors import Capabilities, Trace

CAPABILITIES = Capabilities(title="constant current", kind="file")
RATE_HZ, VOLTS, SECONDS = 100.0, 3.0, 10


def load(rest: str) -> Trace:
    """Raises ConfigError for a current that is no positive number."""
    try:
        amperes = float(rest)
    except ValueError as error:
        raise ConfigError("constant: needs a current in amperes", got=rest or "nothing") from error
    if not amperes > 0:
        raise ConfigError("constant: needs a positive current", got=rest)
    joules = np.full(int(SECONDS * RATE_HZ), amperes * VOLTS / RATE_HZ)
    edges = tuple(range(0, joules.size, int(RATE_HZ)))
    return Trace("constant current", RATE_HZ, joules, edges, VOLTS)
