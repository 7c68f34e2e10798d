"""`edgekws embed` as it is called, and killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgekws.curate import embed
from tests.curate.embed.embed_recordings import write_noise

SLOW = """
import pathlib, time
plain = get_scene_embeddings
def get_scene_embeddings(audio, model):
    time.sleep(0.3)
    with (pathlib.Path(__file__).parent / "calls.txt").open("a") as log:
        log.write("x\\n")
    return plain(audio, model)
"""
COMMAND = [sys.executable, "-m", "edgekws", "embed"]


def edgekws(*arguments, code=0):
    done = subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def contents(out):
    return {path.name: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def workers_of(pid):
    """Living processes whose parent is, or was, `pid`."""
    listed = subprocess.run(["ps", "-eo", "pid,ppid,stat"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()[1:]]
    return {int(child) for child, parent, state in rows if int(parent) == pid and state[0] != "Z"}


def living(pids):
    result = set()
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            result.add(pid)
    return result


def until(condition, seconds=60):
    for _ in range(seconds * 20):
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def many(tmp_path):
    root = tmp_path / "many"
    for word in range(9):
        for clip in range(3):
            write_noise(root / f"word{word:02}" / f"{clip}.wav", 3 * word + clip, 1_600)
    return root


@pytest.mark.slow
def test_a_killed_command_continues(many, module, tmp_path):
    """kill -9 of the command alone: its workers end by themselves, and no finished shard is embedded twice."""
    slow, out = module(more=SLOW, name="slow"), tmp_path / "out"
    arguments = (many, "--model", slow, "--out", out, "--workers", 2)
    process = subprocess.Popen([*COMMAND, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert until(lambda: len(list(out.glob("word*.parquet"))) >= 2)
    children = workers_of(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(children) >= 2
    assert until(lambda: not living(children), 20)
    assert not (out / "index.json").exists()
    whole_words, parts = len(list(out.glob("word*.parquet"))), len(list(out.glob(".work/*.parquet")))
    calls = tmp_path / "calls.txt"
    calls.unlink()
    edgekws(*arguments)
    again = len(calls.read_text().split())
    assert 9 - whole_words - parts <= again <= 9 - whole_words  # a part may outlive the word that it went into
    whole = embed.run(embed.Request(many, tmp_path / "whole", embed.ModelSpec(slow), workers=1))
    assert contents(out) == contents(whole.folder)


def test_the_command_prints_counts_and_skipped_recordings(words, tmp_path):
    (words / "up" / "bad.wav").write_bytes(b"")
    done = edgekws(words, "--model", "logmel", "--option", "bands=8", "--out", tmp_path / "out", "--workers", 1)
    assert "12 clips of 3 words, 72 numbers each, by logmel" in done.stdout
    assert "up/bad.wav: it should be a recording. Got: an empty file." in done.stdout
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert index["model"]["options"] == {"bands": 8}


def test_check_prints_findings(module):
    assert "follows the HEAR API" in edgekws("--check", module()).stdout
    wrong = module(("sample_rate = 16000", "sample_rate = 8000"), name="wrong")
    done = edgekws("--check", wrong, code=4)
    assert "sample_rate of the model should be one of 16000" in " ".join(done.stderr.split())
    assert "attributes" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 4, "needs recordings and a folder for the result. Got: no recordings."),
        (("absent",), 4, "Got: no --out."),
        (("absent", "--out", "out"), 3, "no such folder"),
        (("absent", "--out", "out", "--option", "x"), 4, "name=value"),
        (("absent", "--out", "out", "--batch", "0"), 2, "batch"),
        (("absent", "--out", "out", "--strict", "--split", "train"), 3, "a split belongs to a prepared data set"),
    ],
)
def test_invalid_arguments_are_refused(arguments, code, words):
    done = edgekws(*arguments, code=code)
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not os.path.exists("out")  # noqa: PTH110
