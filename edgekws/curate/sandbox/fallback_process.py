"""A script, not a module: runs a module in a Python that refuses sockets, other programs and foreign files to write.

Arguments: the output folder, the module, its arguments. This stops mistakes and honest programs; native code, or one
that knows Python well, can go around it. A wall of the kernel cannot be gone around; this is for where there is none.
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


def inside(path: object) -> bool:
    """Files that are open already are known by number."""
    if isinstance(path, int):
        return True
    return Path(os.fsdecode(path)).resolve().is_relative_to(OUTPUT)  # type: ignore[arg-type]


def guard(event: str, arguments: tuple[object, ...]) -> None:
    if event in REFUSED:
        raise PermissionError(f"a sealed program may not do this: {event}")
    if event == "open":
        path, _, flags = arguments
        if isinstance(flags, int) and flags & WRITING and path != os.devnull and not inside(path):
            raise PermissionError(f"a sealed program may write in its output folder only, not {path}")
    elif event in CHANGING:
        places = [place for place in arguments[:2] if isinstance(place, str | bytes | os.PathLike)]
        if not all(inside(place) for place in places):
            raise PermissionError(f"a sealed program may change its output folder only: {event} {places}")


sys.argv = sys.argv[2:]
sys.path.pop(0)  # this script's folder
sys.addaudithook(guard)
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
