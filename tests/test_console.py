"""What a person sees when a command is stopped, or fails."""

from __future__ import annotations

import sys

import pytest

from edgekws import cli, console
from edgekws.errors import DataError


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), DataError("clips should be there")])
def test_a_stopped_command_says_so(
    raised: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through the parser of the command line, which makes an exit code of Ctrl-C by itself."""

    def boards() -> None:
        raise raised

    monkeypatch.setattr(cli.app.registered_commands[4], "callback", boards)
    monkeypatch.setattr(sys, "argv", ["edgekws", "boards"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capsys.readouterr().err
    if isinstance(raised, DataError):
        assert end.value.code == 3 and "clips should be there" in said
    else:
        assert end.value.code == 130 and said.startswith("stopped; the same command")


def test_text_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    console.out.print("serial:1234:5678 and :100:")
    console.err.print("serial:1234:5678")
    said = capsys.readouterr()
    assert said.out == "serial:1234:5678 and :100:\n" and said.err == "serial:1234:5678\n"


def test_an_end_on_its_own_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), console.readable_errors(debug=False):
        sys.exit(2)
    assert capsys.readouterr().err == ""
