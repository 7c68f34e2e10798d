"""`edgekws serve-board` as its users run it: a program of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from firmware_io import board as boards

START_S = 120
"""A build and the start of an emulator, on a busy computer."""


@dataclass
class Served:
    """A running server. lines: what it printed, in order."""

    process: subprocess.Popen[str]
    output: Path
    addresses: dict[str, str] = field(default_factory=dict)

    @property
    def lines(self) -> list[str]:
        return self.output.read_text().splitlines()

    def wait_for(self, pattern: str) -> re.Match[str]:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            ended = self.process.poll() is not None
            if match := re.search(pattern, self.output.read_text(), re.MULTILINE):
                return match
            assert not ended, self.output.read_text()
            time.sleep(0.02)
        raise AssertionError(f"{pattern} within {START_S} s: {self.output.read_text()}")


@contextmanager
def served(folder: Path, board: str, *options: str | Path) -> Iterator[Served]:
    """Serve `board` from `folder` as working directory; SIGTERM at the end unless it has ended."""
    entry = boards.load(board)
    for program in filter(None, (entry.compiler, entry.qemu_program)):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / "served.txt"
    command = [sys.executable, "-m", "edgekws", "serve-board", "--board", board, *map(str, options)]
    with output.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, text=True, cwd=folder, env={**os.environ})
    try:
        started = Served(process, output)
        for name, address in re.findall(r"^(.+?): +(\S+)$", started.wait_for(r"(?s).*Ctrl-C ends it")[0], re.MULTILINE):
            started.addresses[name] = address
        yield started
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
