"""From a folder of recordings to a measured board, each command as the one before printed it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgekws.data.sources.speech_commands import MAIN

WORDS = ("yes", "no", "stop")
FASTER = {"train": ["--epochs", "2"], "bench": ["--clips", "20"]}
"""Options for the test's sake; the rest of each command is as printed."""


def run(arguments: list[str], folder: Path) -> str:
    program = Path(sys.executable).with_name("edgekws")
    done = subprocess.run(
        [program, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "EDGEKWS_DATA": "", "PATH": f"{program.parent}:{os.environ['PATH']}"},
        check=False,
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.slow
def test_every_command_prints_the_next_one_ready_to_paste(recordings: Path, tmp_path: Path) -> None:
    for word in WORDS:
        shutil.copytree(recordings / MAIN / word, tmp_path / "my words" / word)
    printed, chain = run(["data", "prepare", "my words"], tmp_path), []
    while (step := re.search(r"^next: edgekws (.*)$", printed, re.MULTILINE)) is not None:
        arguments = shlex.split(step[1])
        chain.append(arguments[0])
        printed = run([*arguments, *FASTER.get(arguments[0], [])], tmp_path)
        if len(chain) == 6:
            break
    assert chain == ["train", "quantize", "export", "flash", "bench", "evaluate"]
    model = tmp_path / "work" / "my words" / "model"
    report = json.loads((model / "bench/qemu-an386/latest/report.json").read_text())
    assert report["verdict"]["valid"]
