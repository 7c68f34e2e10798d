"""Runs external flash programs: reports their progress, checks their success messages, explains their errors."""

from __future__ import annotations

import re
import shlex
import subprocess
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgekws.errors import BoardError
from edgekws.types import Progress
from firmware_io.flash._process import guarded

TIMEOUT_S = 300.0
_KEPT_LINES = 200
_SHOWN_LINES = 4


@dataclass(frozen=True)
class Stage:
    """A stage of a program. name: for the progress bar. pattern: what it prints when the stage begins."""

    name: str
    pattern: re.Pattern[str]


@dataclass(frozen=True)
class KnownError:
    """An error message of a program. pattern: its text. meaning: an explanation. hint: what to do."""

    pattern: re.Pattern[str]
    meaning: str
    hint: str


@dataclass(frozen=True)
class Program:
    """A program: its stages in order, and its known errors with the most specific first."""

    name: str
    stages: tuple[Stage, ...]
    known_errors: tuple[KnownError, ...]


def line(command: Sequence[str]) -> str:
    """The command as a line of a plan, quoted for a shell."""
    return "run: " + shlex.join(command)


def run(
    program: Program,
    command: Sequence[str],
    proofs: Sequence[re.Pattern[str]],
    progress: Progress,
    timeout_s: float = TIMEOUT_S,
) -> str:
    """Run a program to its end and return its last output. It is killed when this process ends.

    proofs: success messages, each of which has to be printed, because several of these programs exit with 0 after a
    failure. Raises BoardError, which explains the program's error, when it fails, hangs or lacks a proof.
    """
    what = f"{program.name} should write the image and say so"
    lines: deque[str] = deque(maxlen=_KEPT_LINES)
    pending = list(proofs)
    with _started(command, what, timeout_s) as (process, expired):
        for text in _output(process):
            lines.append(text)
            pending = [proof for proof in pending if not proof.search(text)]
            _report(program, text, progress)
        status = process.wait()
    if expired.is_set():
        raise BoardError(
            what, got=f"no end after {timeout_s:g} s; {_last_lines(lines)}", hint="unplug the board and try again"
        )
    if status != 0 or pending:
        raise _failure(program, what, lines, status, [proof.pattern for proof in pending])
    progress(program.name, len(program.stages), len(program.stages))
    return "\n".join(lines)


class _started:  # noqa: N801 (a context manager)
    """Context manager: the running child, and an event that is set when its time-out has expired."""

    def __init__(self, command: Sequence[str], what: str, timeout_s: float) -> None:
        self._expired = threading.Event()
        try:
            self._process = subprocess.Popen(
                guarded(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise BoardError(what, got=f"{command[0]}: {error.strerror}") from error
        self._timer = threading.Timer(timeout_s, self._expire)

    def __enter__(self) -> tuple[subprocess.Popen[str], threading.Event]:
        self._timer.start()
        return self._process, self._expired

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()  # the end of its stdin tells the guard to kill the program
        self._process.wait()

    def _expire(self) -> None:
        self._expired.set()
        if self._process.stdin:
            self._process.stdin.close()


def _output(process: subprocess.Popen[str]) -> Iterator[str]:
    if process.stdout:
        for text in process.stdout:
            yield text.rstrip()


def _report(program: Program, text: str, progress: Progress) -> None:
    for index, stage in enumerate(program.stages):
        if stage.pattern.search(text):
            progress(f"{program.name} ({stage.name})", index, len(program.stages))


def _failure(program: Program, what: str, lines: Sequence[str], status: int, missing: Sequence[str]) -> BoardError:
    output = "\n".join(lines)
    for known in program.known_errors:
        match = known.pattern.search(output)
        if match:
            quoted = next((text for text in lines if match.group(0).split("\n")[0] in text), match.group(0))
            return BoardError(what, got=f"{known.meaning} ({quoted.strip()})", hint=known.hint)
    ended = f"it ended with status {status}" if status else f"it never printed {missing[0]!r}"
    return BoardError(what, got=f"{ended}; {_last_lines(lines)}", hint="run the same command by hand to see all of it")


def _last_lines(lines: Sequence[str]) -> str:
    errors = [text for text in lines if re.search(r"error|fail|fatal", text, re.IGNORECASE)] or list(lines)
    return "output: " + " / ".join(text.strip() for text in errors[-_SHOWN_LINES:]) if errors else "no output"
