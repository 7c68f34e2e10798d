"""What a command about a board holds while it runs: its output, and the physical board.

An output is the folder of a board's runs, or that of built firmware. A physical board is its serial port, or its name
where no port is known; `flash` and `bench` of one board exclude each other. Boards that are started on this computer
are not locked: every run starts its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from edgekws.errors import BoardError

_WAIT = "wait for it, or end it"


@contextmanager
def output(folder: Path) -> Iterator[None]:
    """Hold `folder` for a `with` block. Raises ConfigError, which names the holder, while another process does."""
    from edgekws.files import locks

    lock = folder.with_name(f".{folder.name}.lock")
    with locks.held(lock, f"another process is writing into {folder}", f"{_WAIT}, or give another --out"):
        yield


@contextmanager
def board(url: str, name: str) -> Iterator[None]:
    """Hold the device at the transport's `url` for a `with` block. name: of the board.

    Raises BoardError, which names the holder, while another process uses it.
    """
    from firmware_io import transport

    if transport.board_of(url) or transport.recording_of(url) is not None:
        yield
        return
    with device(_serial_port(url) or url.partition("?")[0], name):
        yield


@contextmanager
def device(port: str, name: str) -> Iterator[None]:
    """Hold a serial port for a `with` block, or for "" every port that may be the board `name`'s, else its name.

    Raises BoardError, which names the holder, while another process uses it.
    """
    from edgekws.files import locks

    with ExitStack() as stack:
        for key in sorted({os.path.realpath(path) if path.startswith("/") else path for path in _keys(port, name)}):
            lock = locks.user_folder() / (re.sub(r"[^\w.-]", "_", key.strip("/")) + ".lock")
            busy = f"the board at {key} should be free" if port else f"the board {name} should be free"
            stack.enter_context(locks.held(lock, busy, _WAIT, BoardError))
        yield


def _keys(port: str, name: str) -> list[str]:
    from firmware_io import ports
    from firmware_io.transport import serial

    if port:
        return [serial.path_of(port)]
    return [found.device for found in ports.matching(f"board={name}", ports.listed())] or [name]


def _serial_port(url: str) -> str:
    """The serial port that `url` names, also behind an IO manager; "" for another transport."""
    match = re.search(r"(?:^|:)serial:([^?]+)", url)
    return match[1] if match else ""
