"""QEMU: runs the ELF file on an emulated machine whose UART is a TCP socket.

QEMU chooses a free port itself and waits for the first client before it executes the first instruction, so ports never
collide and the boot banner is never lost. Energy mode has a second socket for the second UART. QEMU would announce its
port only after the first client had connected, so both sockets are opened here and inherited by QEMU.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from edgekws.errors import ConfigError
from firmware_io import tools
from firmware_io.board import Board
from firmware_io.build import require_energy_mode
from firmware_io.flash import Capabilities
from firmware_io.flash._process import Lines, guarded, require_file, running, wait_for_match

CAPABILITIES = Capabilities(emulated=True, persistent=False, sees_banner=True)
_SERVER = "server=on,wait=on,nodelay=on"
_ANY_PORT = ("127.0.0.1", 0)
_WAITING = re.compile(r"waiting for connection on: \S*tcp:127\.0\.0\.1:(\d+)")


def require(board: Board) -> str:
    """Path of the board's emulator. Raises BoardError with an install hint."""
    return tools.require(board.qemu_program, f"the emulated board {board.name}")


def version(board: Board) -> str:
    """The first line of the emulator's --version. Raises BoardError with an install hint."""
    text = tools.run([require(board), "--version"], f"{board.qemu_program} should say its version", "install it again")
    return text.partition("\n")[0].strip()


def command(board: Board, elf: Path) -> list[str]:
    """The command line. Raises BoardError without QEMU, ConfigError for a board without an emulator."""
    return _command(board, elf, ("-serial", f"tcp:127.0.0.1:0,{_SERVER}"))


def _command(board: Board, elf: Path, serial: Sequence[str]) -> list[str]:
    if not board.qemu_program or not board.qemu_machine or board.icount_shift < 0:
        fields = "qemu_program, qemu_machine and icount_shift"
        raise ConfigError(f"{board.name}.toml should have {fields}", got="a board without them")
    return [
        require(board),
        *("-M", board.qemu_machine),
        *("-display", "none", "-monitor", "none"),
        *("-icount", f"shift={board.icount_shift},sleep=on"),
        *serial,
        *board.qemu_args,
        *("-kernel", str(elf)),
    ]


@contextmanager
def start(board: Board, elf: Path) -> Iterator[str]:
    """Run the firmware for a `with` block; yields the URL of its UART. QEMU also ends with this process."""
    with running(guarded(command(board, require_file(elf))), _WAITING, f"QEMU for {board.name}") as port:
        yield f"socket://127.0.0.1:{port}"


@contextmanager
def start_with_events(board: Board, elf: Path) -> Iterator[Lines]:
    """Like `start`, for a firmware in energy mode; yields the URLs of both UARTs. It runs once both are opened.

    Raises ConfigError for a board without energy mode.
    """
    require_energy_mode(board)
    with socket.create_server(_ANY_PORT) as line, socket.create_server(_ANY_PORT) as events:
        inherited = (line.fileno(), events.fileno())
        words = _command(board, require_file(elf), [*_uart("line", inherited[0]), *_uart("events", inherited[1])])
        urls = [f"socket://127.0.0.1:{listener.getsockname()[1]}" for listener in (line, events)]
        with wait_for_match(guarded(words), _WAITING, f"QEMU for {board.name}", inherited):
            line.close()  # now only QEMU holds the sockets: when it dies, clients notice
            events.close()
            yield Lines(*urls)


def _uart(name: str, listener: int) -> list[str]:
    return ["-chardev", f"socket,id={name},fd={listener},{_SERVER}", "-serial", f"chardev:{name}"]
