"""The container engine that is here: docker or podman, whichever works, and of two the one that has the image.

Sources: docs.docker.com/reference/cli/docker, docs.podman.io/en/latest/Commands.html.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from edgekws.errors import ConfigError, DataError

_PROGRAMS = ("docker", "podman")
_ANSWER_S = 60.0
"""An engine that is silent for so long does not work."""
_NEEDED = ("memory", "pids")


@dataclass(frozen=True)
class Engine:
    """missing: why it cannot be used here, or "". options: of `run`, so that what is written belongs to our user.

    ours: its containers come from our own process and have its limits, as podman's do; docker's come from a service.
    """

    program: str
    missing: str = ""
    options: tuple[str, ...] = ()
    ours: bool = False

    def limited(self, rlimits: Mapping[str, int]) -> list[str]:
        """Options of `run` for the kernel's limits (RLIMIT_DATA, ...: number) of each process.

        None where they are inherited: podman forgets the limits of containers.conf as soon as it is given one.
        """
        if self.ours:
            return []
        names = {name.removeprefix("RLIMIT_").lower(): value for name, value in rlimits.items()}
        return [word for name, value in names.items() for word in ("--ulimit", f"{name}={value}:{value}")]

    def attended(self, name: str, arguments: Sequence[str], apart: Path) -> list[str]:
        """The command that runs the container `name`, and ends it when this process dies.

        apart: a file that will tell the container's first process. arguments: of `run`, beside this engine's own.
        """
        apart.touch()
        lines = {
            "parent": os.getpid(), "apart": str(apart), "remove": self._removal(name),
            "run": [self.program, "run", "--name", name, *self.options, *arguments],
            "process": [self.program, "container", "inspect", "--format", "{{.Id}} {{.State.Pid}}", name],
        }  # fmt: skip
        return [sys.executable, "-I", "-S", str(Path(__file__).with_name("process_guard.py")), json.dumps(lines)]

    def remove(self, name: str) -> None:
        """Raises DataError when the container stays. One that is not there is as good as removed."""
        done = _run(*self._removal(name))
        if done.returncode and not _run(self.program, "container", "inspect", name).returncode:
            line = " ".join(self._removal(name))
            raise DataError("a sealed container should be gone after its run", got=_fault(done), hint=line)

    def _removal(self, name: str) -> list[str]:
        return [self.program, "rm", "--force", "--volumes", name]


def missing() -> str:
    """Why no engine can be used here, or ""."""
    return "" if _working() else "; ".join(f"{one.program}: {one.missing}" for one in _engines())


@cache
def holding(image: str) -> Engine:
    """Raises ConfigError when no engine has the image: none is fetched, for a name does not say what is in it."""
    for engine in _working():
        if not _run(engine.program, "image", "inspect", image).returncode:
            return engine
    programs = " or ".join(one.program for one in _working()) or "any engine"
    raise ConfigError(
        f"the container's image should be known to {programs}", got=image,
        hint=f"build it as examples/dataperf/Dockerfile says, or {programs} pull {image}",
    )  # fmt: skip


def _working() -> list[Engine]:
    return [engine for engine in _engines() if not engine.missing]


@cache
def _engines() -> list[Engine]:
    return [_found(program) for program in _PROGRAMS]


def _found(program: str) -> Engine:
    """What the engine says about itself. podman answers also to the name docker, in its own terms."""
    if not shutil.which(program):
        return Engine(program, "was not found")
    done = _run(program, "info", "--format", "{{json .}}")
    if done.returncode:
        return Engine(program, _fault(done))
    try:
        told = json.loads(done.stdout)
        return _podman(program, told["host"]) if "host" in told else _docker(program, told)
    except (ValueError, KeyError, TypeError) as error:
        return Engine(program, f"`{program} info` says nothing that is known: {type(error).__name__} {error}")


def _docker(program: str, told: Mapping[str, Any]) -> Engine:
    """A rootless docker shows our user as root inside; with userns-remap, user numbers are others unless it is off."""
    if not (told["MemoryLimit"] and told["PidsLimit"]):
        return Engine(program, "it cannot limit memory and processes on this machine")
    kinds = {part for one in told["SecurityOptions"] or () for part in one.split(",")}
    if "name=rootless" in kinds:
        return Engine(program, options=("--user", "0:0"))
    return Engine(program, options=(*(("--userns", "host") if "name=userns" in kinds else ()), *_us()))


def _podman(program: str, host: Mapping[str, Any]) -> Engine:
    """A rootless podman takes our user for root inside, unless it is kept. The names of proxies stay outside."""
    lacking = [one for one in _NEEDED if one not in host["cgroupControllers"]]
    if lacking:
        return Engine(program, f"it cannot limit {' and '.join(lacking)} here; rootless, that needs cgroup v2")
    rootless = ("--userns", "keep-id") if host["security"]["rootless"] else ()
    return Engine(program, options=("--http-proxy=false", *rootless, *_us()), ours=True)


def _us() -> tuple[str, ...]:
    return ("--user", f"{os.getuid()}:{os.getgid()}")


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=_ANSWER_S,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"no answer within {_ANSWER_S:g} s")


def _fault(done: subprocess.CompletedProcess[str]) -> str:
    return next(reversed(done.stderr.strip().splitlines()), f"exit code {done.returncode}")
