"""A script, not a module: runs a module under an audit hook that refuses sockets, other programs and writes elsewhere.

Arguments: the output folder, the module, its arguments. This stops mistakes of honest programs; native code, or a
program that knows Python well, can bypass it. It is the fallback where the kernel offers no isolation.
"""

import os
import runpy
import sys
from pathlib import Path

OUTPUT = Path(sys.argv[1]).resolve()
REFUSED = (
    "socket.__new__", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork",
    "os.forkpty", "pty.spawn", "os.kill", "os.killpg", "os.setxattr",
)  # fmt: skip
CHANGING = (
    "os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.truncate",
    "os.utime",
)  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def is_in_output(path: object) -> bool:
    """True also for file descriptors: those files are open already."""
    if isinstance(path, int):
        return True
    return Path(os.fsdecode(path)).resolve().is_relative_to(OUTPUT)  # type: ignore[arg-type]


def audit(event: str, arguments: tuple[object, ...]) -> None:
    if event in REFUSED:
        raise PermissionError(f"a sandboxed program may not do this: {event}")
    if event == "open":
        path, _, flags = arguments
        if isinstance(flags, int) and flags & WRITING and path != os.devnull and not is_in_output(path):
            raise PermissionError(f"a sandboxed program may write in its output folder only, not {path}")
    elif event in CHANGING:
        places = [place for place in arguments[:2] if isinstance(place, str | bytes | os.PathLike)]
        if not all(is_in_output(place) for place in places):
            raise PermissionError(f"a sandboxed program may change its output folder only: {event} {places}")


sys.argv = sys.argv[2:]
sys.path.pop(0)  # this script's folder
sys.addaudithook(audit)
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
