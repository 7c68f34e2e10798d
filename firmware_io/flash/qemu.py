"""QEMU: starts the ELF file on an emulated machine whose UART is a TCP socket.

QEMU itself chooses a free port and waits for the first client before it runs the first instruction,
so no port is taken twice and the boot banner is never lost. With events there is a second socket, for the second UART.
QEMU would announce its port only after the first client came, so both are opened here and QEMU inherits them.
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
from firmware_io.flash._process import Lines, existing, guarded, matching, running

CAPABILITIES = Capabilities(emulated=True, persistent=False, sees_banner=True)
_SERVER = "server=on,wait=on,nodelay=on"
_ANY_PORT = ("127.0.0.1", 0)
_WAITING = re.compile(r"waiting for connection on: \S*tcp:127\.0\.0\.1:(\d+)")


def require(board: Board) -> str:
    return tools.require(board.qemu_program, f"the emulated board {board.name}")


def command(board: Board, elf: Path) -> list[str]:
    """Raises BoardError without QEMU, ConfigError for a board that is not emulated."""
    return _command(board, elf, ("-serial", f"tcp:127.0.0.1:0,{_SERVER}"))


def _command(board: Board, elf: Path, serial: Sequence[str]) -> list[str]:
    if not board.qemu_program or not board.qemu_machine or board.icount_shift < 0:
        wanted = "qemu_program, qemu_machine and icount_shift"
        raise ConfigError(f"{board.name}.toml should have {wanted}", got="a board without them")
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
    """Run the firmware; give the URL of its UART. QEMU ends with the context or with this process."""
    with running(guarded(command(board, existing(elf))), _WAITING, f"QEMU for {board.name}") as port:
        yield f"socket://127.0.0.1:{port}"


@contextmanager
def start_with_events(board: Board, elf: Path) -> Iterator[Lines]:
    """As `start`, with the URL of the second UART too; nothing runs until both are open, in any order.

    For a firmware in energy mode. Raises ConfigError for a board without.
    """
    require_energy_mode(board)
    with socket.create_server(_ANY_PORT) as line, socket.create_server(_ANY_PORT) as events:
        inherited = (line.fileno(), events.fileno())
        words = _command(board, existing(elf), [*_uart("line", inherited[0]), *_uart("events", inherited[1])])
        urls = [f"socket://127.0.0.1:{listener.getsockname()[1]}" for listener in (line, events)]
        with matching(guarded(words), _WAITING, f"QEMU for {board.name}", inherited):
            line.close()  # QEMU's alone from here on: when that dies, whoever waits for it learns it
            events.close()
            yield Lines(*urls)


def _uart(name: str, listener: int) -> list[str]:
    return ["-chardev", f"socket,id={name},fd={listener},{_SERVER}", "-serial", f"chardev:{name}"]
