"""What a person sees when a command is stopped, or fails."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator

import pytest
import typer
from rich.console import Console

from edgekws import cli
from edgekws.cli import console
from edgekws.cli.boards import flash
from edgekws.errors import DataError


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), typer.Abort(), DataError("clips should be there")])
def test_a_stopped_command_says_so(
    raised: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through the parser of the command line, which makes an exit code of Ctrl-C by itself."""

    def boards() -> None:
        raise raised

    monkeypatch.setattr(console, "_stopped_texts", [])  # other tests of this process may have left one
    monkeypatch.setattr(flash, "boards", boards)
    monkeypatch.setattr(sys, "argv", ["edgekws", "boards"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    output = capsys.readouterr().err
    if isinstance(raised, DataError):
        assert end.value.code == 3 and "clips should be there" in output
    else:
        assert end.value.code == 130 and output.strip().startswith("stopped; run the same command again")


def test_a_warning_is_one_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        console.plain_warnings()
        for text in ("the old [name] is called new", "the old [name] is called new", "another"):
            warnings.warn(text, FutureWarning, stacklevel=1)
    assert capsys.readouterr().err == "warning: the old [name] is called new\nwarning: another\n"


def test_progress_in_a_log_says_nothing_twice(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress() as report:
        for _ in range(3):
            report("detect (1 of 1), seconds", 21, 21)
    assert capsys.readouterr().err.count("21 of 21") == 1


def test_text_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    console.out.print("serial:1234:5678 and :100:")
    console.err.print("serial:1234:5678")
    output = capsys.readouterr()
    assert output.out == "serial:1234:5678 and :100:\n" and output.err == "serial:1234:5678\n"


def test_an_end_on_its_own_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), console.readable_errors(debug=False):
        sys.exit(2)
    assert capsys.readouterr().err == ""


def test_waiting_shows_what_for_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(console, "err", Console(file=shown, force_terminal=True, width=60))
    with console.waiting("mine[1].py is choosing"):
        pass
    assert "mine[1].py is choosing" in shown.getvalue() and "0:00:00" in shown.getvalue()
    assert shown.getvalue().endswith("\x1b[2K")


def helps(command: typer.main.TyperCommand | typer.core.TyperGroup, name: str) -> Iterator[tuple[str, str]]:
    command = command.loaded() if hasattr(command, "loaded") else command
    for parameter in command.params:
        yield f"{name}, {parameter.name}", getattr(parameter, "help", "") or ""
    yield name, command.help or ""
    for word, inner in getattr(command, "commands", {}).items():
        yield from helps(inner, f"{name} {word}")


def test_no_help_loses_a_word_in_angle_brackets() -> None:
    """Help is Markdown, where `<size>_train.json` is an unknown tag, and so nothing, before `_train.json`."""
    found = list(helps(typer.main.get_command(cli.app), "edgekws"))
    assert len(found) > 100
    assert not [where for where, text in found if re.search("<[a-z]", text)]


def test_a_table_in_a_pipe_is_not_cut() -> None:
    """Programs and logs have no width; 80 columns would fold the names of recordings."""
    code = (
        "from rich.table import Table; from edgekws.cli import console; t = Table('a', 'b');"
        "t.add_row('x ' * 60, 'y' * 90); console.out.print(t); console.warn('word ' * 40)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "x " * 60 in done.stdout and "y" * 90 in done.stdout
    assert done.stderr.count("\n") == 1
