"""Output of the command line: progress bars, tables, and errors as one paragraph."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer
from rich.console import Console

from edgekws import machine
from edgekws.cli import signals, usage
from edgekws.errors import EdgeKwsError, SystemFaultError, UsageError, missing_package

if TYPE_CHECKING:
    from rich.progress import TaskID

    from edgekws.types import Progress as ProgressReport

_LOG_WIDTH = 10_000
"""Without a terminal tables are as wide as they are: no cell is folded or cut."""
out = Console(
    highlight=False, soft_wrap=True, emoji=False, width=None if sys.stdout and sys.stdout.isatty() else _LOG_WIDTH
)
err = Console(
    stderr=True, highlight=False, emoji=False
)  # serial:1234:5678 is a port; rich would read :1234: as an emoji

_STOPPED, _STOPPED_TEXT = 130, "stopped; run the same command again to continue"
_stopped_texts: list[str] = []
_QUIET_SECONDS = 30.0
"""Without a terminal a line is printed this often."""
_WIDE = 110
"""Columns above which there is room for a long bar beside its text."""


def speak_once() -> None:
    """Of several processes of torchrun's, the first one prints; errors are printed once on each computer."""
    place = machine.place()
    out.quiet, err.quiet = place.rank > 0, place.local_rank > 0


@contextmanager
def progress() -> Iterator[ProgressReport]:
    """Progress bars on a terminal, occasional lines elsewhere.

    The part of `what` before a bracket names the bar; the rest may change.
    """
    if out.quiet:
        yield lambda *_: None
        return
    if not err.is_terminal or err.is_dumb_terminal:
        yield _Lines()
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        SpinnerColumn(),  # turns also while one long step is at work
        TextColumn("{task.description}"),
        BarColumn(40 if err.width >= _WIDE else 16),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err) as bars:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, total: int) -> None:
            name = what.split("(", maxsplit=1)[0]
            if name not in tasks:
                tasks[name] = bars.add_task(_escaped(what), total=total)
            bars.update(tasks[name], description=_escaped(what), completed=done, total=total)

        yield report


def prepare_streams() -> None:
    """Let output be closed, or of an encoding that lacks a sign: neither is an error of the command."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            null = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (until the process ends)
            setattr(sys, name, null)
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def warn(text: str) -> None:
    """One paragraph, which the terminal wraps; a log gets one line."""
    err.print(f"[yellow]warning:[/] {_escaped(text)}", soft_wrap=True)


def renamed(old: str, new: str) -> None:
    """Notice that an option or command has a new name; the old one still works."""
    warn(f"{old} is now called {new}; the old name still works")


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show the elapsed time, on a terminal, during work without progress reports."""
    if not err.is_terminal:
        yield
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=err, transient=True
    ) as bar:
        bar.add_task(_escaped(what), total=None)
        yield


def next_step(*words: str | Path) -> None:
    """Print the usual next command, quoted for a shell: next_step("train", "--data", folder)."""
    out.print(f"[dim]next:[/] {_escaped(command_line(*words))}")


def command_line(*words: str | Path) -> str:
    """`edgekws` and these words as they can be pasted: the program as it was called, arguments quoted."""
    return " ".join([_program(), *(shlex.quote(str(word)) for word in words)])


def _program() -> str:
    """`edgekws` where that is found by its name, else the path that was typed (.venv/bin/edgekws)."""
    called = Path(sys.argv[0])
    found = shutil.which("edgekws")
    if called.name != "edgekws" or (found and Path(found).resolve() == called.resolve()):
        return "edgekws"
    return shlex.quote(str(called))


def plain_warnings() -> None:
    """From now on print each warning once, as one line without its place in the code."""
    printed: set[str] = set()

    def show(message: Warning | str, *_: object, **__: object) -> None:
        if str(message) not in printed:
            printed.add(str(message))
            warn(str(message))

    warnings.showwarning = show


@contextmanager
def readable_errors(debug: bool) -> Iterator[None]:
    """Print an expected error as one paragraph and exit with its documented code."""
    try:
        yield
    except KeyboardInterrupt:
        _stop()
    except typer.Abort:  # the end of the input, where a question was asked
        err.print()
        _stop()
    except SystemExit as end:
        if end.code == _STOPPED:  # Typer turns a KeyboardInterrupt into this without a message
            _stop()
        raise
    except Exception as error:
        if usage.is_help(error):
            sys.exit(UsageError.exit_code)
        shown = _expected(error)
        if debug or shown is None:
            raise
        err.print(f"[bold red]error:[/] {_escaped(str(shown))}", soft_wrap=True)
        sys.exit(shown.exit_code)


def _expected(error: Exception) -> EdgeKwsError | None:
    """What to show instead of a stack trace; None for an error that nobody expected, which is a bug."""
    if isinstance(error, EdgeKwsError):
        return error
    if isinstance(error, ModuleNotFoundError):
        return missing_package(error)
    if isinstance(error, MemoryError):
        hint = "close other programs, give less data at once, or take a computer with more memory"
        return SystemFaultError("there is not enough memory for this", got=str(error), hint=hint)
    if isinstance(error, OSError):
        from edgekws.files import os_errors

        return os_errors.fault(error)
    return usage.explained(error)


@contextmanager
def when_stopped(text: str) -> Iterator[None]:
    """Ctrl-C or a signal in a `with` block ends the command with `text`, where it does not continue when run again."""
    try:
        yield
    except (KeyboardInterrupt, typer.Abort):
        _stopped_texts.append(text)
        raise


def _stop() -> NoReturn:
    err.print(_stopped_texts.pop() if _stopped_texts else _STOPPED_TEXT, soft_wrap=True)
    sys.exit(signals.exit_code() or _STOPPED)


def listed(described: Mapping[str, str]) -> None:
    """Print names and what each is, a line each."""
    for name, text in described.items():
        out.print(f"[bold]{name:12}[/] {_escaped(text)}")


class _Lines:
    """Progress for logs: the first, the last, and one line every half minute."""

    def __init__(self) -> None:
        self._printed: dict[str, float] = {}
        self._last = ""

    def __call__(self, what: str, done: int, total: int) -> None:
        name, now = what.split("(", maxsplit=1)[0], time.monotonic()
        line = f"{what}: {done} of {total}"
        if line == self._last:
            return
        if done >= total or now - self._printed.get(name, -_QUIET_SECONDS) >= _QUIET_SECONDS:
            self._printed[name], self._last = now, line
            err.print(line)


def _escaped(text: str) -> str:
    """Literal for rich and without control characters: the text may come from a foreign file."""
    plain = "".join("?" if (ord(sign) < 32 and sign not in "\n\t") or 127 <= ord(sign) < 160 else sign for sign in text)
    return plain.replace("[", "\\[")
