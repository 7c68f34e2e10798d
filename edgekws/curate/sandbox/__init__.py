"""A foreign program behind a wall: no network, read-only inputs, one output folder, limited time and memory.

Which wall is used is said in the result, for they are not equally high:

container    docker or podman, in an image of yours that has edgekws; only when an image is named, never fetched
bubblewrap   `bwrap`, an unprivileged sandbox
namespaces   the kernel's user, mount, network and process namespaces by `unshare`, and no capabilities
plain        a subprocess that refuses itself sockets, other programs and files to write; stops mistakes, not malice:
             it reads what you may read, and native code can start programs that outlive it

Behind the first three the program sees its input and the system's libraries, this Python and this package, or those of
the image, and nothing else. Where SELinux rules, the two folders are labelled as a container's alone.
Behind the last three the kernel refuses sockets, new namespaces and memory without an owner (_filtered.py). Time,
memory, number of processes, and size and number of the output's files are limited behind all of them, by looking
twenty times a second: a program may pass a limit for that long. Not counted are what the kernel itself holds for its
pipes and at most 64 MiB in /tmp. The processor's and the disk's speed are shared, not limited.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from edgekws.curate.sandbox import isolation
from edgekws.curate.sandbox.output import emptied
from edgekws.curate.sandbox.watchdog import Ended, Limits, watched
from edgekws.errors import ConfigError, DataError

__all__ = ["Ended", "Limits", "Sealed", "emptied", "run", "walls"]

AUTO = "auto"
_LINE = 300
"""Characters of a printed line that an error shows at most."""


@dataclass(frozen=True)
class Sealed:
    """How it went. wall: which one; peak_bytes: resident memory of all processes together, at its highest,
    or 0 for a container whose processes are not seen here.

    instead: why it was no container, although an image was named, or "".
    """

    wall: str
    seconds: float
    peak_bytes: int
    instead: str = ""


def walls() -> dict[str, str]:
    """Each wall that needs no image, best first, with what is missing for it here; "" when it can be used."""
    return {name: wall.missing() for name, wall in isolation.WALLS.items() if name != "container"}


def run(
    module: str, inputs: Path, output: Path, limits: Limits | None = None, wall: str = AUTO, image: str = ""
) -> Sealed:
    """Run `python -m module INPUTS OUTPUT` behind a wall. inputs: a folder to read; output: one to write, exists.

    Raises ConfigError for a wall that is not there, DataError when the program fails or breaks a limit, and
    ConfigError when its own exit code says so; the output folder is then empty.
    """
    name, instead = _chosen(wall, image)
    limited = limits or Limits()
    with tempfile.TemporaryDirectory(prefix="edgekws-sealed-") as scratch:
        once = f"{Path(scratch).name}-{os.getpid()}"
        job = isolation.Job(module, inputs.resolve(), output.resolve(), Path(scratch), limited, image, once)
        command = isolation.WALLS[name].command(job)
        try:
            ended = watched(command, job.environment(name), output, limited, Path(scratch))
        finally:
            isolation.WALLS[name].stop(job)
    if ended.broke or ended.code:
        emptied(output)
    _check(ended, limited, name)
    return Sealed(name, ended.seconds, ended.peak_bytes, instead)


def _chosen(wall: str, image: str) -> tuple[str, str]:
    """(the wall, why it is no container although there is an image)."""
    instead = isolation.WALLS["container"].missing() if image and wall == AUTO else ""
    if wall == AUTO:
        best = next(name for name, missing in walls().items() if not missing)
        wall = best if instead or not image else "container"
    if wall not in isolation.WALLS:
        raise ConfigError(f"the wall should be auto or one of {', '.join(isolation.WALLS)}", got=wall)
    if wall == "container" and not image:
        raise ConfigError("a container should be told its image", hint="give --image")
    missing = isolation.WALLS[wall].missing()
    if missing:
        raise ConfigError(f"the wall {wall} cannot be built here", got=missing, hint="use --wall auto")
    return wall, instead


def _check(ended: Ended, limits: Limits, wall: str) -> None:
    if ended.broke:
        raise DataError(
            f"the sealed program should stay within {limits.described()}",
            got=f"{ended.broke}, after {ended.seconds:.1f} s; it was stopped",
            hint="raise the limit, or let the program do less",
        )
    if ended.code != 0:
        said = " | ".join(_plainly(line) for line in ended.said.strip().splitlines()[-4:]) or "nothing was printed"
        kind = ConfigError if ended.code == ConfigError.exit_code else DataError
        raise kind(f"the sealed program (wall: {wall}) failed with exit code {ended.code}", got=said)


def _plainly(line: str) -> str:
    """What a stranger's program printed, without what a terminal would obey."""
    return "".join(sign if sign.isprintable() else "?" for sign in line.strip())[-_LINE:]
