"""Runs a command, samples all its processes twenty times a second, and kills them when a limit is exceeded."""

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

CONTAINER_PID = "container.pid"
"""A file of the scratch folder. If it exists, the process it names is sampled with its descendants, not the command."""
_PERIOD_S = 0.05
_OPEN_FILES = 256
_OUTPUT_TAIL_BYTES = 4000
_OUT_OF_MEMORY = ("MemoryError", "Unable to allocate", "Cannot allocate memory")


@dataclass(frozen=True)
class Limits:
    """memory_bytes: of all processes together; output_bytes, files: of the output folder, recursively.

    Raises ConfigError for a limit that is not above 0.
    """

    seconds: float = 600.0
    memory_bytes: int = 4 << 30
    output_bytes: int = 64 << 20
    processes: int = 64
    files: int = 1000

    def __post_init__(self) -> None:
        values = (self.seconds, self.memory_bytes, self.output_bytes, self.processes, self.files)
        if not all(value > 0 for value in values):  # NaN is not above 0 either
            raise ConfigError("the limits of a sandboxed run should be above 0", got=self.described())

    def described(self) -> str:
        """As text, for error messages."""
        size = f"{self.memory_bytes >> 20} MiB of memory, {self.output_bytes >> 20} MiB of output"
        return f"{self.seconds:g} s, {size}, {self.files} files and {self.processes} processes"


@dataclass(frozen=True)
class ProcessResult:
    """exceeded: which limit was exceeded, as text, or "". output_tail: the end of stdout and stderr."""

    exit_code: int
    output_tail: str
    exceeded: str
    seconds: float
    peak_bytes: int


def supervise(
    command: Sequence[str], environment: Mapping[str, str], output: Path, limits: Limits, scratch: Path
) -> ProcessResult:
    """Run `command` until it ends or exceeds a limit; none of its processes is left running."""
    begin, peak, exceeded = time.monotonic(), 0, ""
    log = scratch / "printed"
    with log.open("wb") as printed:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("resource_limits.py")),
             json.dumps(_command_rlimits(limits, scratch / CONTAINER_PID)), str(os.getpid()), *command],
            stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT,
            env=dict(environment), cwd=output, start_new_session=True,
        )  # fmt: skip
        try:
            while process.poll() is None:
                processes = _sampled(process.pid, scratch / CONTAINER_PID)
                used = sum(_resident_bytes(pid) for pid in processes)
                peak = max(peak, used)
                exceeded = _exceeded(limits, time.monotonic() - begin, used, processes, output)
                if exceeded:
                    break
                time.sleep(_PERIOD_S)
        finally:
            _kill(process)
    tail = _tail_of(log)
    exceeded = exceeded or _output_exceeded(limits, [], output)  # it may have ended before the next sample
    if not exceeded and process.returncode and any(text in tail for text in _OUT_OF_MEMORY):
        exceeded = "it ran out of memory"
    return ProcessResult(process.returncode, tail, exceeded, time.monotonic() - begin, peak)


def _tail_of(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _OUTPUT_TAIL_BYTES))
        return file.read().decode(errors="replace")


def rlimits(limits: Limits) -> dict[str, int]:
    """The kernel's limits of each process, for what grows faster than the sampling period."""
    return {
        "RLIMIT_DATA": limits.memory_bytes, "RLIMIT_FSIZE": limits.output_bytes, "RLIMIT_NOFILE": _OPEN_FILES,
        "RLIMIT_CORE": 0,
    }  # fmt: skip


def _command_rlimits(limits: Limits, pid_file: Path) -> dict[str, int]:
    """A container engine keeps its own limit of open files: podman fails with fewer than a container is to get."""
    return {name: value for name, value in rlimits(limits).items() if name != "RLIMIT_NOFILE" or not pid_file.exists()}


def _exceeded(limits: Limits, seconds: float, used: int, processes: list[int], output: Path) -> str:
    if seconds > limits.seconds:
        return f"it ran for more than {limits.seconds:g} s"
    if used > limits.memory_bytes:
        return f"it used {used >> 20} MiB of memory"
    if len(processes) > limits.processes:
        return f"it started {len(processes)} processes"
    return _output_exceeded(limits, processes, output)


def _output_exceeded(limits: Limits, processes: list[int], output: Path) -> str:
    try:
        size, entries = _output.measure_output(output, limits.files)
    except OSError as error:
        return f"its output folder cannot be listed: {error.strerror}"
    if entries > limits.files:
        return f"it made more than {limits.files} files and folders"
    size += _output.deleted_bytes(processes, output)
    return f"it wrote {size >> 20} MiB" if size > limits.output_bytes else ""


def _sampled(command: int, pid_file: Path) -> list[int]:
    if not pid_file.exists():
        return process_tree(command)
    pid = pid_file.read_text()
    return process_tree(int(pid)) if pid else []


def process_tree(ancestor: int) -> list[int]:
    """The process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.name))
    processes = [ancestor]
    for pid in processes:  # grows while it is read
        processes.extend(children.get(pid, ()))
    return processes


def _resident_bytes(pid: int) -> int:
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The process and its descendants, also those in sessions of their own."""
    processes = process_tree(process.pid) if process.poll() is None else []
    for pid in reversed(processes):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
