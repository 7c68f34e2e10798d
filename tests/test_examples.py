"""The examples, run as a user would: another process, another folder, warnings shown as errors."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgekws.api import OPTIONS
from edgekws.data.sources.speech_commands import MAIN

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = {
    "own_network": ("right", "model.tinpu.onnx"),
    "from_onnx": ("tinpu, 4 bits: conv1, max1, conv2, pool, fc", "int8, 8 bits"),
    "released_graph": ("the integers of the release: True", "model.tflite"),
    "ti_audio_keyword_spotting": ("scores that differ from the integer graph: 0 of", "quant_kws.onnx"),
}
OWN_TESTS = {"own_network", "ti_audio_keyword_spotting"}


def run(name, folder, *words):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / f"{name}.py"), *map(str, words)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_run():
    assert {path.stem for path in ROOT.glob("examples/*.py")} == set(EXAMPLES)


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - OWN_TESTS))
def test_an_example_says_what_it_found(name, tmp_path):
    output = run(name, tmp_path)
    assert all(text in output for text in EXAMPLES[name]), output


def test_a_network_of_ones_own_learns_and_is_written(tmp_path):
    output = run("own_network", tmp_path)
    assert all(text in output for text in EXAMPLES["own_network"]), output
    assert int(output.split()[0]) > 0.8 * 128, output
    assert (tmp_path / "model.tinpu.onnx").stat().st_size > 1000


def torchaudio_folder(recordings, root):
    """What torchaudio.datasets.SPEECHCOMMANDS(root) downloads: a folder of its own, and lists of what is there."""
    main = root / "SpeechCommands" / MAIN
    main.mkdir(parents=True)
    lists = {"validation_list.txt": [], "testing_list.txt": []}
    for word in sorted(path for path in (recordings / MAIN).iterdir() if path.is_dir()):
        (main / word.name).symlink_to(word)
        names = [f"{word.name}/{path.name}" for path in sorted(word.glob("*_nohash_*.wav"))]
        lists["validation_list.txt"] += names[:3]
        lists["testing_list.txt"] += names[3:6]
    for name, lines in lists.items():
        (main / name).write_text("\n".join(lines) + "\n")


def test_ti_s_example_walks_its_eight_steps(recordings, tmp_path):
    """With torchaudio itself, on its folder layout, with the released recordings of the tests."""
    if importlib.util.find_spec("torchaudio") is None:
        pytest.skip("torchaudio is missing: pip install torchaudio")
    torchaudio_folder(recordings, tmp_path)
    out = tmp_path / "out"
    words = ("--root", tmp_path, "--out", out, "--quick", "--limit", 4, "--epochs", 1)
    output = run("ti_audio_keyword_spotting", tmp_path, *words)
    assert all(text in output for text in EXAMPLES["ti_audio_keyword_spotting"]), output
    assert {path.name for path in out.iterdir()} == {"kws.onnx", "quant_kws.onnx"}


def test_the_page_of_the_library_names_every_option():
    page = (ROOT / "docs" / "how-to" / "own-network.md").read_text()
    assert not [option for option in OPTIONS if option not in page]
