"""kill -9 at random moments: the next run continues or restarts by itself and ends with the same files."""

import hashlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.test_line import edgekws

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
    "prepare": ("data/index.json", "data/train.npy", "data/noise.npy"),
    "train": ("float/best.safetensors", "float/last.safetensors"),
    "export": ("export/model.tflite", "export/model.tinpu.onnx", "export/golden.npz", "export/manifest.json"),
}
UNSTABLE = {"data/index.json", "float/last.safetensors"}
"""Hold the time of decoding or training; their content is compared by what was made from it."""


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
        arguments = [str(Path(sys.executable).with_name("edgekws")), *command(step, out, recordings)]
        process = subprocess.Popen(arguments, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(duration * moments.uniform(0.2, 1.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
        edgekws(*command(step, out, recordings), cwd=home)
        assert hashes(home / out, step) == expected
        assert all((home / out / name).exists() for name in RESULTS[step])
