"""Amounts of memory: parsed from text, and the free memory of this computer."""

from __future__ import annotations

import re
from pathlib import Path

from edgekws.errors import ConfigError

_DEFAULT_SHARE = 0.5
"""Share of the free memory used by default: other programs need some too."""
_FALLBACK_BYTES = 2_000_000_000
"""Used where the free memory is unknown."""


def bytes_of(text: str) -> int:
    """The bytes of "2GB", "1.5 GiB", "800MB" or "2000000000". Raises ConfigError for anything else."""
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?)\s*(?:([kmgt])(i?)b?|b)?", text.strip().lower())
    if match is None:
        raise ConfigError("an amount of memory should be a number with a unit, such as 2GB or 1.5GiB", got=text[:40])
    number, prefix, binary = match.groups()
    return int(float(number) * (1024 if binary else 1000) ** (" kmgt".index(prefix) if prefix else 0))


def default_bytes(system: Path = Path("/")) -> int:
    """Half of the free memory in bytes, by /proc and the control group: the smaller of computer and container.

    system: the root of /proc and /sys.
    """
    amounts = [amount for amount in (_available(system), _left_of_limit(system)) if amount is not None]
    return int(_DEFAULT_SHARE * min(amounts)) if amounts else _FALLBACK_BYTES


def _available(system: Path) -> int | None:
    match = re.search(r"^MemAvailable:\s+(\d+) kB$", _text(system / "proc" / "meminfo"), re.MULTILINE)
    return int(match[1]) << 10 if match else None


def _left_of_limit(system: Path) -> int | None:
    """The page cache counts as used, but is freed on demand."""
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
