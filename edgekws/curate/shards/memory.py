"""Amounts of memory: as people write them, and what this computer has free."""

from __future__ import annotations

import re
from pathlib import Path

from edgekws.errors import ConfigError

_SHARE = 0.5
"""Of what is free, unless somebody says how much: others work here too."""
_USUAL_BYTES = 2_000_000_000
"""Where the system does not say what is free."""


def bytes_of(text: str) -> int:
    """The bytes of "2GB", "1.5 GiB", "800MB" or "2000000000". Raises ConfigError for anything else."""
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?)\s*(?:([kmgt])(i?)b?|b)?", text.strip().lower())
    if match is None:
        raise ConfigError("an amount of memory should be a number with a unit, such as 2GB or 1.5GiB", got=text[:40])
    number, prefix, binary = match.groups()
    return int(float(number) * (1024 if binary else 1000) ** (" kmgt".index(prefix) if prefix else 0))


def usual_bytes(system: Path = Path("/")) -> int:
    """Half of the memory that is free here, in bytes, as Linux tells it: of the computer, and of a container's limit.

    system: the root of /proc and /sys.
    """
    found = [amount for amount in (_available(system), _left_of_limit(system)) if amount is not None]
    return int(_SHARE * min(found)) if found else _USUAL_BYTES


def _available(system: Path) -> int | None:
    match = re.search(r"^MemAvailable:\s+(\d+) kB$", _text(system / "proc" / "meminfo"), re.MULTILINE)
    return int(match[1]) << 10 if match else None


def _left_of_limit(system: Path) -> int | None:
    """Files that were read and are no longer in use count as used, but make room when memory is asked for."""
    group = system / "sys" / "fs" / "cgroup"
    limit, used = (_text(group / f"memory.{name}").strip() for name in ("max", "current"))
    if not (limit.isdigit() and used.isdigit()):
        return None
    files = re.search(r"^inactive_file (\d+)$", _text(group / "memory.stat"), re.MULTILINE)
    return int(limit) - int(used) + (int(files[1]) if files else 0)


def _text(path: Path) -> str:
    """Empty where there is no such file."""
    try:
        return path.read_text()
    except OSError:
        return ""
