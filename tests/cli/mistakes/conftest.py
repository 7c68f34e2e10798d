"""A working folder with what the mistakes are made on, and `edgekws` in this process, as a person would see it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgekws import cli
from edgekws.cli import console, signals

FILES = {
    "syntax.toml": "[train]\nepochs = = 3\n",
    "key.toml": "[train]\nepoch = 3\n",
    "section.toml": "[trian]\nepochs = 3\n",
    "text.toml": "[train]\nepochs = 'three'\n",
    "range.toml": "[train]\nbatch = 1\n",
    "net.toml": "[net]\nname = 'dscn'\n",
    "option.toml": "[net]\noptions = { chanels = 8 }\n",
    "target.toml": "[quant]\ntarget = 'tinpuu'\n",
    "teacher.toml": "[train]\nteachers = ['gone.safetensors']\n",
    "list.toml": "[quant]\ncalibration_list = 'gone.txt'\n",
    "notes.txt": "no model\n",
    "damaged.npz": "no numbers\n",
    "damaged.safetensors": "no weights\n",
    "damaged.json": "{",
    "sounds/yes/one.wav": "",
    "firmware.elf": "no firmware\n",
    "afile": "",
}


@dataclass(frozen=True)
class Ended:
    """How a command ended. message: what follows `error: ` on the standard error."""

    code: int
    out: str
    err: str

    @property
    def message(self) -> str:
        return self.err.partition("error: ")[2].rstrip("\n")


Run = Callable[[str], Ended]


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("mistakes")
    for name, content in FILES.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(content)
    return made


@pytest.fixture
def edgekws(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs one command line of `edgekws` in that folder."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(signals, "install", lambda: None)
    monkeypatch.setattr(console, "plain_warnings", lambda: None)
    monkeypatch.delenv("EDGEKWS_DATA", raising=False)

    def run(line: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["edgekws", *shlex.split(line)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return run
