"""`edgekws flash --dry-run`: command lines that run as they are printed, in a folder that exists."""

from __future__ import annotations

import shlex
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edgekws.cli import console

if TYPE_CHECKING:
    from firmware_io.board import Board


def image(board: Board, model: Mapping[str, bytes], energy: bool) -> Path:
    """Write the model's C into a new folder, print that folder and the lines that compile it there.

    Returns the image that these lines will make, which is that of `edgekws flash`. Raises BoardError without the
    compiler or when no temporary file can be written.
    """
    from firmware_io import build
    from firmware_io.build import build_id

    folder = Path(tempfile.mkdtemp(prefix="edgekws-dry-run-"))
    build.write_model(model, folder)
    elf = folder / f"{board.name}{'-energy' if energy else ''}.elf"
    console.out.print(f"folder: {folder} (has {' and '.join(build.MODEL_FILES)}; yours to delete)", markup=False)
    stamp = [sys.executable, "-m", "firmware_io.build", str(elf)]  # writes the build id
    for line in (*build.commands(board, folder, elf, energy, build_id.plan_sha256(model)), stamp):
        console.out.print("build: " + shlex.join(line), markup=False, soft_wrap=True)
    return elf


def start(board: Board, elf: Path) -> None:
    """Print the line that starts the board with its image."""
    from firmware_io import flash as tools

    line = shlex.join(tools.load(board.flash_tool).command(board, elf))
    console.out.print(f"load:  {line}", markup=False, soft_wrap=True)
