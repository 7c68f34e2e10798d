"""The examples, run as a user would: another process, another folder, warnings shown as errors."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgekws.api import OPTIONS

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = {
    "own_network": ("right", "model.tinpu.onnx"),
    "from_onnx": ("tinpu, 4 bits: conv1, max1, conv2, pool, fc", "int8, 8 bits"),
    "released_graph": ("the integers of the release: True", "model.tflite"),
}


def run(name, folder):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / f"{name}.py")]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_run():
    assert {path.stem for path in ROOT.glob("examples/*.py")} == set(EXAMPLES)


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - {"own_network"}))
def test_an_example_says_what_it_found(name, tmp_path):
    output = run(name, tmp_path)
    assert all(text in output for text in EXAMPLES[name]), output


def test_a_network_of_ones_own_learns_and_is_written(tmp_path):
    output = run("own_network", tmp_path)
    assert all(text in output for text in EXAMPLES["own_network"]), output
    assert int(output.split()[0]) > 0.8 * 128, output
    assert (tmp_path / "model.tinpu.onnx").stat().st_size > 1000


def test_the_page_of_the_library_names_every_option():
    page = (ROOT / "docs" / "how-to" / "own-network.md").read_text()
    assert not [option for option in OPTIONS if option not in page]
