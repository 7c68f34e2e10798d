"""What all lines of a device have in common."""

from __future__ import annotations

from dataclasses import dataclass

COUNT = r"(\d{1,19})"
"""A number that is not negative, in the pattern of a line."""


@dataclass(frozen=True)
class Message:
    """One line of a device."""
