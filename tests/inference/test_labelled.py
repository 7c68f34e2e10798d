"""Labelled clips of every form: which label counts as what, and what is left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekws.data import dataset
from edgekws.data.dataset import Dataset
from edgekws.errors import ArtifactError, DataError
from edgekws.evaluation.figures import OTHER, SILENT
from edgekws.inference import labelled, model
from edgekws.inference.labelled import Labelled
from tests.conftest import random_graph
from tests.inference.sounds import RATE_HZ, sound, write

DSCNN = model.read(Path("dscnn"))
NO_REJECT = replace(DSCNN, labels=("yes", "no"))


def read(path: Path, of: model.Model = DSCNN, split: str = "test") -> Labelled:
    return labelled.read(path, of, split, lambda *_: None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(("yes/a.wav", "yes/ann/b.wav", "no/c.wav", "bed/d.wav", "cat/e.wav")):
        write(tmp_path / "set" / name, 0.3 + number / 4, seed=number)
    write(tmp_path / "set" / "_background_noise_" / "hum.wav", 3.5)
    (tmp_path / "set" / "yes" / "notes.txt").write_text("no sound")
    return tmp_path / "set"


def test_word_folders(folder: Path) -> None:
    data = read(folder)
    assert [DSCNN.labels[at] for at in data.truth] == [
        *["_silence_"] * 3, "_unknown_", "_unknown_", "no", "yes", "yes"
    ]  # fmt: skip
    assert data.ids[0] == "_background_noise_/hum.wav@0" and data.ids[-1] == "yes/ann/b.wav"
    assert data.features.shape == (8, *DSCNN.features.shape)
    assert [(each.file, "something unreadable" in each.reason) for each in data.left_out] == [("yes/notes.txt", True)]
    assert data.notes[:2] == ("counted as _silence_: _background_noise_ (3)", "counted as _unknown_: bed (1), cat (1)")
    assert data.notes[2].startswith("no clips of down, go")


def test_a_model_without_a_reject_class(folder: Path) -> None:
    data = read(folder, NO_REJECT)
    assert data.truth.tolist() == [SILENT] * 3 + [OTHER] * 2 + [1, 0, 0]
    assert all("these clips count at the thresholds only" in note for note in data.notes)


def test_a_list(folder: Path) -> None:
    path = folder.parent / "list.csv"
    path.write_text("\ufeffFile of mine,label,file,start_ms\nx,yes,set/yes/a.wav,\n,no,set/no/c.wav,100.5\n")
    data = read(path)
    assert data.ids == ("set/yes/a.wav", "set/no/c.wav@1608") and [DSCNN.labels[at] for at in data.truth] == [
        "yes",
        "no",
    ]
    path.write_text(f"file,label\n{folder / 'bed' / 'd.wav'},bed\nset/yes/missing.wav,yes\n")
    assert len(read(path).left_out) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"begin with the columns file,label. Got: nothing"),
        ("path,word\na,b\n", r"begin with the columns file,label. Got: path,word"),
        ("file,label\n", "should list recordings"),
        ("file,label\na.wav,\n", "line 2 of .* should name a file and its label"),
        ("file,label,start_ms\na.wav,yes,soon\n", "start_ms in line 2 of .* Got: soon"),
        ("file,label\nmissing.wav,yes\n", "recordings that can be read.*missing.wav"),
    ],
    ids=["empty", "header", "no row", "no label", "start", "no file"],
)
def test_lists_that_are_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "list.csv")


def test_what_holds_no_clips_for_the_model(tmp_path: Path) -> None:
    write(tmp_path / "words" / "bed" / "a.wav")
    with pytest.raises(DataError, match=r"words should have the labels of the model: down, go.*Got: bed"):
        read(tmp_path / "words")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="a folder for each word"):
        read(tmp_path / "empty")
    with pytest.raises(DataError, match="no such file or folder"):
        read(tmp_path / "missing")
    with pytest.raises(ArtifactError, match=r"no file .*missing.csv"):
        read(tmp_path / "missing.csv")


def test_a_prepared_data_set(prepared: Dataset) -> None:
    data, part = read(prepared.folder), prepared.splits["test"]
    assert data.ids == part.ids and np.array_equal(data.truth, part.labels)
    assert data.sha256 == prepared.sha256 and data.name == f"{prepared.name} test"
    assert "those that the network was trained on" in read(prepared.folder, split="train").notes[-1]
    with pytest.raises(DataError, match=r"--split should be one of .*test. Got: tset"):
        read(prepared.folder, split="tset")
    with pytest.raises(DataError, match="should have the labels of the model: word0"):
        read(prepared.folder, model.of_graph(random_graph()))
    assert (prepared.folder / dataset.INDEX).exists()


def test_clips_are_centred_as_own_words_are(tmp_path: Path) -> None:
    write(tmp_path / "set" / "yes" / "a.wav", 0.5)
    from edgekws.features.mfcc import mfcc

    centred = np.pad(sound(0.5), RATE_HZ // 4)[None]
    assert np.array_equal(read(tmp_path / "set").features, mfcc(DSCNN.features, centred))
