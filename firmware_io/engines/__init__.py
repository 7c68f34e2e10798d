"""Engines that need the C of the firmware; see edgekws.engines."""
