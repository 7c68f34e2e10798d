"""QEMU: starts the ELF file on an emulated machine whose UART is a TCP socket.

QEMU itself chooses a free port and waits for the first client before it runs the first instruction,
so no port is taken twice and the boot banner is never lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgekws.errors import ConfigError
from firmware_io import tools
from firmware_io.board import Board
from firmware_io.flash import Capabilities
from firmware_io.flash._process import existing, guarded, running

CAPABILITIES = Capabilities(emulated=True, persistent=False, sees_banner=True)
_WAITING = re.compile(r"waiting for connection on: \S*tcp:127\.0\.0\.1:(\d+)")


def require(board: Board) -> str:
    return tools.require(board.qemu_program, f"the emulated board {board.name}")


def command(board: Board, elf: Path) -> list[str]:
    """Raises BoardError without QEMU, ConfigError for a board that is not emulated."""
    if not board.qemu_program or not board.qemu_machine or board.icount_shift < 0:
        wanted = "qemu_program, qemu_machine and icount_shift"
        raise ConfigError(f"{board.name}.toml should have {wanted}", got="a board without them")
    return [
        require(board),
        *("-M", board.qemu_machine),
        *("-display", "none", "-monitor", "none"),
        *("-icount", f"shift={board.icount_shift},sleep=on"),
        *("-serial", "tcp:127.0.0.1:0,server=on,wait=on,nodelay=on"),
        *board.qemu_args,
        *("-kernel", str(elf)),
    ]


@contextmanager
def start(board: Board, elf: Path) -> Iterator[str]:
    """Run the firmware; give the URL of its UART. QEMU ends with the context or with this process."""
    with running(guarded(command(board, existing(elf))), _WAITING, f"QEMU for {board.name}") as port:
        yield f"socket://127.0.0.1:{port}"
