"""A folder of recordings as people have it: every file is used, or left out with its reason."""

import os
from collections import Counter

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from edgekws.cli import app
from edgekws.data import cuts, dataset, folders, utterances
from edgekws.data.listing import HIDDEN
from edgekws.data.sources import folder as source
from edgekws.errors import ConfigError, DataError
from tests.data.test_audio import tone

RATE = 16_000
RNG = np.random.default_rng(0)


def word(seconds=0.4):
    return tone(RATE, seconds) * np.hanning(round(RATE * seconds)) + RNG.normal(0, 1e-4, round(RATE * seconds))


def pause(seconds):
    return RNG.normal(0, 1e-4, round(RATE * seconds))


def long_recording(count=4):
    return np.concatenate([np.concatenate([pause(0.8), word(), pause(0.4)]) for _ in range(count)])


@pytest.fixture
def root(tmp_path):
    made = tmp_path / "my words"
    for name in ("no", "yes"):
        (made / name).mkdir(parents=True)
        for number in range(30):
            soundfile.write(made / name / f"s{number}_nohash_0.wav", word(), RATE)
    return made


def words(root, **more):
    return folders.words(root, RATE, RATE, **more)


def test_each_file_is_used_or_left_out_with_its_reason(root):
    yes = root / "yes"
    good = (yes / "s0_nohash_0.wav").read_bytes()
    soundfile.write(yes / "mp3.wav", tone(44_100), 44_100, format="MP3")
    (yes / "anna").mkdir()
    soundfile.write(yes / "anna" / "1.flac", word(), RATE)
    files = {
        "._s0.wav": (b"\0\5\x16\7", HIDDEN),
        "Thumbs.db": (b"x", HIDDEN),
        "notes.txt": (b"hello", "not a recording (.txt)"),
        "empty.wav": (b"", "an empty file"),
        "text.wav": (b"not a recording", "something unreadable"),
        "silent.wav": (good[:44] + bytes(len(good) - 44), "silence"),
        "half.wav": (good[: len(good) // 2], "it is cut off"),
    }
    for name, (content, _) in files.items():
        (yes / name).write_bytes(content)
    (yes / "folder.wav").mkdir()
    (yes / "link.wav").symlink_to("nowhere.wav")
    (yes / os.fsdecode(b"\xff.wav")).write_bytes(good)
    os.mkfifo(yes / "pipe.wav")
    (root / "loose.wav").write_bytes(good)
    found = words(root)
    reasons = {each.file.rpartition("/")[2]: each.reason for each in found.left_out}
    for name, (_, why) in files.items():
        assert why in reasons.pop(name)
    assert reasons == {
        "folder.wav": "an empty folder",
        "link.wav": "a link to a file that is not there",
        "\\udcff.wav": "its name is not UTF-8: rename it",
        "pipe.wav": "a folder, a pipe or a device",
        "loose.wav": "not in the folder of a word",
    }
    assert Counter(clip.label for clip in found.clips) == {"no": 30, "yes": 32}
    assert {clip.id: clip.speaker for clip in found.clips}["yes/anna/1.flac"] == "anna"


def test_files_without_a_decoder_are_counted_with_the_command_that_helps(root, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    (root / "yes" / "a.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(99))
    (left_out,) = words(root).left_out
    assert left_out.file == "yes/a.m4a" and 'pip install "edgekws[audio]"' in left_out.reason


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("Yes", "yes "), "each word should have one folder"),
        ((), "no folder in it"),
        (("yes", "empty"), "word folder empty should hold recordings"),
    ],
)
def test_folders_that_cannot_be_words(tmp_path, names, message):
    for name in names:
        (tmp_path / name).mkdir()
        if name != "empty":
            soundfile.write(tmp_path / name / "a.wav", word(), RATE)
    with pytest.raises(DataError, match=message):
        words(tmp_path)


def test_a_folder_of_files_says_how_to_sort_them(tmp_path):
    soundfile.write(tmp_path / "a.wav", word(), RATE)
    with pytest.raises(DataError, match=r"1 files and no folder.*make a folder per word"):
        words(tmp_path)


def test_a_long_recording_becomes_a_clip_per_word(root):
    soundfile.write(root / "yes" / "long.flac", long_recording(), RATE)
    found = words(root)
    clips = [clip for clip in found.clips if "long" in clip.id]
    assert len(clips) == len(found.cuts) == 4 and all("yes/long.flac@" in clip.id for clip in clips)
    for number, clip in enumerate(clips):
        middle = (clip.start + clip.stop) / 2 / RATE
        assert abs(middle - (1.6 * number + 1.0)) < 0.05 and clip.stop - clip.start == RATE


def test_edited_cuts_are_used_and_unedited_ones_change_nothing(root, tmp_path):
    soundfile.write(root / "yes" / "long.flac", long_recording(), RATE)
    found = words(root)
    path = tmp_path / "cuts.csv"
    cuts.write(found.cuts, path)
    assert words(root, given=cuts.read(path)) == found
    path.write_text(path.read_text().replace(",yes,", ",no,", 1))
    assert len(words(root, given=cuts.read(path)).clips) == len(found.clips) - 1
    path.write_text("file;start_ms;end_ms\nyes/long.flac;100;300\n")
    (clip,) = (clip for clip in words(root, given=cuts.read(path)).clips if "long" in clip.id)
    assert (clip.id, clip.start) == ("yes/long.flac", 0)
    for text, message in (
        ("file\nx\n", "no column start_ms"),
        ("file,start_ms,end_ms\nx,5,1\n", "line 2.*before its end"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            cuts.read(path)


def test_a_recording_of_another_size_is_cut_anew(root, tmp_path):
    path = root / "yes" / "long.flac"
    soundfile.write(path, long_recording(), RATE)
    cuts.write(words(root).cuts, tmp_path / "cuts.csv")
    soundfile.write(path, long_recording(5), RATE)
    found = words(root, given=cuts.read(tmp_path / "cuts.csv"))
    assert len([clip for clip in found.clips if "long" in clip.id]) == 5


def test_a_short_recording_gives_one_clip_and_noise_none():
    two = np.concatenate([pause(0.2), word(0.3), pause(0.9), 0.3 * word(0.3), pause(0.2)])
    kept = [each for each in utterances.find((two * 32_767).astype(np.int16), RATE, RATE) if each.keep]
    assert len(kept) == 1 and abs(kept[0].start / RATE - 0.2) < 0.1
    noise = RNG.normal(0, 3_000, 5 * RATE).astype(np.int16)
    assert utterances.find(noise, RATE, RATE) == ()


def run(*arguments, fails=None):
    done = CliRunner().invoke(app, list(map(str, arguments)))
    assert isinstance(done.exception, fails) if fails else not done.exception, (done.output, done.exception)
    return str(done.exception) if fails else " ".join(done.output.split())


def test_the_command_finds_out_the_source_and_names_what_it_did(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    soundfile.write(root / "yes" / "long.flac", long_recording(), RATE)
    soundfile.write(root / "no" / "cd.wav", np.stack([tone(44_100, 0.9)] * 2, 1), 44_100)
    (root / "yes" / "bad.wav").write_bytes(b"RIFF")
    printed = run("data", "prepare", f"{root}/", "--no-unknown")
    assert "changed: 1 clips resampled from 44,100 Hz" in printed and "changed: 1 clips mixed down" in printed
    assert "left out: 1 file, all named in index.json" in printed and "yes/bad.wav" in printed
    assert "next: edgekws train --data 'work/my words/data' --out 'work/my words/model'" in printed
    data = dataset.load(tmp_path / "work" / "my words" / "data")
    assert "few recordings" not in printed
    assert data.listed_by == "folder" and [each.file for each in data.left_out] == ["yes/bad.wav"]
    table = tmp_path / "work" / "my words" / "data" / "cuts.csv"
    table.write_text(table.read_text().replace(",yes,", ",no,", 1))
    run("data", "prepare", root, "--no-unknown", "--show-cuts", tmp_path / "cuts.html")
    page = (tmp_path / "cuts.html").read_text()
    assert page.count("<svg") == 1 and "yes/long.flac: 6.4 s, 3 of 4 sounds kept" in page
    again = dataset.load(tmp_path / "work" / "my words" / "data")
    assert sum(map(len, again.splits.values())) == sum(map(len, data.splits.values())) - 1
    assert ",no," in table.read_text(), "edits stay"
    assert "1 cannot be" in run("data", "prepare", root, "--strict", fails=DataError)
    assert "outside of the recordings" in run("data", "prepare", root, "--out", root / "x", fails=ConfigError)


def test_a_recording_that_breaks_later_is_left_out_of_its_split(root, tmp_path):
    listed = source.scan(root, RATE, no_unknown=True)
    broken = listed.splits["train"][0]
    soundfile.write(broken.path, np.zeros(8_000, np.int16), RATE)
    data = dataset.prepare(listed, tmp_path / "out", RATE, RATE, lambda *_: None)
    assert [(each.file, each.reason) for each in data.left_out] == [(broken.id, "silence")]
    assert len(data.splits["train"]) == len(listed.splits["train"]) - 1
    dataset.verify(data)
