"""Whether a device runs the firmware that was built for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class BuildCheck:
    """id: the build id that the device reported, 32 hex digits; "" for none. expected: of the firmware, "" for none.

    status: verified (both are equal), unverified (the device reports none), unknown (nothing was compared).
    """

    status: Literal["verified", "unverified", "unknown"] = "unknown"
    id: str = ""
    expected: str = ""
