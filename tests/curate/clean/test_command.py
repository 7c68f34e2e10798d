"""`data clean` and `data drop` on prepared and on plain recordings."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from edgekws.cli import app
from edgekws.curate.clean import clips, rank
from edgekws.data import dataset, decisions, subset
from edgekws.errors import ArtifactError, ConfigError, DataError
from edgekws.files import write_json
from tests.curate.clean.conftest import WORDS

QUICK = ["--probe", "linear", "--no-serve"]


def quiet(*_):
    pass


def run(*arguments, fails=None):
    done = CliRunner().invoke(app, list(map(str, arguments)))
    if fails:
        assert isinstance(done.exception, fails), (done.output, done.exception)
        return str(done.exception)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def test_a_folder_of_recordings_is_ranked(spoken, tmp_path):
    for number, (samples, label) in enumerate(zip(*spoken, strict=True)):
        folder = tmp_path / "words" / WORDS[label]
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{number:04d}.wav", samples[: 15_000 + number], 16_000)
    soundfile.write(tmp_path / "words" / "low" / "empty.wav", np.zeros(800, np.int16), 16_000)
    text = run("data", "clean", "--root", tmp_path / "words", "--out", tmp_path / "out", *QUICK)
    assert "unreadable: 1 of 241 clips" in text and "it should hold a word, got silence" in text
    ranking = rank.load(tmp_path / "out" / "ranking.json")
    worst = next(entry for entry in ranking.entries if entry.id == "low/empty.wav")
    assert worst in ranking.entries[:5] and worst.reasons[0].reason == "unreadable"
    words, out = tmp_path / "words", tmp_path / "out"
    assert "no splits" in run("data", "clean", "--root", words, "--split", "test", fails=ConfigError)
    before = (out / "ranking.json").stat().st_mtime_ns
    run("data", "clean", "--root", words, "--out", out, *QUICK)
    assert (out / "ranking.json").stat().st_mtime_ns == before, "a ranking of the same clips is not made again"
    (words / "low" / "empty.wav").unlink()
    assert "of 240 clips" in run("data", "clean", "--root", words, "--out", out, *QUICK)


HEEDING_CTRL_C = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from edgekws.cli import main; main()"
)
"""Whoever runs the tests in the background may have it ignored, and children inherit that."""


def test_a_ranking_that_lacks_something_is_refused(tmp_path):
    path = tmp_path / "ranking.json"
    for more in ({}, {"ranking": [{"id": "a"}]}, {"ranking": [], "data": {}, "probe": {"mistake": 1}}):
        write_json(path, {"kind": rank.KIND, "version": rank.VERSION, **more})
        with pytest.raises(ArtifactError, match=r"ranking\.json should be a ranking of clips"):
            rank.load(path)


def test_the_page_is_served_until_ctrl_c(spoken, tmp_path):
    for number, (samples, label) in enumerate(zip(*spoken, strict=True)):
        if number < 40:
            (tmp_path / "words" / WORDS[label]).mkdir(parents=True, exist_ok=True)
            soundfile.write(tmp_path / "words" / WORDS[label] / f"{number}.wav", samples, 16_000)
    command = [
        sys.executable,
        "-c",
        HEEDING_CTRL_C,
        "data",
        "clean",
        "--root",
        "words",
        "--probe",
        "linear",
        "--out",
        "out",
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as running:
        try:
            url = next(line for line in running.stdout if "listen and decide" in line).split(" at ")[1].split()[0]
            with urllib.request.urlopen(f"{url}api/clips?count=1", timeout=10) as answer:
                worst = json.load(answer)["clips"][0]["id"]
            body = json.dumps({"id": worst, "decision": "drop"}).encode()
            posted = urllib.request.Request(f"{url}api/decisions", body, {"Content-Type": "application/json"})
            urllib.request.urlopen(posted, timeout=10).close()
            running.send_signal(signal.SIGINT)
            printed = running.stdout.read()
            assert "next: edgekws data drop --root words --out NEW --decisions out/decisions.json" in printed
            assert running.wait(timeout=20) == 0
        finally:
            running.kill()
    assert decisions.load(tmp_path / "out" / "decisions.json").dropped == {worst}


def test_unreadable_folders_are_refused_with_their_path(spoken, tmp_path):
    look = ["data", "clean", "--out", tmp_path / "out", *QUICK, "--root"]
    assert "no such folder" in run(*look, tmp_path / "none", fails=DataError)
    for word, rate_hz in (("yes", 16_000), ("no", 44_100)):
        (tmp_path / "words" / word).mkdir(parents=True)
        soundfile.write(tmp_path / "words" / word / "a.wav", spoken[0][0], rate_hz)
    message = run(*look, tmp_path / "words", fails=DataError)
    assert "two words or more have some clips each" in message  # any rate is read; one clip a word is too little
    for word in ("yes", "no"):
        (tmp_path / "words" / word / "a.wav").write_bytes(b"RIFF")
    assert "none that is readable. no/a.wav: it should be a recording" in run(
        *look, tmp_path / "words", fails=DataError
    )
    assert not (tmp_path / "out").exists()
    assert "linear, network" in run(*look, tmp_path / "words", "--probe", "magic", fails=ConfigError)


def test_a_prepared_set_is_ranked_and_written_without_dropped_clips(prepared, tmp_path):
    out, made = tmp_path / "clean", tmp_path / "made"
    run("data", "clean", "--data", prepared.folder, "--split", "train", "--split", "test", "--out", out, *QUICK)
    ranking = rank.load(out / "ranking.json")
    assert len(ranking.entries) == len(prepared.splits["train"]) + len(prepared.splits["test"])
    dropped = [next(e.id for e in ranking.entries if e.split == split) for split in ("train", "test")]
    listed = decisions.Decisions(ranking.data, ranking.sha256, dict.fromkeys(dropped, "drop") | {"x": "keep"})
    decisions.save(listed, out / "decisions.json")
    text = run("data", "drop", "--data", prepared.folder, "--decisions", out / "decisions.json", "--out", made)
    assert "2 clips dropped" in text
    left = dataset.load(made)
    dataset.verify(left)
    for name, split in prepared.splits.items():
        kept = [number for number, clip in enumerate(split.ids) if clip not in dropped]
        assert left.splits[name].ids == tuple(split.ids[number] for number in kept)
        assert np.array_equal(left.splits[name].samples, split.samples[kept])
        assert np.array_equal(left.splits[name].labels, split.labels[kept])
    assert left.sha256 != prepared.sha256 and left.notes[-1] == "2 clips dropped by hand, 0 relabelled"
    assert np.array_equal(left.noise, prepared.noise)


def test_decisions_about_another_set_are_refused(prepared, tmp_path):
    decisions.save(decisions.Decisions("other", "0" * 64, {"no/such.wav": "drop"}), tmp_path / "d.json")
    where = ["--data", prepared.folder, "--decisions", tmp_path / "d.json"]
    assert "no/such.wav" in run("data", "drop", *where, "--out", tmp_path / "made", fails=DataError)
    assert not (tmp_path / "made").exists()
    run("data", "drop", "--data", prepared.folder, "--decisions", tmp_path / "none.json", fails=ArtifactError)


def test_a_label_keeps_clips_and_a_set_is_not_written_over_itself(prepared, tmp_path):
    split = prepared.splits["train"]
    word = frozenset(np.array(split.ids)[split.labels == 0].tolist())

    def dropping(clips):
        return decisions.Decisions(prepared.name, prepared.sha256, dict.fromkeys(clips, "drop"))

    with pytest.raises(DataError, match=prepared.labels[0]):
        decisions.apply(prepared, dropping(word), tmp_path, quiet)
    with pytest.raises(DataError, match="a folder of its own"):
        decisions.apply(prepared, dropping(()), prepared.folder, quiet)
    with pytest.raises(DataError, match="keep some clips"):
        decisions.apply(prepared, dropping(prepared.splits["test"].ids), tmp_path, quiet)


def test_some_clips_of_a_set(prepared):
    every = clips.of_dataset(prepared, ["train", "validation"])
    part = clips.some(every, 30, 1)
    assert len(part) == 30 and clips.some(every, 10**6, 1) is every and part.sha256 != every.sha256
    numbers = [every.ids.index(clip) for clip in part.ids]
    assert np.array_equal(part.read(np.arange(30)), every.read(np.array(numbers)))
    last = len(every) - 1
    assert np.array_equal(every.read(np.array([last]))[0], prepared.splits["validation"].samples[-1])
    with pytest.raises(ConfigError, match="train, validation, test"):
        clips.of_dataset(prepared, ["exam"])


def test_a_subset_in_memory_has_its_own_hash_and_clips(prepared, tmp_path):
    chosen = np.array([5, 3, 8])
    part = subset.of(prepared, {"train": chosen}, tmp_path)
    assert part.splits["train"].ids == tuple(prepared.splits["train"].ids[n] for n in chosen)
    assert part.splits["test"] is prepared.splits["test"] and part.folder == tmp_path
    assert len({part.sha256, prepared.sha256, subset.of(prepared, {"train": chosen[::-1]}, tmp_path).sha256}) == 3
