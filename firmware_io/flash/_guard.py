"""Runs a command and kills it when stdin is closed. A stand-alone program: it imports no other module of this package.

QEMU has no such option and would otherwise idle for ever after its parent was killed. Children of the command are
killed with it (UniFlash is a script that starts a program), for they share its process group.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading


def _kill_at_end_of_stdin(child: "subprocess.Popen[bytes]") -> None:
    while os.read(sys.stdin.fileno(), 4096):
        continue
    _kill(child)


def _kill(child: "subprocess.Popen[bytes]") -> None:
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    else:
        child.kill()


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    # a closed terminal and `timeout` signal the whole process group, and so this process, but not the command's group
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _interrupt)
    # close_fds=False: inherited sockets are passed on
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, close_fds=False, start_new_session=True)
    threading.Thread(target=_kill_at_end_of_stdin, args=(child,), daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C reaches the parent and this process, not the command's group
        return child.wait()
    _kill(child)
    return child.wait()


if __name__ == "__main__":
    sys.exit(main())
