"""`edgekws boards` and `edgekws flash`: list the boards, and load a firmware onto one of them."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from edgekws.cli import console
from edgekws.cli._model import model_folder, require_graph
from edgekws.cli._options import BOARD, OUT, BoardOption, MinRamOption, ModelOption, PortOption
from edgekws.cli.boards import dry_run as dry
from edgekws.cli.boards import locks
from edgekws.errors import BoardError, ConfigError

if TYPE_CHECKING:
    from edgekws.detect.settings import Settings
    from edgekws.graph.ir import Graph
    from firmware_io.board import Board
    from firmware_io.build import Firmware


def boards() -> None:
    """List the boards: what each is, how much fits, how its figures are got, and what writes its firmware."""
    from edgekws import models
    from firmware_io import board

    whole = [Column(title, no_wrap=True) for title in ("flash", "RAM", "figures", "flash tool")]
    table = Table(Column("board", no_wrap=True), "what it is", *whole, box=None)
    for name in board.names():
        entry = board.load(name)
        sizes = [f"{size // 1024} KB" if size else "no limit" for size in (entry.flash_bytes, entry.ram_bytes)]
        table.add_row(name, entry.title, *sizes, entry.how, entry.flash_tool)
    console.out.print(table)
    console.next_step("flash", "--board", BOARD, "--out", models.names()[0])


def flash(
    board: BoardOption = BOARD,
    out: ModelOption = OUT,
    min_ram: MinRamOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be run or sent.")] = False,
    tool: Annotated[str, typer.Option(help="Flash tool. Default: the board's own, as `edgekws boards` says.")] = "",
    image: Annotated[Path | None, typer.Option(help="Write this file; build nothing.")] = None,
    port: PortOption = "",
    option: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE for the flash tool; repeatable. A wrong name lists them.")
    ] = None,
    verify: Annotated[bool, typer.Option("--verify/--no-verify", help="Compare the flash with the image.")] = True,
    energy: Annotated[
        bool, typer.Option("--energy", help="The firmware of energy mode: edges of a pin instead of times.")
    ] = False,
    stream: Annotated[bool, typer.Option("--stream", help="The firmware that listens, for `detect --board`.")] = False,
) -> None:
    """Build the firmware with the model, load it onto the board and check that it answers.

    Examples:

    - only show what would be run: `edgekws flash --board nucleo-l4r5zi --dry-run`
    - over TI's boot loader: `edgekws flash --board lp-mspm0g5187 --port /dev/ttyACM0`
    - for `bench --mode energy` with a meter: `edgekws flash --board nucleo-l4r5zi --energy`
    - for `detect --board`: `edgekws flash --board nucleo-l4r5zi --stream --out my_stream_model`
    - another tool: `edgekws flash --board lp-mspm0g5187 --tool dslite --option config=MSPM0G5187.ccxml`
    - an existing image: `edgekws flash --board nucleo-l4r5zi --image firmware.elf`
    """
    from firmware_io import board as boards
    from firmware_io import flash as tools
    from firmware_io.transport import serial_part

    entry = boards.load(board)
    port = serial_part(port).partition("?")[0]  # the baud rate is the firmware's or the boot loader's own
    if (energy or stream) and image:
        got = f"{'--energy' if energy else '--stream'} and --image"
        raise ConfigError("--energy and --stream choose what is built, --image what is written", got=got)
    if energy and stream:
        raise ConfigError("a firmware listens or is for energy mode", got="--stream and --energy", hint="leave out one")
    chosen = tool or entry.flash_tool
    if not tools.capabilities(chosen).persistent:
        if image or port or option or tool not in ("", entry.flash_tool):
            raise ConfigError(
                "--image, --port, --option and another --tool are for boards that keep what is written",
                got=f"{chosen}, which starts a program that ends with it",
                hint="name a physical board (edgekws boards) or one of its tools",
            )
        folder = _built_from(out)
        load(board, folder, dry_run, min_ram, energy, stream)
        if not dry_run:
            _next(board, folder, "", energy, stream)
    elif image:
        with nullcontext() if dry_run else locks.device(port, entry.name):
            write(entry, chosen, image, port, _options(option), dry_run, verify)
            if not dry_run:
                _identify_written(entry, port, image)
    else:
        folder = _built_from(out)
        build_and_write(entry, folder, min_ram, chosen, port, _options(option), dry_run, verify, energy, stream)
        if not dry_run:
            _next(board, folder, port, energy, stream)


def _built_from(out: Path) -> Path:
    folder = model_folder(out)
    require_graph(folder)
    return folder


def _next(board: str, model: Path, port: str, energy: bool, stream: bool) -> None:
    """Bench what was flashed. Energy needs a meter, whose port nobody knows here."""
    at = ("--port", port) if port else ()
    if stream:
        console.next_step("bench", "--mode", "stream", "--board", board, "--out", model, *at)
    elif not energy:
        console.next_step("bench", "--board", board, "--out", model, *at)


def image_path(out: Path, board: Board, energy: bool, stream: bool = False) -> Path:
    """Where the firmware of a board lies below the model's folder."""
    return out / "firmware" / f"{board.name}{'-energy' if energy else '-stream' if stream else ''}.elf"


def load(
    name: str, out: Path, dry_run: bool, min_ram: bool = False, energy: bool = False, stream: bool = False
) -> None:
    """Build the firmware, load it and print the board's answer to `name`. A physical board is written instead.

    dry_run: only print the commands.
    """
    from firmware_io import board as boards
    from firmware_io import build
    from firmware_io import flash as tools

    board = boards.load(name)
    if tools.capabilities(board.flash_tool).persistent:
        build_and_write(board, out, min_ram, board.flash_tool, "", {}, dry_run, True, energy, stream)
        return
    elf = image_path(out, board, energy, stream)
    _, model = listening_model(out, min_ram) if stream else emitted_model(board, out, min_ram)
    if dry_run:
        dry.start(board, dry.image(board, model, energy))
        return
    with locks.output(elf.parent):
        firmware = build.build(board, model, elf, energy)
        _print_identity(board, board.transport, elf, firmware.build_id, firmware.flash_crc32)
    _sizes(board, firmware)


def build_and_write(
    board: Board,
    out: Path,
    min_ram: bool,
    tool: str,
    port: str,
    options: dict[str, str],
    dry_run: bool,
    verify: bool,
    energy: bool = False,
    stream: bool = False,
) -> None:
    """Build the firmware, write it to a physical board, identify the board. A dry run builds in a folder of its own."""
    from firmware_io import build

    if not board.linker_script or board.how != "measured":
        raise ConfigError(
            f"{tool} writes physical boards", got=f"the board {board.name}", hint="name one with --board, or an --image"
        )
    elf = image_path(out, board, energy, stream)
    _, model = listening_model(out, min_ram) if stream else emitted_model(board, out, min_ram)
    if dry_run:
        elf = dry.image(board, model, energy)
        build.build(board, model, elf, energy)  # the plan of some tools depends on the image
        write(board, tool, elf, port, options, True, verify)
        return
    with locks.output(elf.parent), locks.device(port, board.name):
        firmware = build.build(board, model, elf, energy)
        write(board, tool, elf, port, options, False, verify)
        _identify_written(board, port, elf, stream)
    _sizes(board, firmware)


def write(
    board: Board,
    tool: str,
    image: Path,
    port: str,
    options: dict[str, str],
    dry_run: bool,
    verify: bool,
) -> None:
    """Write `image` with `tool`. dry_run: only print what would be run or sent."""
    from firmware_io import flash as tools
    from firmware_io.build import build_id

    build_id.require_unchanged(image)
    flasher = tools.flasher(tool)
    own = board.transport if board.flash_tool == tool or board.how == "measured" else ""
    device = _port(port, own, dry_run) if flasher.CAPABILITIES.port else ""
    job = tools.job(tool, board, image, device, options, verify)
    if dry_run:
        for line in flasher.plan(job):
            console.out.print(f"load:  {line}", markup=False, soft_wrap=True)
        return
    flasher.require(job)
    flasher.plan(job)  # errors in the image or the options are raised before the board is touched
    with console.progress() as report:
        done = flasher.flash(job, report)
    console.out.print(f"{image}: {done}", markup=False)


def emitted_model(board: Board, out: Path, min_ram: bool) -> tuple[Graph, dict[str, bytes]]:
    """The graph and its C. Prints the memory plan. Raises BoardError when it does not fit the board."""
    from edgekws.graph import io
    from firmware_io.build import memory_plan, model_id

    graph = io.load(out / "graph.npz")
    console.out.print(memory_plan.checked(board, graph, min_ram))
    return graph, model_id.model(graph, min_ram)


def listening_model(out: Path, min_ram: bool = False) -> tuple[Graph, dict[str, bytes]]:
    """The graph, and the C with which a board listens; thresholds are those beside it, else the defaults.

    Raises TargetError for a graph that cannot run over a stream or whose front end has no integers.
    """
    from edgekws.emit.c import listening
    from edgekws.graph import io

    graph = io.load(out / "graph.npz")
    return graph, listening.files(graph, detector_of(out, graph), min_ram)


def detector_of(out: Path, graph: Graph) -> Settings:
    """The detector beside the graph, else the default."""
    from edgekws.detect import listener, settings
    from edgekws.graph import io

    path = out / settings.FILE
    if path.exists():
        return settings.load(path, io.digest(graph))
    return settings.default(graph.labels, listener.clock(graph).step_ms)


def _print_identity(board: Board, transport: str, elf: Path, written: str, crc32: int | None) -> None:
    """Print who answers and which build it runs. written: the build id of the image, "" if it has none.

    crc32: of the image, None for a program. Raises BoardError when the board runs another build than `written`, or has
    other bytes in its flash.
    """
    from firmware_io.bench import build_check
    from firmware_io.protocol import probe
    from firmware_io.protocol.session import Session
    from firmware_io.transport import open_transport

    with open_transport(probe.resolved(transport), elf) as opened:
        session = Session(opened)
        identity = session.start()
        if written and session.build_id == written and crc32 is not None:
            build_check.require_flash(session, board.name, elf.name, crc32)
    runs = f"build {session.build_id}" if session.build_id else "build unverified (it says none)"
    who = f"{identity.name} answers, {identity.profile}, model {identity.model}, {session.mode} mode, {runs}"
    console.out.print(f"{board.name}: {who}", markup=False)
    if written and session.build_id != written:
        raise BoardError(
            f"{board.name} should run what was written, build {written}",
            got=f"build {session.build_id or 'none'}",
            hint="check that --port is the serial port of this board, reset it, and write it again",
        )


def _identify_written(board: Board, port: str, image: Path, stream: bool = False) -> None:
    """Print who answers on the port, if it is connected: a board can be written without its serial port.

    Raises BoardError when the board does not run the build in `image`, or has other bytes in its flash. An image of
    others is not asked.
    """
    from firmware_io import flash as tools

    written, path = tools.contents(image), port or _device(board.transport)
    if not written.build_id:
        console.out.print(f"{image} has no build id, so the board was not asked what it runs", markup=False)
    elif _is_connected(path):
        baud = board.energy_baud if written.energy else board.stream_baud if stream else board.baud
        url = f"serial:{port}" if port else board.transport
        _print_identity(board, f"{url}?baud={baud}", image, written.build_id, written.flash_crc32)
    else:
        console.out.print(
            f"{board.name} is written, but not identified: {path} is not connected. "
            "Connect it, then run `edgekws bench` with its port.",
            markup=False,
        )


def _sizes(board: Board, firmware: Firmware) -> None:
    budgets = [f"of {size}" if size else "used" for size in (board.flash_bytes, board.ram_bytes)]
    used = f"flash {firmware.flash_bytes} {budgets[0]} B, RAM {firmware.ram_bytes} {budgets[1]} B"
    console.out.print(f"{used}, {firmware.elf}", markup=False)


def _options(texts: list[str] | None) -> dict[str, str]:
    """Raises ConfigError for a text without `=`."""
    pairs = [text.partition("=") for text in texts or []]
    for name, equals, value in pairs:
        if not name or not equals:
            raise ConfigError("--option should be NAME=VALUE", got=f"{name}{equals}{value}")
    return {name: value for name, _, value in pairs}


def _port(port: str, transport: str, dry_run: bool) -> str:
    """The path of the port to open: the one that `port` names, else the one that the board's file describes.

    Never another one, because bytes for a boot loader do harm on another device. Raises BoardError that lists the
    ports of this computer.
    """
    from firmware_io import ports

    if dry_run:
        return port or transport
    listed = ports.listed()
    if not port and not transport.startswith("serial:"):
        raise BoardError(
            "this tool needs the serial port of the board",
            got=f"{'; '.join(map(str, listed)) or 'no serial port'} on this computer",
            hint="name it with --port",
        )
    own = port or _device(transport)
    return own if ports.is_path(own) else ports.one(own, ports.matching(own, listed), listed).device


def _device(transport: str) -> str:
    """What a serial URL names, without its options."""
    return transport.removeprefix("serial:").partition("?")[0]


def _is_connected(device: str) -> bool:
    """Whether this computer has the serial port. device: a path, or the USB id or serial number of a board's file."""
    from firmware_io import ports

    listed = ports.listed()
    if not ports.is_path(device):
        return bool(ports.matching(device, listed))
    return Path(device).exists() or device in {port.device for port in listed}  # ports of Windows are no paths
