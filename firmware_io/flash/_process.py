"""Child processes that end with this process, even when it is killed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from edgekws.errors import BoardError

START_TIMEOUT_S = 20.0
OUTPUT_CHARACTERS = 400
_POLL_S = 0.005
_LAST_MOMENT_S = 5.0
_GUARD = Path(__file__).parent / "_guard.py"


@dataclass(frozen=True)
class Lines:
    """URLs for ports.opening.open_serial. line: the serial line.

    events: where a firmware in energy mode sends a byte `T` for each time stamp.
    """

    line: str
    events: str


def guarded(command: Sequence[str]) -> list[str]:
    """`command` under _guard.py, which kills it when this process closes its stdin, also by a kill -9."""
    return [sys.executable, "-I", str(_GUARD), *command]


@contextmanager
def running(command: Sequence[str], announcement: re.Pattern[str], what: str) -> Iterator[str]:
    """Like `wait_for_match`; yields group 1 of the match."""
    with wait_for_match(command, announcement, what) as match:
        yield match.group(1)


@contextmanager
def wait_for_match(
    command: Sequence[str], announcement: re.Pattern[str], what: str, inherited: Sequence[int] = ()
) -> Iterator[re.Match[str]]:
    """Start `command` and wait until its stdout or stderr matches `announcement`; end it at the end of the block.

    inherited: descriptors that the process keeps open under the same numbers. The process has to end when its stdin
    is closed. what: its name in errors. Raises BoardError, with its output, when it ends or stays silent before the
    announcement; also in place of an error inside of the block when the process has died.
    """
    with tempfile.TemporaryFile() as output:
        process = _launch(command, output.fileno(), what, inherited)
        try:
            yield _announced(process, output.fileno(), announcement, what)
        except Exception as error:
            if isinstance(error, BoardError) or not _has_died(process, error):
                raise
            raise BoardError(f"{what} should keep running", got=_status_and_output(process, output.fileno())) from error
        finally:
            _end(process)


def _has_died(process: subprocess.Popen[bytes], error: Exception) -> bool:
    """Whether it ended with an error. Its line hangs up a moment before it ends, and is the first to be noticed."""
    if isinstance(error, OSError):
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LAST_MOMENT_S)
    return bool(process.poll())


def require_file(elf: Path) -> Path:
    """`elf`, if that is a file. Raises BoardError otherwise."""
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
        ended = process.poll() is not None  # checked before reading, so that its last output is included
        match = announcement.search(_written(output))
        if match:
            return match
        if ended:
            break
        time.sleep(_POLL_S)
    raise BoardError(
        f"{what} should start and print the address of its serial line", got=_status_and_output(process, output)
    )


def _status_and_output(process: subprocess.Popen[bytes], output: int) -> str:
    status = process.poll()
    state = "it still runs" if status is None else f"it ended with status {status}"
    output_text = " ".join(_written(output).split())[:OUTPUT_CHARACTERS]
    return f"{state}; output: {output_text}" if output_text else f"{state}, without any output"


def _written(output: int) -> str:
    return os.pread(output, 1 << 16, 0).decode(errors="replace")


def _end(process: subprocess.Popen[bytes], patience_s: float = 2.0) -> None:
    """Close its stdin, which asks it to end; kill it after `patience_s`."""
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
