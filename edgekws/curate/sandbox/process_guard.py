"""A script, not a module: runs a container, and removes it when the process that asked for it dies.

Its one argument is JSON: parent (a PID), pid_file, and the engine's command lines: run, inspect (prints the
container's id and the PID of its first process), remove.

A container is not a child of the command that starts it. The watchdog therefore reads the PID of its first process
from `pid_file`. The file stays empty until the container has started, and where its processes are not visible, as with
an engine on another machine. Only the standard library is used, for nothing else may be installed.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
PERIOD_S = 0.05
INSPECT_PERIOD_S = 0.2


def output_of(command: list[str]) -> str:
    """Its standard output, or "" when it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def first_pid(answer: str) -> str:
    """The PID, if it is a process of this machine and of the container, whose control group bears its id; else ""."""
    name, _, process = answer.partition(" ")
    try:
        group = Path(f"/proc/{int(process)}/cgroup").read_text()
    except (OSError, ValueError):
        return ""
    return process if name and name in group else ""


def supervise(commands: dict[str, Any], client: subprocess.Popen[bytes]) -> int:
    """Until the client ends: its exit code. Removes the container and exits when the parent has died."""
    pid_file, pid, next_inspect = Path(commands["pid_file"]), "", 0.0
    while client.poll() is None:
        if os.getppid() != commands["parent"]:
            client.kill()
            subprocess.run(commands["remove"], capture_output=True, check=False)
            sys.exit("the parent has ended")
        if not pid and time.monotonic() > next_inspect:
            pid = first_pid(output_of(commands["inspect"]))
            pid_file.write_text(pid)
            next_inspect = time.monotonic() + INSPECT_PERIOD_S
        time.sleep(PERIOD_S)
    return client.returncode


def ignore_termination() -> None:
    """The signal that ends the parent may reach this process too, which still has to remove the container."""
    signal.signal(signal.SIGTERM, lambda *_: None)  # not SIG_IGN, which the engine would inherit
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, 0)


def main() -> int:
    ignore_termination()
    commands = json.loads(sys.argv[1])
    os.chdir(Path(commands["pid_file"]).parent)  # an engine may write to its working directory
    return supervise(commands, subprocess.Popen(commands["run"]))


sys.exit(main())
