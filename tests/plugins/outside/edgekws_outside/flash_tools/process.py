"""This computer, as the built-in tool host does it."""

from __future__ import annotations

from firmware_io.flash import Capabilities
from firmware_io.flash.host import command, require, start

__all__ = ["CAPABILITIES", "command", "require", "start"]
CAPABILITIES = Capabilities(emulated=False, persistent=False, sees_banner=False)
