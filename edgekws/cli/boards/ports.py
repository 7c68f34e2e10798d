"""`edgekws ports`: the serial ports of this computer and the devices at them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from edgekws.cli import console
from edgekws.cli._options import PORT_HELP

if TYPE_CHECKING:
    from firmware_io.ports import Port


def ports(
    named: Annotated[list[str] | None, typer.Argument(metavar="[PORT]...", help=f"{PORT_HELP}May be probed.")] = None,
    probe: Annotated[
        bool,
        typer.Option("--probe", help="Identify devices: at the ports named here and at those with a known USB id."),
    ] = False,
) -> None:
    """List the serial ports and the board or meter that each may belong to.

    With --probe, ask the devices for their names: at the ports named here and at those with a known board's USB id.
    Nothing is ever sent to another port.
    """
    from firmware_io import ports as library
    from firmware_io.protocol import probe as probes

    listed = library.listed()
    chosen = [device for text in named or () for device in _devices(text, listed)]
    devices = {port.device for port in listed}
    listed += [library.Port(device) for device in chosen if device not in devices]
    if not probe:
        for port in listed:
            console.out.print(escape(f"{port}: {port.kind}"))
        count = f"{len(listed)} port{'' if len(listed) == 1 else 's'}"
        console.out.print(f"{count}; --probe identifies the devices" if listed else f"{count}: plug the board in")
        return
    answers = []
    for port in listed:
        answers += probes.all_of([port], chosen)
        console.out.print(escape(f"{port}: {answers[-1].verdict}"))
    console.out.print(probes.summary(answers))


def _devices(text: str, listed: list[Port]) -> list[str]:
    """The paths of the ports that a user named in any way. Raises BoardError when none of `listed` is meant."""
    from firmware_io import ports as library
    from firmware_io.transport import serial_part

    which = serial_part(text).partition("?")[0]
    if library.is_path(which):
        return [which]
    return [port.device for port in library.matching(which, listed) or [library.one(which, [], listed)]]
