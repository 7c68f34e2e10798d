"""What is compiled around a model that listens: firmware/listen, or firmware/sww01 with the benchmark's commands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgekws.emit.c.listening import SWW01
from edgekws.errors import ConfigError
from firmware_io.board import Board
from firmware_io.build import model_id
from firmware_io.build.build_id import STREAM_FILE

SHARED = ("build_id", "check", "crc32", "image", "memory", "protocol", "shared", "text")
"""What firmware/listen takes from firmware/app."""
_OPTIONS = ("-DEKW_LAPS", "-DEKW_RING_BYTES=2048u")
"""The stages of a stream are timed; and the receive buffer holds all frames that may be on their way."""
_SWW01_OPTIONS = (
    f"-D{SWW01}",
    "-DEKW_ECHO",
    "-DEKW_ROW_KEPT",
    "-DEKW_INPUT_BYTES=1024",  # `db` takes the 512 samples of a frame
    "-DEKW_COMMAND_CHARACTERS=1028",
)
_EVENT_BYTES = "-DEKW_EVENT_BYTES"
_OWN_COMMANDS = "listen_commands.c"


def is_sww01(config: bytes) -> bool:
    """Whether ekw_config.h is that of a model of MLPerf Tiny's streaming wake word."""
    return f"#define {SWW01} ".encode() in config


def name_of(model: Mapping[str, bytes]) -> str:
    """What the firmware calls a model that listens."""
    return model_id.SWW01 if is_sww01(model[STREAM_FILE]) else model_id.STREAM


def options(board: Board, folder: Path, energy: bool) -> tuple[str, ...]:
    """The compiler's, for the model in `folder`; none for one that does not listen.

    Raises ConfigError for energy mode of the streaming wake word on a physical board.
    """
    config = folder / STREAM_FILE
    if not config.exists():
        return ()
    if not is_sww01(config.read_bytes()):
        return _OPTIONS
    if energy and board.how == "measured":
        raise ConfigError(
            "the pins of the streaming wake word exist on emulated boards only",
            got=f"{board.name}, in energy mode",
            hint="use an emulated board, or leave out --energy",
        )
    return (*_OPTIONS, *_SWW01_OPTIONS, *((_EVENT_BYTES,) if energy else ()))


def around(firmware: Path, folder: Path) -> list[Path]:
    """The C files of the application of the model in `folder`, without those of board and microphone."""
    shared = [firmware / "app" / f"{name}.c" for name in SHARED]
    listen = sorted((firmware / "listen").glob("*.c"))
    if not is_sww01((folder / STREAM_FILE).read_bytes()):
        return [*listen, *shared]
    listen = [path for path in listen if path.name != _OWN_COMMANDS]
    return [*listen, *sorted((firmware / "sww01").glob("*.c")), *shared, firmware / "app" / "input.c"]
