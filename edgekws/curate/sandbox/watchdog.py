"""Runs a command, looks at all its processes twenty times a second, and kills them when a limit is broken."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edgekws.curate.sandbox import output as _output
from edgekws.errors import ConfigError

APART = "apart"
"""A file of the scratch folder: when it is there, its process and what comes from it are watched, not the command."""
_PERIOD_S = 0.05
_OPEN_FILES = 256
_SAID_BYTES = 4000
_OUT_OF_MEMORY = ("MemoryError", "Unable to allocate", "Cannot allocate memory")


@dataclass(frozen=True)
class Limits:
    """memory_bytes: of all processes together; output_bytes, files: of the output folder, with all below it.

    Raises ConfigError for a limit that is no limit.
    """

    seconds: float = 600.0
    memory_bytes: int = 4 << 30
    output_bytes: int = 64 << 20
    processes: int = 64
    files: int = 1000

    def __post_init__(self) -> None:
        values = (self.seconds, self.memory_bytes, self.output_bytes, self.processes, self.files)
        if not all(value > 0 for value in values):  # NaN is not above 0 either
            raise ConfigError("the limits of a sealed run should be above 0", got=self.described())

    def described(self) -> str:
        """In words, for errors."""
        size = f"{self.memory_bytes >> 20} MiB of memory, {self.output_bytes >> 20} MiB of output"
        return f"{self.seconds:g} s, {size}, {self.files} files and {self.processes} processes"


@dataclass(frozen=True)
class Ended:
    """broke: the limit that was broken, or "". said: the end of what was printed."""

    code: int
    said: str
    broke: str
    seconds: float
    peak_bytes: int


def watched(
    command: Sequence[str], environment: Mapping[str, str], output: Path, limits: Limits, scratch: Path
) -> Ended:
    """Run `command` until it ends or breaks a limit; none of its processes is left."""
    begin, peak, broke = time.monotonic(), 0, ""
    log = scratch / "printed"
    with log.open("wb") as printed:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("resource_limits.py")),
             json.dumps(_of_the_command(limits, scratch / APART)), str(os.getpid()), *command],
            stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT,
            env=dict(environment), cwd=output, start_new_session=True,
        )  # fmt: skip
        try:
            while process.poll() is None:
                family = _observed(process.pid, scratch / APART)
                used = sum(_resident(pid) for pid in family)
                peak = max(peak, used)
                broke = _broken(limits, time.monotonic() - begin, used, family, output)
                if broke:
                    break
                time.sleep(_PERIOD_S)
        finally:
            _kill(process)
    said = _end_of(log)
    broke = broke or _too_much(limits, [], output)  # it may have ended before the next look
    if not broke and process.returncode and any(sign in said for sign in _OUT_OF_MEMORY):
        broke = "it ran out of memory"
    return Ended(process.returncode, said, broke, time.monotonic() - begin, peak)


def _end_of(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _SAID_BYTES))
        return file.read().decode(errors="replace")


def rlimits(limits: Limits) -> dict[str, int]:
    """The kernel's own limits, one process each, for what grows faster than this module looks."""
    return {
        "RLIMIT_DATA": limits.memory_bytes, "RLIMIT_FSIZE": limits.output_bytes, "RLIMIT_NOFILE": _OPEN_FILES,
        "RLIMIT_CORE": 0,
    }  # fmt: skip


def _of_the_command(limits: Limits, apart: Path) -> dict[str, int]:
    """Of open files an engine needs more; with fewer than podman is set to give a container, it gives none."""
    return {name: value for name, value in rlimits(limits).items() if name != "RLIMIT_NOFILE" or not apart.exists()}


def _broken(limits: Limits, seconds: float, used: int, family: list[int], output: Path) -> str:
    if seconds > limits.seconds:
        return f"it ran for more than {limits.seconds:g} s"
    if used > limits.memory_bytes:
        return f"it used {used >> 20} MiB of memory"
    if len(family) > limits.processes:
        return f"it started {len(family)} processes"
    return _too_much(limits, family, output)


def _too_much(limits: Limits, family: list[int], output: Path) -> str:
    try:
        size, entries = _output.written(output, limits.files)
    except OSError as error:
        return f"its output folder cannot be looked into: {error.strerror}"
    if entries > limits.files:
        return f"it made more than {limits.files} files and folders"
    size += _output.deleted(family, output)
    return f"it wrote {size >> 20} MiB" if size > limits.output_bytes else ""


def _observed(command: int, apart: Path) -> list[int]:
    if not apart.exists():
        return _family(command)
    told = apart.read_text()
    return _family(int(told)) if told else []


def _family(ancestor: int) -> list[int]:
    """The process and all that come from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.name))
    family = [ancestor]
    for pid in family:  # grows while it is read
        family.extend(children.get(pid, ()))
    return family


def _resident(pid: int) -> int:
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _kill(process: subprocess.Popen[bytes]) -> None:
    """All of them, also those that made a session of their own."""
    family = _family(process.pid) if process.poll() is None else []
    for pid in reversed(family):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
