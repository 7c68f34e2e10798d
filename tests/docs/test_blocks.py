"""Every code block of the documentation, run page by page in a folder of its own, in the order of the page."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgekws.data.sources.speech_commands import MAIN
from tests.docs.blocks import HOME, PAGES, Block, blocks

pytestmark = pytest.mark.slow
RUNNABLE = [page for page in PAGES if any(block.is_run for block in blocks(page))]
MODEL_PAGE = HOME / "docs" / "tutorial" / "own-words.md"
WORDS, CLIPS = ("yes", "no", "stop"), 24


def environment(folder: Path) -> dict[str, str]:
    """`edgekws`, `python` and `torchrun` are those of this tree; nothing is kept outside of `folder`."""
    programs = folder / ".programs"
    programs.mkdir(exist_ok=True)
    for name, line in {
        "edgekws": f'"{sys.executable}" -m edgekws',
        "python": f'"{sys.executable}"',
        "torchrun": f'"{sys.executable}" -m torch.distributed.run',
    }.items():
        (programs / name).write_text(f'#!/bin/sh\nexec {line} "$@"\n')
        (programs / name).chmod(0o755)
    search = os.pathsep.join([str(HOME), str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    own = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": search, "OMP_NUM_THREADS": "1"}
    return {**os.environ, **own, "MPLBACKEND": "agg", "WANDB_MODE": "offline"}


def script(page_blocks: list[Block], folder: Path) -> str:
    """One shell script of all blocks: what one exports, the next one has."""
    lines = ["set -eo pipefail"]
    for number, block in enumerate(page_blocks):
        path = folder / f".block{number}.{'py' if block.language == 'python' else 'sh'}"
        path.write_text(block.script())
        run = f"python {path}" if block.language == "python" else f". {path}"
        lines.append(f"echo '== {block}' >&2")
        code = f"code=0; ( set -e; {run} ) || code=$?; test $code -eq {block.exit_code}" if block.exit_code else run
        lines.append(code)
    return "\n".join(lines) + "\n"


def run(page_blocks: list[Block], folder: Path) -> None:
    (folder / ".page.sh").write_text(script(page_blocks, folder))
    command = ["bash", str(folder / ".page.sh")]
    done = subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False, timeout=3000,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-6000:]}"


@pytest.fixture(scope="session")
def material(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """my_words: three words in several formats. recordings: word folders of WAV. mine.py: a selector."""
    folder = tmp_path_factory.mktemp("material")
    for word in WORDS:
        (folder / "my_words" / word).mkdir(parents=True)
        spoken = []
        for number, path in enumerate(sorted((recordings / MAIN / word).glob("*.wav"))[:CLIPS]):
            samples, rate = soundfile.read(path)
            spoken.append(samples)
            ending = ("wav", "flac", "ogg")[number % 3] if number else "wav"
            soundfile.write(folder / "my_words" / word / f"p{number // 2}_nohash_{number % 2}.{ending}", samples, rate)
        long = np.concatenate([np.pad(samples, 4000) for samples in spoken[:3]])
        soundfile.write(folder / "my_words" / word / "long_nohash_0.wav", long, rate)
        shutil.copy(folder / "my_words" / word / "p0_nohash_0.wav", folder / "my_words" / word / "clip_0.wav")
    for name in ("recordings", MAIN):
        (folder / name).symlink_to(recordings / MAIN)
    shutil.copy(HOME / "examples" / "dataperf" / "mine.py", folder)
    return folder


@pytest.fixture(scope="session")
def trained(material: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the commands of the tutorial were run, up to the export."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copytree(material, folder, symlinks=True, dirs_exist_ok=True)
    run([block for block in blocks(MODEL_PAGE) if block.is_run][:4], folder)
    return folder


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.relative_to(HOME).as_posix())
def test_every_block_runs(page: Path, trained: Path, material: Path, tmp_path: Path) -> None:
    start = material if page == MODEL_PAGE else trained
    shutil.copytree(start, tmp_path, symlinks=True, dirs_exist_ok=True)
    run([block for block in blocks(page) if block.is_run], tmp_path)
