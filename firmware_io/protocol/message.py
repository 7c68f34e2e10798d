"""What all lines of a device have in common."""

from __future__ import annotations

from dataclasses import dataclass

COUNT = r"(\d{1,19})"
"""A number that is not negative, in the pattern of a line."""


@dataclass(frozen=True)
class Message:
    """One line of a device."""


INT8 = r"(?:-(?:12[0-8]|1[01]\d|[1-9]\d?)|12[0-7]|1[01]\d|[1-9]?\d)"
"""A number from -128 to 127, as a part of a regular expression."""
