"""SIGTERM and SIGHUP end a command as Ctrl-C does: what it has is saved, and its exit code is 128 + the signal."""

from __future__ import annotations

import os
import signal
import stat
from types import FrameType

_NAMES = ("SIGTERM", "SIGHUP")
_received: list[int] = []


class Stopped(KeyboardInterrupt):
    """A signal asks the command to end."""


def install() -> None:
    """Handle the signals that this process does not ignore; under nohup that is SIGTERM alone."""
    process = os.getpid()

    def handle(number: int, _frame: FrameType | None) -> None:
        if os.getpid() != process:  # a worker that was forked: it ends at once
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        repeated = bool(_received)
        _received.append(number)
        if signal.Signals(number).name == "SIGHUP":
            _leave_the_terminal()
        if not repeated:  # while results are written, a second signal changes nothing
            raise Stopped(f"stopped by {signal.Signals(number).name} before the end")

    for name in _NAMES:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handle)


def exit_code() -> int | None:
    """128 + the first signal that was received; None without one."""
    return 128 + _received[0] if _received else None


def _leave_the_terminal() -> None:
    """Direct output to the null device where it went to a terminal: that is gone, and printing would be an error."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        try:
            if stat.S_ISCHR(os.fstat(descriptor).st_mode):
                os.dup2(null, descriptor)
        except OSError:
            continue  # it was closed
    os.close(null)
