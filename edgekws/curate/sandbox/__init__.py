"""Runs an untrusted program in a sandbox: no network, read-only inputs, one output folder, limited time and memory.

The isolation methods differ in strength, so the result names the one that was used:

container    docker or podman, in an image of yours that has edgekws; only when an image is named, never pulled
bubblewrap   `bwrap`, an unprivileged sandbox
namespaces   the kernel's user, mount, network and PID namespaces by `unshare`, without capabilities
plain        a subprocess whose audit hook refuses sockets, other programs and writes elsewhere; stops mistakes, not
             malice: it reads what you may read, and native code can start programs that outlive it

With the first three the program sees only its input, the system's libraries, this Python and this package (or those of
the image). Under SELinux the two folders get a private container label.
With the last three a seccomp filter refuses sockets, new namespaces and memory that no process owns (seccomp.py). Time,
memory, number of processes, and size and number of output files are limited with every method. They are sampled twenty
times a second, so a program may exceed a limit for up to 50 ms. The kernel's own pipe buffers and up to 64 MiB in /tmp
are not counted. CPU and disk bandwidth are shared, not limited.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from edgekws.curate.sandbox.isolation import METHODS, Job
from edgekws.curate.sandbox.output import empty_folder
from edgekws.curate.sandbox.watchdog import Limits, ProcessResult, supervise
from edgekws.errors import ConfigError, DataError

__all__ = ["Limits", "ProcessResult", "SandboxRun", "available", "empty_folder", "run"]

AUTO = "auto"
_LINE = 300
"""Maximum number of characters of a printed line in an error message."""


@dataclass(frozen=True)
class SandboxRun:
    """A finished run. isolation: the method used; peak_bytes: peak resident memory of all processes together,
    or 0 for a container whose processes are not visible here.

    fallback_reason: why no container was used although an image was named, or "".
    """

    isolation: str
    seconds: float
    peak_bytes: int
    fallback_reason: str = ""


def available() -> dict[str, str]:
    """Isolation methods that need no image, strongest first, with what each lacks here; "" when it is usable."""
    return {name: method.missing() for name, method in METHODS.items() if name != "container"}


def run(
    module: str, inputs: Path, output: Path, limits: Limits | None = None, isolation: str = AUTO, image: str = ""
) -> SandboxRun:
    """Run `python -m module INPUTS OUTPUT` in a sandbox.

    inputs: a folder, mounted read-only; output: an existing folder, the only writable one. isolation: a method, or
    "auto" for the strongest that works here. image: of a container, which must have been pulled or built before.

    Raises ConfigError for an isolation method that is not available and when the program exits with ConfigError's own
    exit code, DataError when the program fails otherwise or exceeds a limit; the output folder is then empty.
    """
    name, fallback_reason = _select_isolation(isolation, image)
    limits = limits or Limits()
    with tempfile.TemporaryDirectory(prefix="edgekws-sandbox-") as scratch:
        run_name = f"{Path(scratch).name}-{os.getpid()}"
        job = Job(module, inputs.resolve(), output.resolve(), Path(scratch), limits, image, run_name)
        command = METHODS[name].command(job)
        try:
            result = supervise(command, job.environment(name), output, limits, Path(scratch))
        finally:
            METHODS[name].stop(job)
    if result.exceeded or result.exit_code:
        empty_folder(output)
    _check(result, limits, name)
    return SandboxRun(name, result.seconds, result.peak_bytes, fallback_reason)


def _select_isolation(isolation: str, image: str) -> tuple[str, str]:
    """(isolation method, why it is not a container although an image is named, or "")."""
    fallback_reason = METHODS["container"].missing() if image and isolation == AUTO else ""
    if isolation == AUTO:
        best = next(name for name, missing in available().items() if not missing)
        isolation = best if fallback_reason or not image else "container"
    if isolation not in METHODS:
        raise ConfigError(f"--isolation should be auto or one of {', '.join(METHODS)}", got=isolation)
    if isolation == "container" and not image:
        raise ConfigError("--isolation container needs an image", hint="give --image")
    missing = METHODS[isolation].missing()
    if missing:
        raise ConfigError(
            f"the isolation method {isolation} is not available here", got=missing, hint="use --isolation auto"
        )
    return isolation, fallback_reason


def _check(result: ProcessResult, limits: Limits, isolation: str) -> None:
    if result.exceeded:
        raise DataError(
            f"the sandboxed program should stay within {limits.described()}",
            got=f"{result.exceeded}, after {result.seconds:.1f} s; it was stopped",
            hint="raise the limit, or let the program do less",
        )
    if result.exit_code != 0:
        lines = result.output_tail.strip().splitlines()[-4:]
        message = " | ".join(_printable(line) for line in lines) or "nothing was printed"
        kind = ConfigError if result.exit_code == ConfigError.exit_code else DataError
        raise kind(
            f"the sandboxed program (isolation: {isolation}) failed with exit code {result.exit_code}", got=message
        )


def _printable(line: str) -> str:
    """The end of a line of untrusted output, without terminal escape sequences."""
    return "".join(char if char.isprintable() else "?" for char in line.strip())[-_LINE:]
