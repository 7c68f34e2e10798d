"""`edgekws predict`: what it prints, and what it does with files that it cannot read."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from pathlib import Path

import pytest

from edgekws import models
from edgekws.cli.line.predict import predict
from edgekws.errors import ConfigError, DataError
from edgekws.graph import io as graphs
from firmware_io.build import host_cc
from tests.conftest import random_graph
from tests.inference.sounds import write
from tests.streamable import valid_dscnn

DSCNN = Path("dscnn")


def test_one_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a [b].wav")
    predict(DSCNN, [str(path)], on="interp")
    shown = capsys.readouterr().out
    assert "on interp" in shown and "a [b].wav: " in shown and "probability 0." in shown
    predict(DSCNN, [str(write(tmp_path / "long.wav", 2.2))], on="interp", hop_ms=400)
    shown = capsys.readouterr().out
    assert [f"{start:.2f}\u00a0s " in shown for start in (0, 0.4, 0.8, 1.2)] == [True] * 4
    assert "long.wav at " in shown and "next: edgekws info dscnn" in shown


def test_a_long_recording_of_a_model_for_streams(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graphs.save(valid_dscnn(), tmp_path / "graph.npz")
    long = write(tmp_path / "long.wav", 2.2)
    predict(tmp_path, [str(long)], on="interp")
    assert f"next: edgekws detect {tmp_path} {long}" in capsys.readouterr().out


def test_a_folder_as_json_and_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, seconds in enumerate((0.4, 1.0, 1.5)):
        write(tmp_path / f"{number}.wav", seconds, seed=number)
    (tmp_path / "notes.txt").write_text("no sound")
    predict(DSCNN, [str(tmp_path)], as_json=True)
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert (document["kind"], document["model"]["name"]) == ("edgekws-prediction", "dscnn")
    assert [len(each["windows"]) for each in document["predictions"]] == [1, 1, 2]
    assert [each["file"] for each in document["left_out"]] == [str(tmp_path / "notes.txt")]
    assert "1 of 4 files were left out" in captured.err and "notes.txt" in captured.err
    predict(DSCNN, [str(tmp_path)], as_csv=True, save=tmp_path / "saved" / "all.json")
    assert json.loads((tmp_path / "saved" / "all.json").read_text()) == document
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    windows = [window for each in document["predictions"] for window in each["windows"]]
    assert [row["label"] for row in rows] == [window["label"] for window in windows]
    assert [float(row["probability"]) for row in rows] == pytest.approx([w["probability"] for w in windows], abs=1e-6)


def test_several_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [str(write(tmp_path / name)) for name in ("a.wav", "b.wav")]
    predict(DSCNN, [names[1], str(tmp_path)], on="interp", as_csv=True)
    assert [row["file"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out))] == names[::-1]
    with pytest.raises(ConfigError, match="- for standard input should be alone"):
        predict(DSCNN, [names[0], "-"])


def test_nothing_that_can_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no sound")
    with pytest.raises(DataError, match=r"notes.txt should be a recording"):
        predict(DSCNN, [str(tmp_path)])
    (tmp_path / "gone.wav").symlink_to(tmp_path / "missing.wav")
    with pytest.raises(DataError, match=r"a recording that can be read.*gone.wav.*and 1 more"):
        predict(DSCNN, [str(tmp_path)])


def test_of_a_long_recording_the_windows_with_words_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predict(DSCNN, [str(write(tmp_path / "long.wav", 25.0))], on="c", threshold=1.0)
    assert "49 of 49 windows have none of the words" in capsys.readouterr().out


def test_a_model_without_a_reject_class_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graphs.save(random_graph(), tmp_path / "m" / models.GRAPH)
    predict(tmp_path / "m", [str(write(tmp_path / "a.wav"))], on="interp")
    assert "this model has no _silence_ and no _unknown_" in " ".join(capsys.readouterr().err.split())


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    content = write(tmp_path / "a.wav").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    predict(DSCNN, ["-"], on="interp")
    assert "standard input: " in capsys.readouterr().out


@pytest.mark.skipif(not host_cc.has_compiler(), reason="no cc")
def test_a_board_gives_the_integers_of_the_interpreter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graphs.save(random_graph(), tmp_path / "m" / models.GRAPH)
    expected, answered = (scores(tmp_path / "m", tmp_path, on, capsys) for on in ("interp", "board:host"))
    assert len(expected) == 3 and expected == answered


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="no qemu-system-arm")
def test_an_emulated_board_gives_them_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    executors = ("interp", "c", "onnx", "tflite", "board:qemu-an386")
    expected, *others = (scores(DSCNN, tmp_path, on, capsys) for on in executors)
    assert len(expected) == 3 and others == [expected] * 4


def scores(model: Path, folder: Path, on: str, capsys: pytest.CaptureFixture[str]) -> list[list[int]]:
    """Of the windows of a long recording."""
    predict(model, [str(write(folder / "long.wav", 2.0))], on=on, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["on"] == on
    return [window["scores"] for window in document["predictions"][0]["windows"]]


def test_options_that_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not both"):
        predict(DSCNN, ["a.wav"], as_json=True, as_csv=True)
    with pytest.raises(ConfigError, match=r"--save should be a .json or .csv file"):
        predict(DSCNN, ["a.wav"], save=tmp_path / "a.txt")
    with pytest.raises(ConfigError, match="--raw belongs to standard input"):
        predict(DSCNN, ["a.wav"], raw=16_000)
    with pytest.raises(ConfigError, match="--port belongs to"):
        predict(DSCNN, [str(write(tmp_path / "a.wav"))], port="/dev/ttyACM0")
