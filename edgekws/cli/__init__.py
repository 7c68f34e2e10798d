"""The command line: each command is one arrow of the line from recordings to a measured board.

A module here is a family of commands; `main` is where the line's two packages meet.
"""

from __future__ import annotations

import sys

import typer

from edgekws.cli import (
    bench,
    board,
    check,
    clean,
    compare,
    console,
    data,
    demo,
    embed,
    export,
    ports,
    quantize,
    select,
    train,
)
from edgekws.cli.select import loop, make, run, shards

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Keyword spotting from a folder of recordings to a measured board, bit for bit.\n\n"
    "The line: `data prepare`, `train`, `quantize`, `export`, `flash`, `bench`; or all at once: `demo`.",
    epilog="Exit codes: 0 done, 1 other, 2 usage, 3 data, 4 configuration, 5 target, 6 protocol, 7 board, 8 artifact, "
    "9 parity or invalid run. With --debug an error shows its stack trace.",
)
app.command()(train.train)
app.command()(quantize.quantize)
app.command()(check.check)
app.command()(export.export)
app.command()(board.boards)
app.command()(ports.ports)
app.command()(board.flash)
app.command()(bench.bench)
app.command()(compare.compare)
app.command()(embed.embed)
app.command()(demo.demo)
data.app.command("clean")(clean.clean)
data.app.command("drop")(clean.drop)
app.add_typer(data.app, name="data")
select.app.command("make-experiment")(make.make_experiment)
select.app.command("inspect")(select.inspect)
select.app.command("run")(run.run)
select.app.command("score")(select.score)
select.app.command("eval", hidden=True)(select.score)
select.app.command("shards")(shards.shards)
select.app.command("loop")(loop.loop)
select.app.command("convert")(make.convert)
app.add_typer(select.app, name="select")


def main() -> None:
    """The entry point: parse, run, and turn expected errors into one paragraph and an exit code."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    with console.readable_errors(debug):
        app(args=arguments, prog_name="edgekws")
