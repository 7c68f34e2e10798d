"""`edgekws serve-board`: a board that runs as a program, as a serial device for the host programs of others."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from edgekws.cli import console
from edgekws.cli._model import model_folder, require_graph
from edgekws.cli._options import BOARD, OUT, BoardOption, MinRamOption, ModelOption
from edgekws.cli.boards.flash import emitted_model
from edgekws.errors import BoardError, ConfigError

if TYPE_CHECKING:
    from firmware_io.board import Board
    from firmware_io.serving import Door
    from firmware_io.serving.relay import Visit

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
_GRACE_S = 0.2
"""Ctrl-C reaches the emulator too; which of the two ends first is open."""


def serve_board(
    board: BoardOption = BOARD,
    out: ModelOption = OUT,
    min_ram: MinRamOption = False,
    image: Annotated[Path | None, typer.Option(help="Run this firmware; build nothing.")] = None,
    tcp: Annotated[
        str, typer.Option(help="HOST:PORT to serve on, port 0 for a free one, instead of a pseudo-terminal.")
    ] = "",
    link: Annotated[Path | None, typer.Option(help="Symbolic link to the pseudo-terminal: a name that stays.")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Start the board again whenever a client has left.")] = False,
    spy: Annotated[Path | None, typer.Option("--spy", help="Record the traffic of all clients.")] = None,
    energy: Annotated[
        bool,
        typer.Option("--energy", help="Energy set-up: the board behind an emulated interface board, with a meter."),
    ] = False,
) -> None:
    """Serve a board that runs on this computer as a serial device, for any host program, until Ctrl-C.

    Examples:

    - a pseudo-terminal, whose path is printed: `edgekws serve-board --board qemu-an386 --out dscnn`
    - under a name that stays: `edgekws serve-board --board qemu-an386 --link /tmp/board`
    - on the network: `edgekws serve-board --board qemu-an386 --tcp 127.0.0.1:0`
    - an existing firmware: `edgekws serve-board --board qemu-an386 --image firmware.elf`
    - to try out a host program of energy mode: `edgekws serve-board --board qemu-an386 --energy`

    The client's baud rate has no effect. Interface board and meter of --energy are emulated and the current is nominal:
    its joules say nothing of a board. Exit code 0 after Ctrl-C or SIGTERM.
    """
    from firmware_io import board as boards
    from firmware_io.build import build_id

    entry = boards.load(board)
    _require_program(entry)
    if image:
        build_id.require_unchanged(image)
    if energy and (tcp or reset or spy):
        got = ", ".join(name for name, given in (("--tcp", tcp), ("--reset", reset), ("--spy", spy)) if given)
        raise ConfigError("--energy serves two terminals", got=f"{got} too", hint="leave that out")
    model = None if image else model_folder(out)
    if model is not None:
        require_graph(model)
    with _stopped() as stopped, tempfile.TemporaryDirectory(prefix="edgekws-serve-") as folder:
        elf = image or _built(entry, model or out, min_ram, Path(folder) / "firmware.elf", energy)
        try:
            if energy:
                _serve_energy(entry, elf, link, stopped)
            else:
                _serve(entry, elf, _Place(tcp, link, model), spy, reset, stopped)
        except BoardError:
            if not stopped.within(_GRACE_S):
                raise
    console.out.print("stopped")


class _Place:
    """Where to serve, and what the lines about it say. model: its folder; None for an image."""

    def __init__(self, tcp: str, link: Path | None, model: Path | None) -> None:
        self.tcp, self.link, self.model = tcp, link, model


class _Stop:
    """Whether a signal asked to stop."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self) -> bool:
        return self.asked

    def note(self, _number: int, _frame: FrameType | None) -> None:
        """The handler of the signals."""
        self.asked = True

    def within(self, seconds: float) -> bool:
        """Whether it is asked by then."""
        import time

        deadline = time.monotonic() + seconds
        while not self.asked and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.asked


@contextmanager
def _stopped() -> Iterator[_Stop]:
    """Signals set a flag, so that the board is stopped in order and a status line stands for each client."""
    stop = _Stop()
    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    before = {number: signal.signal(number, stop.note) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _require_program(board: Board) -> None:
    """Raises ConfigError for a board that has a serial line of its own."""
    from firmware_io import board as boards
    from firmware_io import flash

    if flash.capabilities(board.flash_tool).persistent:
        able = [name for name in boards.names() if not flash.capabilities(boards.load(name).flash_tool).persistent]
        raise ConfigError(
            f"serve-board runs boards on this computer: {', '.join(able)}",
            got=f"{board.name}, which has a serial port of its own",
            hint="give the host program that port: edgekws ports",
        )


def _built(board: Board, model: Path, min_ram: bool, elf: Path, energy: bool) -> Path:
    """The firmware in a folder of this run: a build that runs elsewhere at the same time cannot replace it."""
    from firmware_io import build

    _, source = emitted_model(board, model, min_ram)
    return build.build(board, source, elf, energy).elf


def _serve(board: Board, elf: Path, place: _Place, spy: Path | None, reset: bool, stopped: _Stop) -> None:
    from firmware_io import serving
    from firmware_io.serving.board_line import BoardLine
    from firmware_io.serving.relay import Relay
    from firmware_io.transport.spy import Spy

    with serving.door(place.tcp, place.link) as door, BoardLine(board, elf) as line:
        recorder = nullcontext(line) if spy is None else Spy(line, door.url, spy)
        with recorder as transport:
            relay = Relay(line, door, _report, transport, reset)
            relay.greet()
            _announce(board, door, place)
            relay.run(stopped)


def _serve_energy(board: Board, elf: Path, link: Path | None, stopped: _Stop) -> None:
    from firmware_io import build, serving
    from firmware_io.serving.energy.meter import NOMINAL_A
    from firmware_io.serving.energy.set_up import EnergySetUp

    build.require_energy_mode(board)
    links = [link and link.with_name(f"{link.name}-{name}") for name in ("interface", "meter")]
    with (
        serving.door(link=links[0]) as interface,
        serving.door(link=links[1]) as meter,
        EnergySetUp(board, elf, interface, meter, _say) as set_up,
    ):
        _say(f"interface board: {interface.address}")
        _say(f"meter:           {meter.address}")
        _say(f"edgekws:         --port io:{interface.url} --meter lpm01a:{meter.address}?rate_hz=1000")
        _say(f"EMULATED: interface board, and meter with a nominal {1000 * NOMINAL_A:g} mA; no joule of it is measured")
        _say("Ctrl-C ends it")
        set_up.run(stopped)


def _announce(board: Board, door: Door, place: _Place) -> None:
    """The address on a line of its own, and what to type next."""
    lines = [f"serial line: {door.address}"]
    if place.model is None:
        lines.append(f"edgekws:     edgekws bench --board {board.name} --port {door.url}")
    else:
        lines.append(f"edgekws:     edgekws bench --board {board.name} --out {place.model} --port {door.url}")
    lines.append(f"other hosts: open {door.address}, 8N1, any baud rate ({board.baud} is the board's own)")
    lines.append("Ctrl-C ends it")
    for line in lines:
        _say(line)


def _report(visit: Visit | None) -> None:
    if visit is None:
        _say("a client was turned away: another one is connected")
    elif visit.seconds is None:
        _say(f"client {visit.number} connected")
    else:
        bytes_passed = f"{visit.received:,} bytes received, {visit.sent:,} sent"
        _say(f"client {visit.number} left after {visit.seconds:.1f} s: {bytes_passed}")


def _say(line: str) -> None:
    """At once, for a program may wait for it."""
    console.out.print(line, markup=False)
    console.out.file.flush()
