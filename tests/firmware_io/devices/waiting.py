"""Waiting for what another thread or process does, however busy the computer is."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 60.0


def wait_until(condition: Callable[[], bool], what: str = "nothing has changed") -> None:
    """Return as soon as `condition` holds. what: the failure's text after PATIENCE_S."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)
