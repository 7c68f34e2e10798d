"""A script, not a module: runs a container, and ends it when the process that asked for it dies.

Its one argument is JSON: parent (a process id), apart (a file), and the engine's command lines: run, process (prints
the container's id and first process), remove.

A container is no child of the command that starts it. So the file `apart` tells its first process, for those who
measure; it stays empty before the container has started, and where its processes are not seen here, as with an engine
on another machine. Only Python's own library is used, for nothing else may be there.
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
ASK_S = 0.2


def asked(command: list[str]) -> str:
    """The answer, or "" while there is none."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def first_process(answer: str) -> str:
    """Its id, if it is one of this machine's processes and the container's: then its control group has its name."""
    name, _, process = answer.partition(" ")
    try:
        group = Path(f"/proc/{int(process)}/cgroup").read_text()
    except (OSError, ValueError):
        return ""
    return process if name and name in group else ""


def attend(lines: dict[str, Any], client: subprocess.Popen[bytes]) -> int:
    apart, known, next_question = Path(lines["apart"]), "", 0.0
    while client.poll() is None:
        if os.getppid() != lines["parent"]:
            client.kill()
            subprocess.run(lines["remove"], capture_output=True, check=False)
            sys.exit("the parent has ended")
        if not known and time.monotonic() > next_question:
            known = first_process(asked(lines["process"]))
            apart.write_text(known)
            next_question = time.monotonic() + ASK_S
        time.sleep(PERIOD_S)
    return client.returncode


def outlive_the_parent() -> None:
    """What ends the parent may reach us too, and we are needed a little longer."""
    signal.signal(signal.SIGTERM, lambda *_: None)  # not SIG_IGN, which the engine would inherit
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, 0)


def main() -> int:
    outlive_the_parent()
    lines = json.loads(sys.argv[1])
    os.chdir(Path(lines["apart"]).parent)  # an engine may write where it is; the output folder is the program's
    return attend(lines, subprocess.Popen(lines["run"]))


sys.exit(main())
