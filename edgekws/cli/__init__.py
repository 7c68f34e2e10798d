"""The command line: each command is one arrow of the line from recordings to a measured board.

`commands` is the table of commands; the folders here hold them. `main` is where the line's two packages meet.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from edgekws._version import __version__
from edgekws.cli import _lazy, commands, console, signals, usage

app = _lazy.application(
    commands.ROOT,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done, 1 other, 2 usage, 3 data, 4 configuration, 5 target, 6 protocol, 7 board, 8 artifact, "
    "9 parity or invalid run, 10 regression, 11 not comparable, 12 refused by the system (permission, full disk); "
    "130, 143, 129 stopped by Ctrl-C, SIGTERM, SIGHUP. With --debug an error shows its stack trace.",
)
for group in (commands.DATA, commands.SELECT):
    app.add_typer(_lazy.application(group), rich_help_panel=group.panel)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"edgekws {__version__}")
        raise typer.Exit


@app.callback(help=commands.ROOT.help)
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the stack trace of an error.")] = False,
) -> None:
    pass


def main() -> None:
    """The entry point: parse, run, and turn expected errors into one paragraph and an exit code."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    signals.install()
    console.prepare_streams()
    if not debug:
        console.plain_warnings()
    with console.readable_errors(debug):
        console.speak_once()
        usage.require_values(arguments)
        code = app(args=arguments, prog_name="edgekws", standalone_mode=False)
        if isinstance(code, int) and code:  # of typer.Exit
            sys.exit(code)
