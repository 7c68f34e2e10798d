"""Runs a command and kills it as soon as stdin ends. A program of its own: imports nothing of ours.

QEMU has no such option, and would otherwise idle for ever after its parent was killed.
"""

import contextlib
import os
import subprocess
import sys
import threading


def _kill_at_end_of_stdin(child: "subprocess.Popen[bytes]") -> None:
    while os.read(sys.stdin.fileno(), 4096):
        continue
    child.kill()


def main() -> int:
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, close_fds=False)  # sockets are passed on
    threading.Thread(target=_kill_at_end_of_stdin, args=(child,), daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C reaches the whole group; our parent decides
        return child.wait()
    child.kill()
    return child.wait()


if __name__ == "__main__":
    sys.exit(main())
