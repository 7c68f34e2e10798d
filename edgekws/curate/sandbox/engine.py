"""Finds the container engine: docker or podman, whichever works; if both do, the one that has the image.

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
"""An engine that does not answer for this long is considered broken."""
_REQUIRED_CONTROLLERS = ("memory", "pids")


@dataclass(frozen=True)
class Engine:
    """missing: why it cannot be used here, or "". options: of `run`, so that output files belong to our user.

    inherits_limits: containers are children of our process and inherit its resource limits, as with podman; docker
    starts them from a daemon.
    """

    program: str
    missing: str = ""
    options: tuple[str, ...] = ()
    inherits_limits: bool = False

    def ulimit_options(self, rlimits: Mapping[str, int]) -> list[str]:
        """Options of `run` for the kernel's limits (RLIMIT_DATA, ...: value) of each process.

        Empty where they are inherited: podman ignores the limits of containers.conf as soon as it is given one.
        """
        if self.inherits_limits:
            return []
        names = {name.removeprefix("RLIMIT_").lower(): value for name, value in rlimits.items()}
        return [word for name, value in names.items() for word in ("--ulimit", f"{name}={value}:{value}")]

    def guarded_command(self, name: str, arguments: Sequence[str], pid_file: Path) -> list[str]:
        """The command that runs the container `name`, and removes it when this process dies.

        pid_file: will hold the PID of the container's first process. arguments: of `run`, after this engine's own.
        """
        pid_file.touch()
        commands = {
            "parent": os.getpid(), "pid_file": str(pid_file), "remove": self._remove_command(name),
            "run": [self.program, "run", "--name", name, *self.options, *arguments],
            "inspect": [self.program, "container", "inspect", "--format", "{{.Id}} {{.State.Pid}}", name],
        }  # fmt: skip
        return [sys.executable, "-I", "-S", str(Path(__file__).with_name("process_guard.py")), json.dumps(commands)]

    def remove(self, name: str) -> None:
        """Remove the container `name`, if it exists. Raises DataError when that fails."""
        done = _run(*self._remove_command(name))
        if done.returncode and not _run(self.program, "container", "inspect", name).returncode:
            command = " ".join(self._remove_command(name))
            raise DataError("a sandbox's container should be gone after its run", got=_last_error(done), hint=command)

    def _remove_command(self, name: str) -> list[str]:
        return [self.program, "rm", "--force", "--volumes", name]


def missing() -> str:
    """Why no engine can be used here, or ""."""
    return "" if _usable() else "; ".join(f"{one.program}: {one.missing}" for one in _engines())


@cache
def with_image(image: str) -> Engine:
    """An engine that has the image. Raises ConfigError when none has: images are never pulled, for a name does not
    say what is in them.
    """
    for engine in _usable():
        if not _run(engine.program, "image", "inspect", image).returncode:
            return engine
    programs = " or ".join(one.program for one in _usable()) or "any engine"
    raise ConfigError(
        f"the container's image should be known to {programs}", got=image,
        hint=f"build it as examples/dataperf/Dockerfile says, or {programs} pull {image}",
    )  # fmt: skip


def _usable() -> list[Engine]:
    return [engine for engine in _engines() if not engine.missing]


@cache
def _engines() -> list[Engine]:
    return [_detect(program) for program in _PROGRAMS]


def _detect(program: str) -> Engine:
    """The engine as its `info` describes it. podman may also be installed under the name docker."""
    if not shutil.which(program):
        return Engine(program, "was not found")
    done = _run(program, "info", "--format", "{{json .}}")
    if done.returncode:
        return Engine(program, _last_error(done))
    try:
        info = json.loads(done.stdout)
        return _podman(program, info["host"]) if "host" in info else _docker(program, info)
    except (ValueError, KeyError, TypeError) as error:
        return Engine(program, f"`{program} info` has an unknown format: {type(error).__name__} {error}")


def _docker(program: str, info: Mapping[str, Any]) -> Engine:
    """Rootless docker maps our user to root inside; userns-remap changes user ids unless it is switched off."""
    if not (info["MemoryLimit"] and info["PidsLimit"]):
        return Engine(program, "it cannot limit memory and processes on this machine")
    kinds = {part for one in info["SecurityOptions"] or () for part in one.split(",")}
    if "name=rootless" in kinds:
        return Engine(program, options=("--user", "0:0"))
    return Engine(program, options=(*(("--userns", "host") if "name=userns" in kinds else ()), *_user_options()))


def _podman(program: str, host: Mapping[str, Any]) -> Engine:
    """Rootless podman maps our user to root inside, unless told to keep the id. Proxy settings are not passed on."""
    missing_controllers = [one for one in _REQUIRED_CONTROLLERS if one not in host["cgroupControllers"]]
    if missing_controllers:
        return Engine(
            program, f"it cannot limit {' and '.join(missing_controllers)} here; rootless, that needs cgroup v2"
        )
    rootless = ("--userns", "keep-id") if host["security"]["rootless"] else ()
    return Engine(program, options=("--http-proxy=false", *rootless, *_user_options()), inherits_limits=True)


def _user_options() -> tuple[str, ...]:
    return ("--user", f"{os.getuid()}:{os.getgid()}")


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=_ANSWER_S,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"no answer within {_ANSWER_S:g} s")


def _last_error(done: subprocess.CompletedProcess[str]) -> str:
    return next(reversed(done.stderr.strip().splitlines()), f"exit code {done.returncode}")
