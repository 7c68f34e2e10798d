"""The isolation methods: what each needs, and the command that runs a job with it."""

from __future__ import annotations

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
from edgekws.curate.sandbox import seccomp as _seccomp
from edgekws.curate.sandbox.watchdog import CONTAINER_PID, Limits, rlimits
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
_SET_BY_IMAGE = ("PATH", "PYTHONPATH", plugins.VARIABLE, plugins.OLD_VARIABLE)
_ENGINE_BYTES = 256 << 20
"""Docker's and podman's commands run under the program's memory limit; 100 MiB are too little (podman 4.3)."""
_CONTAINER_SCRIPT = """
timeout -s KILL "$@"
code=$?
if [ $code != 0 ] && grep -qs "^oom_kill [1-9]" /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control
then echo "MemoryError: the kernel ended what used the most memory"
fi
exit $code
"""
"""Only the container's own control group (version 2 or 1) reports reliably that memory ran out; podman 4.3 does not."""
_THREADS_PER_PROCESS = 16
"""A control group counts threads, our limit counts processes: allowed threads per process."""


@dataclass(frozen=True)
class Job:
    """See run() of the package. scratch: an empty folder of the parent process; name: unique to this run."""

    module: str
    inputs: Path
    output: Path
    scratch: Path
    limits: Limits
    image: str
    name: str

    def environment(self, isolation: str) -> dict[str, str]:
        """The program gets only the paths it needs. A container engine, which is trusted, gets all of ours."""
        if isolation == "container":
            return dict(os.environ)
        own_root = isolation != "plain"
        path = _APP if own_root else os.pathsep.join(dict.fromkeys(str(folder.parent) for folder in _packages()))
        variables = {
            "PATH": "/usr/bin:/bin", "PYTHONPATH": path, "HOME": _OUT if own_root else str(self.output),
            "TMPDIR": "/tmp" if own_root else str(self.output), "LANG": "C.UTF-8", "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
            "OPENBLAS_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
        }  # fmt: skip
        outside = ",".join(package.name for package in plugins.packages() if package.roots and not package.built_in)
        return variables | ({plugins.VARIABLE: outside} if outside else {})

    def binds(self) -> list[tuple[str, str, bool]]:
        """(source, target, writable) of everything that is visible in a root of its own."""
        visible = [path for path in _SYSTEM if Path(path).exists() and not Path(path).is_symlink()]
        python = (sys.base_prefix, sys.prefix)
        visible += [
            path for path in dict.fromkeys(python) if not any(Path(path).is_relative_to(one) for one in visible)
        ]
        same = [(path, path, False) for path in visible]
        ours = [(str(folder), f"{_APP}/{folder.name}", False) for folder in _packages()]
        return [*same, *ours, (str(self.inputs), _IN, False), (str(self.output), _OUT, True)]


class Isolation(Protocol):
    """One way to isolate a program from the rest of the machine."""

    def missing(self) -> str:
        """Why it is not available here, or ""."""

    def command(self, job: Job) -> list[str]:
        """The command line that runs the job isolated."""

    def stop(self, job: Job) -> None:
        """End what is left after the command was killed."""


class Container:
    def missing(self) -> str:
        return _engine.missing()

    def command(self, job: Job) -> list[str]:
        """With a time limit inside the container too, in case this process and its guard are both killed.

        Raises ConfigError when no engine has the image, and when the engine's own command would not fit the memory.
        """
        engine, limits = _engine.with_image(job.image), job.limits
        if limits.memory_bytes < _ENGINE_BYTES:
            expected = f"the memory limit of a container should be {_ENGINE_BYTES >> 20} MiB or more"
            raise ConfigError(expected, got=f"{limits.memory_bytes >> 20} MiB")
        arguments = [
            "--pull", "never", "--network", "none", "--read-only", "--cap-drop", "ALL",
            "--security-opt", "no-new-privileges", "--log-driver", "none", "--stop-signal", "KILL",
            "--memory", str(limits.memory_bytes), "--memory-swap", str(limits.memory_bytes),
            "--pids-limit", str(_THREADS_PER_PROCESS * limits.processes), *engine.ulimit_options(rlimits(limits)),
            *self._variables(job),
            "--tmpfs", f"/tmp:size={_SCRATCH_BYTES}", "--shm-size", str(_SCRATCH_BYTES),
            "--volume", f"{job.inputs}:{_IN}:ro,Z", "--volume", f"{job.output}:{_OUT}:Z", "--workdir", _OUT,
            "--entrypoint", "sh", job.image, "-c", _CONTAINER_SCRIPT, "sh", str(math.ceil(limits.seconds)),
            "python", "-m", job.module, _IN, _OUT,
        ]  # fmt: skip
        return engine.guarded_command(job.name, arguments, job.scratch / CONTAINER_PID)

    def stop(self, job: Job) -> None:
        """A container survives the command that started it."""
        _engine.with_image(job.image).remove(job.name)

    @staticmethod
    def _variables(job: Job) -> list[str]:
        """Options that set the environment; the image itself sets the paths of Python and packages."""
        given = {name: value for name, value in job.environment("namespaces").items() if name not in _SET_BY_IMAGE}
        return [word for name, value in given.items() for word in ("--env", f"{name}={value}")]


class Bubblewrap:
    def missing(self) -> str:
        if not shutil.which("bwrap"):
            return "bwrap was not found"
        if not _has_call_table():
            return f"the system calls of {platform.machine()} are not known"
        return _trial_error(("bwrap", "--ro-bind", "/", "/", "--unshare-all", "true"))

    def command(self, job: Job) -> list[str]:
        command = [
            str(shutil.which("bwrap")), "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
            "--size", str(_SCRATCH_BYTES), "--tmpfs", "/tmp",
        ]  # fmt: skip
        for device in _DEVICES:  # not all of --dev, which adds writable memory without a limit
            command += ["--dev-bind", device, device]
        for source, target in _links():
            command += ["--symlink", target, source]
        for source, target, writable in job.binds():
            command += ["--bind" if writable else "--ro-bind", source, target]
        return [*command, "--proc", "/proc", "--chdir", _OUT, "--remount-ro", "/", *_module_command(job.module)]

    def stop(self, job: Job) -> None:
        """--die-with-parent does it."""


class Namespaces:
    def missing(self) -> str:
        if not shutil.which("unshare"):
            return "unshare was not found"
        if not _has_call_table():
            return f"the system calls of {platform.machine()} are not known"
        return _trial_error((*_UNSHARE, "mount", "-t", "tmpfs", "none", "/tmp"))

    def command(self, job: Job) -> list[str]:
        root, spec = job.scratch / "root", job.scratch / "spec.json"
        root.mkdir()
        devices = [(device, device, True) for device in _DEVICES]
        content = {
            "root": str(root), "binds": [*job.binds(), *devices], "links": _links(), "folder": _OUT,
            "scratch_bytes": _SCRATCH_BYTES, "command": _module_command(job.module),
        }  # fmt: skip
        spec.write_text(json.dumps(content))
        return [*_UNSHARE, sys.executable, "-I", "-S", str(_SCRIPTS / "namespaces.py"), str(spec)]

    def stop(self, job: Job) -> None:
        """--kill-child does it."""


class Plain:
    def missing(self) -> str:
        return ""

    def command(self, job: Job) -> list[str]:
        guarded = [sys.executable, str(_SCRIPTS / "fallback_process.py"), str(job.output)]
        return _seccomp_command(_SCRIPTS, [*guarded, job.module, str(job.inputs), str(job.output)])

    def stop(self, job: Job) -> None:
        """The watchdog does it."""


METHODS: dict[str, Isolation] = {
    "container": Container(), "bubblewrap": Bubblewrap(), "namespaces": Namespaces(), "plain": Plain(),
}  # fmt: skip
_UNSHARE = (
    "unshare", "--user", "--map-root-user", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child",
)  # fmt: skip


def _module_command(module: str) -> list[str]:
    """The command line inside the new root."""
    return _seccomp_command(Path(_APP, "edgekws", "curate", "sandbox"), [sys.executable, "-m", module, _IN, _OUT])


def _seccomp_command(scripts: Path, command: list[str]) -> list[str]:
    return [sys.executable, "-I", "-S", str(scripts / "seccomp.py"), *command]


def _has_call_table() -> bool:
    return platform.machine() in _seccomp.TABLES


def _links() -> list[tuple[str, str]]:
    """(path, target) of system folders that are links: /bin and the like point into /usr on most systems."""
    return [(path, str(Path(path).readlink())) for path in _SYSTEM if Path(path).is_symlink()]


def _packages() -> list[Path]:
    """The folders of this package and of those that plugins may come from."""
    return [root for package in plugins.packages() for root in package.roots]


@cache
def _trial_error(command: tuple[str, ...]) -> str:
    """The error of a trial run of `command`; "" when it works."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return "" if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"
