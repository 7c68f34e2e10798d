"""A child process that does not outlive us, whatever happens to us."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgekws.errors import BoardError

START_TIMEOUT_S = 20.0
LAST_WORDS_CHARACTERS = 400
_POLL_S = 0.005
_GUARD = Path(__file__).parent / "_guard.py"


@dataclass(frozen=True)
class Lines:
    """URLs for ports.opening.open_serial. line: the serial line.

    events: where a firmware in energy mode sends a byte `T` for each time stamp.
    """

    line: str
    events: str


def guarded(command: Sequence[str]) -> list[str]:
    """`command` under a watcher that ends it when our end of its stdin closes, be it by a kill -9."""
    return [sys.executable, "-I", str(_GUARD), *command]


@contextmanager
def running(command: Sequence[str], announcement: re.Pattern[str], what: str) -> Iterator[str]:
    """As `matching`; gives group 1 of what matched."""
    with matching(command, announcement, what) as found:
        yield found.group(1)


@contextmanager
def matching(
    command: Sequence[str], announcement: re.Pattern[str], what: str, inherited: Sequence[int] = ()
) -> Iterator[re.Match[str]]:
    """Start `command`, wait until its stdout or stderr matches, give the match; end it on exit.

    inherited: descriptors of ours that the process keeps open under the same numbers. The process has to end
    when its stdin closes. Raises BoardError with what it wrote when it ends or stays silent before the
    announcement, and in place of an error inside of the context when that is explained by the death of the
    process.
    """
    with tempfile.TemporaryFile() as output:
        process = _launch(command, output.fileno(), what, inherited)
        try:
            yield _announced(process, output.fileno(), announcement, what)
        except Exception as error:
            if isinstance(error, BoardError) or not process.poll():
                raise
            raise BoardError(f"{what} should keep running", got=_last_words(process, output.fileno())) from error
        finally:
            _end(process)


def existing(elf: Path) -> Path:
    if not elf.is_file():
        raise BoardError(f"{elf} should be a firmware", got="no such file", hint="build it first: edgekws flash")
    return elf


def _launch(command: Sequence[str], output: int, what: str, inherited: Sequence[int]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output, pass_fds=inherited)
    except OSError as error:
        raise BoardError(f"{what} should start", got=f"{command[0]}: {error.strerror}") from error


def _announced(
    process: subprocess.Popen[bytes], output: int, announcement: re.Pattern[str], what: str
) -> re.Match[str]:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        ended = process.poll() is not None  # looked at before its output: what it wrote last is in there
        found = announcement.search(_written(output))
        if found:
            return found
        if ended:
            break
        time.sleep(_POLL_S)
    raise BoardError(f"{what} should start and say where its serial line is", got=_last_words(process, output))


def _last_words(process: subprocess.Popen[bytes], output: int) -> str:
    status = process.poll()
    state = "it still runs" if status is None else f"it ended with status {status}"
    said = " ".join(_written(output).split())[:LAST_WORDS_CHARACTERS]
    return f"{state}; it said: {said}" if said else f"{state} and said nothing"


def _written(output: int) -> str:
    return os.pread(output, 1 << 16, 0).decode(errors="replace")


def _end(process: subprocess.Popen[bytes], patience_s: float = 2.0) -> None:
    """Closing its stdin asks it to end; then it is killed."""
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
