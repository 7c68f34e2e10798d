"""kill -9 at random moments: the next run resumes or restarts by itself and ends with the same files."""

import hashlib
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgekws.data import dataset
from edgekws.data.sources.speech_commands import MAIN
from tests.pipeline.test_line import edgekws

RECIPE = """
[net]
options = { channels = 16, blocks = 1 }
[train]
epochs = 4
batch = 64
[quant]
method = "ptq"
calibration_clips = 64
"""
COMMANDS = {
    "prepare": ("data", "prepare", "--root", "{recordings}", "--out", "{out}/data"),
    "train": ("train", "--recipe", "recipe.toml", "--data", "data", "--out", "{out}"),
    "export": ("export", "--data", "data", "--out", "{out}"),
}
RESULTS = {
    "prepare": ("data/index.json",),
    "train": ("float/best.safetensors", "float/last.safetensors"),
    "export": ("export/model.tflite", "export/model.tinpu.onnx", "export/golden.npz", "export/manifest.json"),
}
UNSTABLE = {"float/last.safetensors"}
"""Holds the time of training."""


@pytest.fixture(scope="module")
def home(recordings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kill")
    (folder / "recipe.toml").write_text(RECIPE)
    edgekws("data", "prepare", "--root", recordings, "--out", "data", cwd=folder)
    edgekws("train", "--recipe", "recipe.toml", "--data", "data", "--out", "model", cwd=folder)
    edgekws("quantize", "--recipe", "recipe.toml", "--data", "data", "--out", "model", cwd=folder)
    return folder


def command(step, out, recordings):
    return [part.format(out=out, recordings=recordings) for part in COMMANDS[step]]


def begin(home, step, out):
    """Export needs a graph to start from."""
    target = home / out
    target.mkdir()
    if step == "export":
        (target / "graph.npz").write_bytes((home / "model" / "graph.npz").read_bytes())


def hashes(folder, step):
    names = [name for name in RESULTS[step] if name not in UNSTABLE]
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def killed_after(seconds, arguments, cwd):
    command = [str(Path(sys.executable).with_name("edgekws")), *map(str, arguments)]
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_killing_a_second_prepare_leaves_the_first_result_whole(home, recordings):
    """New recordings over a prepared set: readers see the old set until the new one is complete."""
    words = home / "words"
    shutil.copytree(recordings / MAIN / "yes", words / "yes")
    shutil.copytree(recordings / MAIN / "no", words / "no")
    prepare = ("data", "prepare", "--source", "folder", "--root", words, "--out", "words_data", "--no-unknown")
    edgekws(*prepare, cwd=home)
    before = dataset.load(home / "words_data")
    shutil.copytree(recordings / MAIN / "up", words / "up")
    for tenths in range(4, 14, 2):
        killed_after(tenths / 10, prepare, home)
        seen = dataset.load(home / "words_data")
        dataset.verify(seen)
        if seen.sha256 != before.sha256:
            break
    edgekws(*prepare, cwd=home)
    after = dataset.load(home / "words_data")
    dataset.verify(after)
    assert after.labels == ("no", "up", "yes")
    assert not [path for path in (home / "words_data").iterdir() if "partial" in path.name]


@pytest.mark.slow
@pytest.mark.parametrize("step", COMMANDS)
def test_kill_at_five_random_moments(home, recordings, step):
    begin(home, step, f"{step}-whole")
    started = time.monotonic()
    edgekws(*command(step, f"{step}-whole", recordings), cwd=home)
    duration = time.monotonic() - started
    expected = hashes(home / f"{step}-whole", step)
    moments = random.Random(step)
    for attempt in range(5):
        out = f"{step}-{attempt}"
        begin(home, step, out)
        killed_after(duration * moments.uniform(0.2, 1.0), command(step, out, recordings), home)
        edgekws(*command(step, out, recordings), cwd=home)
        assert hashes(home / out, step) == expected
        assert all((home / out / name).exists() for name in RESULTS[step])
