"""`edgekws ports`: which serial ports there are, and who is at them."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from edgekws.cli import console


def ports(
    named: Annotated[list[str] | None, typer.Argument(metavar="[PORT]...", help="Ports that may be asked.")] = None,
    probe: Annotated[
        bool, typer.Option("--probe", help="Ask who is there: ports named here, and those with a known board's USB id.")
    ] = False,
) -> None:
    """List the serial ports and what each may be; with --probe, ask who answers. No other port is ever sent to."""
    from firmware_io import ports as library
    from firmware_io.protocol import probe as probes

    found = library.listed()
    chosen = list(named or ())
    there = {port.device for port in found}
    found += [library.Port(device) for device in chosen if device not in there]
    if not probe:
        for port in found:
            console.out.print(escape(f"{port}: {port.may_be}"))
        number = f"{len(found)} port{'' if len(found) == 1 else 's'}"
        console.out.print(f"{number}; --probe asks who is there" if found else f"{number}: plug the board in")
        return
    answers = []
    for port in found:
        answers += probes.all_of([port], chosen)
        console.out.print(escape(f"{port}: {answers[-1].verdict}"))
    console.out.print(probes.summary(answers))
