"""`edgekws boards` and `flash`: which boards there are, and a firmware on one of them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from edgekws import console
from edgekws.cli._options import BOARD, OUT, BoardOption, MinRamOption, OutOption

if TYPE_CHECKING:
    from edgekws.graph.ir import Graph
    from firmware_io.board import Board


def boards() -> None:
    """List the boards."""
    from firmware_io import board

    table = Table("board", "what it is", "core", "flash", "RAM", "figures are", box=None)
    for name in board.names():
        entry = board.load(name)
        sizes = [f"{size // 1024} KB" if size else "no limit" for size in (entry.flash_bytes, entry.ram_bytes)]
        table.add_row(name, entry.title, entry.core, *sizes, entry.how)
    console.out.print(table)


def flash(
    board: BoardOption = BOARD,
    out: OutOption = OUT,
    min_ram: MinRamOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be run; change nothing.")] = False,
) -> None:
    """Build the firmware with the model, load it on the board and ask who answers."""
    load(board, out, dry_run, min_ram)


def load(name: str, out: Path, dry_run: bool, min_ram: bool = False) -> None:
    """Build, load and greet; or only say how."""
    from firmware_io import board as boards
    from firmware_io import build, flash
    from firmware_io.protocol.session import Session
    from firmware_io.transport import open_transport

    board = boards.load(name)
    tool = flash.load(board.flash_tool)
    elf = out / "firmware" / f"{name}.elf"
    _, model = emitted_model(board, out, min_ram)
    if dry_run:
        for line in build.commands(board, elf.parent / "src", elf):
            console.out.print("build: " + shlex.join(line))
        console.out.print("load:  " + shlex.join(tool.command(board, elf)))
        return
    firmware = build.build(board, model, elf)
    if not tool.CAPABILITIES.loads:
        console.out.print(f"{elf} is built, not loaded. Run: {shlex.join(tool.command(board, elf))}")
        return
    with open_transport(board.transport, elf) as transport:
        identity = Session(transport).start()
    budgets = [f"of {size}" if size else "used" for size in (board.flash_bytes, board.ram_bytes)]
    console.out.print(f"{name}: {identity.name} answers, {identity.profile}, model {identity.model}")
    console.out.print(f"flash {firmware.flash_bytes} {budgets[0]} B, RAM {firmware.ram_bytes} {budgets[1]} B, {elf}")


def emitted_model(board: Board, out: Path, min_ram: bool) -> tuple[Graph, dict[str, bytes]]:
    """The graph and its C, whose memory plan fits the board, and is shown."""
    from edgekws.emit import c
    from edgekws.graph import io
    from firmware_io import plan

    graph = io.load(out / "graph.npz")
    console.out.print(plan.checked(board, graph, min_ram))
    return graph, c.emit(graph, min_ram)
