"""Decisions on plain recordings: prepared without what was dropped, with corrected labels; or as links."""

import json
import os

import numpy as np
import pytest
import soundfile

from edgekws.curate.clean import clips, links
from edgekws.data import dataset, decisions
from edgekws.data.decisions import Decisions
from edgekws.data.sources import speech_commands
from edgekws.errors import ArtifactError, ConfigError, DataError
from tests.curate.clean.test_command import quiet, run

RATE = 16_000


def deciding(**made):
    return Decisions("words", "0" * 64, {clip.replace("__", "/") + "_nohash_0.wav": one for clip, one in made.items()})


@pytest.fixture
def words(tmp_path):
    root = tmp_path / "words"
    rng = np.random.default_rng(0)
    for word in ("go", "no"):
        for speaker in range(40):
            (root / word).mkdir(parents=True, exist_ok=True)
            samples = rng.integers(-3_000, 3_000, 9_000).astype(np.int16)
            soundfile.write(root / word / f"s{speaker:02}_nohash_0.wav", samples, RATE)
    return root


def everything(data):
    rows = [zip(split.ids, split.labels.tolist(), split.samples, strict=True) for split in data.splits.values()]
    return {clip: (data.labels[label], samples.tobytes()) for split in rows for clip, label, samples in split}


def test_recordings_are_prepared_as_decided(words, tmp_path):
    path = tmp_path / "decisions.json"
    decisions.save(deciding(no__s00="drop", no__s01="relabel:go", no__s02="keep", go__s03="drop"), path)
    prepare = ["data", "prepare", "--source", "folder", "--root", words, "--out", tmp_path / "data", "--no-unknown"]
    run(*prepare)
    before = dataset.load(tmp_path / "data")
    printed = run(*prepare, "--decisions", path)
    assert "2 clips dropped by hand, 1 relabelled" in " ".join(printed.split())
    made = dataset.load(tmp_path / "data")
    dataset.verify(made)
    expected = everything(before)
    del expected["no/s00_nohash_0.wav"], expected["go/s03_nohash_0.wav"]
    expected["no/s01_nohash_0.wav"] = ("go", expected["no/s01_nohash_0.wav"][1])
    assert everything(made) == expected
    assert json.loads((tmp_path / "data" / "index.json").read_text())["notes"][-1] == (
        "2 clips dropped by hand, 1 relabelled"
    )
    run(*prepare)
    assert dataset.load(tmp_path / "data").sha256 == before.sha256, "without decisions it is what it was"
    assert len(list(words.glob("*/*.wav"))) == 80


def test_an_unreadable_recording_is_left_out_unless_it_was_dropped(words, tmp_path):
    (words / "no" / "s00_nohash_0.wav").write_bytes(b"RIFF")
    prepare = ["data", "prepare", "--source", "folder", "--root", words, "--out", tmp_path / "data", "--no-unknown"]
    assert "left out: 1 file" in run(*prepare)
    assert "every file should be used, 1 cannot be" in run(*prepare, "--strict", fails=DataError)
    decisions.save(deciding(no__s00="drop"), tmp_path / "decisions.json")
    run(*prepare, "--decisions", tmp_path / "decisions.json", "--strict")
    data = dataset.load(tmp_path / "data")
    assert len(everything(data)) == 79 and not data.left_out


def test_words_become_the_classes_of_speech_commands(recordings, tmp_path):
    listing = speech_commands.scan(recordings, RATE)
    every = [item for items in listing.splits.values() for item in items]
    known = next(item.id for item in every if item.label == "no")
    other = next(item.id for item in every if item.label == "_unknown_")
    decided = Decisions("x", "x", {known: "relabel:marvin", other: "relabel:yes"})
    made = decisions.apply_to_listing(listing, decided)
    labels = {item.id: item.label for items in made.splits.values() for item in items}
    assert (labels[known], labels[other]) == ("_unknown_", "yes")
    assert labels.keys() == {item.id for item in every}


def test_decisions_about_clips_replaced_by_the_test_archive_are_accepted(recordings, tmp_path):
    """`data clean --root` looks at all recordings of the main folder, also at those that no split takes."""
    main = tmp_path / speech_commands.MAIN
    main.mkdir()
    for path in (recordings / speech_commands.MAIN).iterdir():
        (main / path.name).symlink_to(path)
    (tmp_path / speech_commands.TEST_ARCHIVE).symlink_to(recordings / speech_commands.TEST_ARCHIVE)
    one = f"no/{min(path.name for path in (main / 'no').iterdir())}"
    (main / "testing_list.txt").unlink()
    (main / "testing_list.txt").write_text(f"{one}\n")
    listing = speech_commands.scan(tmp_path, RATE)
    assert listing.unused == {one}
    made = decisions.apply_to_listing(listing, Decisions("x", "x", {one: "drop"}))
    assert made.splits == listing.splits and made.notes[-1] == "0 clips dropped by hand, 0 relabelled"
    with pytest.raises(DataError, match=r"1 that are not, no/such\.wav"):
        decisions.apply_to_listing(listing, Decisions("x", "x", {"no/such.wav": "drop"}))


def test_a_prepared_set_gets_corrected_labels(prepared, tmp_path):
    split = prepared.splits["train"]
    clip, old = split.ids[0], prepared.labels[split.labels[0]]
    new = next(label for label in prepared.labels if label != old)
    made = decisions.apply(prepared, Decisions("x", "x", {clip: f"relabel:{new}"}), tmp_path / "made", quiet)
    assert everything(made) == {**everything(prepared), clip: (new, split.samples[0].tobytes())}
    assert made.sha256 != prepared.sha256
    dataset.verify(dataset.load(tmp_path / "made"))


def test_invalid_requests_are_refused_before_writing(words, tmp_path):
    listed = [
        (deciding(no__s99="drop"), "1 that are not, no/s99_nohash_0.wav"),
        (deciding(no__s00="relabel:maybe"), "should be one of go, no"),
        (deciding(**{f"no__s{number:02}": "drop" for number in range(40)}), "none of no"),
    ]
    path = tmp_path / "decisions.json"
    for decided, message in listed:
        decisions.save(decided, path)
        where = ["--source", "folder", "--root", words, "--out", tmp_path / "data", "--no-unknown", "--decisions", path]
        assert message in run("data", "prepare", *where, fails=DataError)
        assert not (tmp_path / "data").exists()
    assert "edgekws-decisions" in run("data", "prepare", *where[:-1], tmp_path / "none", fails=ArtifactError)


def test_a_folder_of_links(words, tmp_path):
    (words / "no" / "notes.txt").write_text("")
    (words / "no" / "take 1\n.flac").write_text("of another program")
    (words / "_background_noise_").mkdir()
    (words / "_background_noise_" / "hum.wav").write_bytes(b"")
    decisions.save(deciding(no__s00="drop", no__s01="relabel:go"), tmp_path / "decisions.json")
    drop = ["data", "drop", "--root", words, "--decisions", tmp_path / "decisions.json", "--out"]
    printed = run(*drop, tmp_path / "made")
    assert "1 clips dropped by hand, 1 relabelled; 82 links" in " ".join(printed.split())
    result = {str(path.relative_to(tmp_path / "made")): path for path in (tmp_path / "made").glob("*/*")}
    expected = {str(path.relative_to(words)) for path in words.glob("*/*")} - {
        "no/s00_nohash_0.wav",
        "no/s01_nohash_0.wav",
    }
    assert result.keys() == expected | {"go/s01_nohash_0_from_no.wav"}
    assert all(path.is_symlink() for path in result.values())
    assert result["go/s01_nohash_0_from_no.wav"].read_bytes() == (words / "no" / "s01_nohash_0.wav").read_bytes()
    assert "a new folder" in run(*drop, tmp_path / "made", fails=ConfigError)
    assert "outside of" in run(*drop, words / "made", fails=ConfigError)
    assert sorted(path.name for path in words.iterdir()) == ["_background_noise_", "go", "no"]


def test_a_recording_with_a_name_that_is_not_utf_8_is_dropped_or_linked(words, tmp_path):
    odd = words / "no" / os.fsdecode(b"b\xff.wav")
    (words / "no" / "s00_nohash_0.wav").rename(odd)
    result = clips.of_folder(words, RATE, RATE)
    (name,) = (each.id for each in result.unreadable)
    for decision, links_of_no in (({}, 40), ({name: "drop"}, 39), ({name: "relabel:go"}, 39)):
        out = tmp_path / f"made{len(list(tmp_path.iterdir()))}"
        assert links.write(words, Decisions(result.name, result.sha256, decision), out) == 80 - (
            "drop" in str(decision)
        )
        assert len(list((out / "no").iterdir())) == links_of_no
        assert (out / "go" / os.fsdecode(b"b\xff_from_no.wav")).exists() == ("relabel" in str(decision))


def test_links_stay_in_their_folder(words, tmp_path):
    for label in ("../../elsewhere", "maybe", "/tmp"):
        with pytest.raises(DataError, match="should be one of go, no"):
            links.write(words, deciding(no__s00=f"relabel:{label}"), tmp_path / "made")
    with pytest.raises(DataError, match="no such folder"):
        links.write(tmp_path / "none", deciding(), tmp_path / "made")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["words"]


def test_a_full_disk_leaves_no_partial_folder(words, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(links, "_link", full)
    with pytest.raises(ArtifactError, match="No space left"):
        links.write(words, deciding(no__s00="drop"), tmp_path / "made")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["words"]
