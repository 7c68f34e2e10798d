"""The walls: what each needs, and the command that runs a job behind it."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from edgekws import plugins
from edgekws.curate.sandbox import engine as _engine
from edgekws.curate.sandbox import seccomp as _filters
from edgekws.curate.sandbox.watchdog import APART, Limits, rlimits
from edgekws.errors import ConfigError

_SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/alternatives",
)
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
_IN, _OUT, _APP = "/in", "/out", "/app"
_SCRATCH_BYTES = 64 << 20
_SCRIPTS = Path(__file__).parent
_OF_THE_IMAGE = ("PATH", "PYTHONPATH", "EDGEKWS_PLUGS")
_ENGINE_BYTES = 256 << 20
"""Docker's and podman's commands, under the same limit as the program, do not start with 100 MiB (podman 4.3)."""
_IN_A_CONTAINER = """
timeout -s KILL "$@"
code=$?
if [ $code != 0 ] && grep -qs "^oom_kill [1-9]" /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control
then echo "MemoryError: the kernel ended what used the most memory"
fi
exit $code
"""
"""Only the container's own control group (version 2, or 1) says for sure that memory ran out: podman 4.3 forgets it."""
_THREADS = 16
"""A control group counts threads, our limit does not: so many of them for each process."""


@dataclass(frozen=True)
class Job:
    """See run() of the package. scratch: an empty folder of the parent's; name: of this run alone."""

    module: str
    inputs: Path
    output: Path
    scratch: Path
    limits: Limits
    image: str
    name: str

    def environment(self, wall: str) -> dict[str, str]:
        """What the program may know of ours: nothing but where its things are. An engine may know all: it is ours."""
        if wall == "container":
            return dict(os.environ)
        apart = wall != "plain"
        path = _APP if apart else os.pathsep.join(dict.fromkeys(str(folder.parent) for folder in _packages()))
        wanted = {
            "PATH": "/usr/bin:/bin", "PYTHONPATH": path, "HOME": _OUT if apart else str(self.output),
            "TMPDIR": "/tmp" if apart else str(self.output), "LANG": "C.UTF-8", "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
            "OPENBLAS_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
        }  # fmt: skip
        return wanted | {name: os.environ[name] for name in ("EDGEKWS_PLUGS",) if name in os.environ}

    def binds(self) -> list[tuple[str, str, bool]]:
        """(from, to, may be written) of what is seen behind a wall that hides the rest."""
        seen = [path for path in _SYSTEM if Path(path).exists() and not Path(path).is_symlink()]
        python = (sys.base_prefix, sys.prefix)
        seen += [path for path in dict.fromkeys(python) if not any(Path(path).is_relative_to(one) for one in seen)]
        same = [(path, path, False) for path in seen]
        ours = [(str(folder), f"{_APP}/{folder.name}", False) for folder in _packages()]
        return [*same, *ours, (str(self.inputs), _IN, False), (str(self.output), _OUT, True)]


class Wall(Protocol):
    """One way to keep a program apart from the rest of the machine."""

    def missing(self) -> str:
        """Why it cannot be built here, or ""."""

    def command(self, job: Job) -> list[str]:
        """What runs the job behind it."""

    def stop(self, job: Job) -> None:
        """End what is left once the command was killed."""


class Container:
    def missing(self) -> str:
        return _engine.missing()

    def command(self, job: Job) -> list[str]:
        """A time limit in the container too, for the day on which everything else of ours was killed.

        Raises ConfigError when no engine has the image, and when not even the engine's own command would have room.
        """
        engine, limits = _engine.holding(job.image), job.limits
        if limits.memory_bytes < _ENGINE_BYTES:
            least = f"the memory limit of a container should be {_ENGINE_BYTES >> 20} MiB or more"
            raise ConfigError(least, got=f"{limits.memory_bytes >> 20} MiB")
        arguments = [
            "--pull", "never", "--network", "none", "--read-only", "--cap-drop", "ALL",
            "--security-opt", "no-new-privileges", "--log-driver", "none", "--stop-signal", "KILL",
            "--memory", str(limits.memory_bytes), "--memory-swap", str(limits.memory_bytes),
            "--pids-limit", str(_THREADS * limits.processes), *engine.limited(rlimits(limits)), *self._variables(job),
            "--tmpfs", f"/tmp:size={_SCRATCH_BYTES}", "--shm-size", str(_SCRATCH_BYTES),
            "--volume", f"{job.inputs}:{_IN}:ro,Z", "--volume", f"{job.output}:{_OUT}:Z", "--workdir", _OUT,
            "--entrypoint", "sh", job.image, "-c", _IN_A_CONTAINER, "sh", str(math.ceil(limits.seconds)),
            "python", "-m", job.module, _IN, _OUT,
        ]  # fmt: skip
        return engine.attended(job.name, arguments, job.scratch / APART)

    def stop(self, job: Job) -> None:
        """The engine runs a container on when the command that started it is killed."""
        _engine.holding(job.image).remove(job.name)

    @staticmethod
    def _variables(job: Job) -> list[str]:
        """Where its Python and its packages are, the image says."""
        given = {name: value for name, value in job.environment("namespaces").items() if name not in _OF_THE_IMAGE}
        return [word for name, value in given.items() for word in ("--env", f"{name}={value}")]


class Bubblewrap:
    def missing(self) -> str:
        if not shutil.which("bwrap"):
            return "bwrap was not found"
        if not _known_calls():
            return f"the system calls of {platform.machine()} are not known"
        return _tried(("bwrap", "--ro-bind", "/", "/", "--unshare-all", "true"))

    def command(self, job: Job) -> list[str]:
        command = [
            str(shutil.which("bwrap")), "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
            "--size", str(_SCRATCH_BYTES), "--tmpfs", "/tmp",
        ]  # fmt: skip
        for device in _DEVICES:  # not all of --dev, which brings memory to write in, without a limit
            command += ["--dev-bind", device, device]
        for source, target in _links():
            command += ["--symlink", target, source]
        for source, target, writable in job.binds():
            command += ["--bind" if writable else "--ro-bind", source, target]
        return [*command, "--proc", "/proc", "--chdir", _OUT, "--remount-ro", "/", *_inside(job.module)]

    def stop(self, job: Job) -> None:
        """--die-with-parent has done it."""


class Namespaces:
    def missing(self) -> str:
        if not shutil.which("unshare"):
            return "unshare was not found"
        if not _known_calls():
            return f"the system calls of {platform.machine()} are not known"
        return _tried((*_UNSHARE, "mount", "-t", "tmpfs", "none", "/tmp"))

    def command(self, job: Job) -> list[str]:
        root, spec = job.scratch / "root", job.scratch / "spec.json"
        root.mkdir()
        devices = [(device, device, True) for device in _DEVICES]
        content = {
            "root": str(root), "binds": [*job.binds(), *devices], "links": _links(), "folder": _OUT,
            "scratch_bytes": _SCRATCH_BYTES, "command": _inside(job.module),
        }  # fmt: skip
        spec.write_text(json.dumps(content))
        return [*_UNSHARE, sys.executable, "-I", "-S", str(_SCRIPTS / "namespaces.py"), str(spec)]

    def stop(self, job: Job) -> None:
        """--kill-child has done it."""


class Plain:
    def missing(self) -> str:
        return ""

    def command(self, job: Job) -> list[str]:
        guarded = [sys.executable, str(_SCRIPTS / "fallback_process.py"), str(job.output)]
        return _filtered(_SCRIPTS, [*guarded, job.module, str(job.inputs), str(job.output)])

    def stop(self, job: Job) -> None:
        """The watcher has done it."""


WALLS: dict[str, Wall] = {
    "container": Container(), "bubblewrap": Bubblewrap(), "namespaces": Namespaces(), "plain": Plain(),
}  # fmt: skip
_UNSHARE = (
    "unshare", "--user", "--map-root-user", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child",
)  # fmt: skip


def _inside(module: str) -> list[str]:
    """What runs in the small root."""
    return _filtered(Path(_APP, "edgekws", "curate", "sandbox"), [sys.executable, "-m", module, _IN, _OUT])


def _filtered(scripts: Path, command: list[str]) -> list[str]:
    return [sys.executable, "-I", "-S", str(scripts / "seccomp.py"), *command]


def _known_calls() -> bool:
    return platform.machine() in _filters.TABLES


def _links() -> list[tuple[str, str]]:
    """/bin and the like are links into /usr on most systems."""
    return [(path, str(Path(path).readlink())) for path in _SYSTEM if Path(path).is_symlink()]


def _packages() -> list[Path]:
    """The folders of this package and of those that plugs may come from."""
    found = [importlib.util.find_spec(name) for name in plugins.packages()]
    return [Path(place) for spec in found if spec for place in spec.submodule_search_locations or ()]


@cache
def _tried(command: tuple[str, ...]) -> str:
    """What a small run of it complains about; "" when it works."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return "" if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"
