"""Clips are called official only as far as names, classes, order and hashes prove it."""

from __future__ import annotations

import tarfile
from dataclasses import replace

import pytest

from edgekws.files import sha256
from edgekws.mlperf import FILES, kws01
from scripts import mlperf_hashes
from tests.recordings import SHARED

OFFICIAL = SHARED / "kws01_b.tar"
CLASSES = [92, 92, 81, 89, 70, 84, 75, 78, 84, 89, 80, 86]
"""Files of each class, as published."""


def contents(names):
    return [name.encode() for name in names]


@pytest.fixture
def listed(monkeypatch):
    """Eight files of the list, whose contents are known, and two whose are not."""
    known = [
        kws01.File(file.name, file.label, sha256(file.name.encode()) if place < 8 else "-", place)
        for place, file in enumerate(list(kws01.files().values())[:10])
    ]
    monkeypatch.setattr(kws01, "files", lambda: {file.name: file for file in known})
    return [file.name for file in known], [file.label for file in known]


def test_the_list_has_the_published_files():
    files = list(kws01.files().values())
    assert len(files) == FILES and [sum(file.label == label for file in files) for label in range(12)] == CLASSES
    for place, file in enumerate(files):
        start, number, _, label = file.name.removesuffix(".bin").split("_")
        assert (start, int(number), int(label), file.place) == ("tst", place, file.label, place)
    known = [file.sha256 for file in files if file.sha256 != kws01.UNLISTED]
    assert len(known) >= 335 and all(len(digest) == 64 for digest in known)


def test_all_files_with_listed_and_unlisted_contents(listed):
    names, labels = listed
    proved = kws01.standing(names, labels, contents(names))
    assert (proved.whole, proved.verified, proved.unlisted, proved.problems) == (False, 8, 2, ())
    assert (
        proved.text
        == "MLPerf Tiny kws01: names, classes and order of 10 files; contents of 8 verified, of 2 not listed here"
    )
    assert proved.title == "MLPerf Tiny kws01, 8 of 10 contents verified"


def test_all_files_with_all_contents(listed, monkeypatch):
    names, labels = listed
    known = {name: replace(file, sha256=sha256(name.encode())) for name, file in kws01.files().items()}
    monkeypatch.setattr(kws01, "files", lambda: known)
    proved = kws01.standing(names, labels, contents(names))
    assert (
        proved.whole and proved.title == "MLPerf Tiny kws01" and proved.text.endswith("10 of 10 files, hashes verified")
    )


def test_a_part_of_the_files_is_called_a_part(listed):
    names, labels = listed
    proved = kws01.standing(names[:8], labels[:8], contents(names[:8]))
    assert not proved.whole and proved.problems == ()
    assert proved.text == "MLPerf Tiny kws01: 8 of 8 files, hashes verified, a part of the 10"
    assert proved.title == "MLPerf Tiny kws01, 8 of 10 files"
    short = kws01.standing(names[1:], labels[1:], contents(names[1:]))
    assert short.title == "MLPerf Tiny kws01, 9 of 10 files, 7 of 9 contents verified"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda names, labels, bodies: bodies.__setitem__(3, b"x"), "1 file with another content: tst_000003"),
        (
            lambda names, labels, bodies: bodies.__setitem__(slice(0, 5), [b"x"] * 5),
            "5 files with another content: tst_000000_Stop_7.bin, "
            "tst_000001_Left_2.bin, tst_000002_Right_6.bin and 2 more",
        ),
        (
            lambda names, labels, bodies: names.__setitem__(3, "tst_000003_Down_0.bin"),
            "1 file of another name: tst_000003_Down_0.bin",
        ),
        (
            lambda names, labels, bodies: labels.__setitem__(slice(0, 2), [2, 7]),
            "2 files with another class: tst_000000_Stop_7.bin as 2",
        ),
        (lambda *columns: [column.reverse() for column in columns], "another order, from tst_000008_Off_4.bin on"),
        (lambda *columns: [column.append(column[0]) for column in columns], "1 file that is there twice: tst_000000"),
        (
            lambda names, labels, bodies: bodies.__setitem__(9, bodies[0]),
            "1 file with the content of another: tst_000009_No_3.bin as tst_000000_Stop_7.bin",
        ),
        (lambda names, labels, bodies: labels.clear() or labels.extend([0] * 10), "9 files with another class"),
    ],
)
def test_every_deviation_is_said(listed, change, said):
    names, labels, bodies = list(listed[0]), list(listed[1]), contents(listed[0])
    change(names, labels, bodies)
    proved = kws01.standing(names, labels, bodies)
    assert not proved.whole and said in proved.text and proved.text.startswith("NOT the official files")
    assert "not its official files" in proved.title


def test_contents_and_classes_that_nobody_knows_prove_nothing(listed):
    names, labels = listed
    assert kws01.standing(names, labels, None).unlisted == 10
    assert kws01.standing(names, None, contents(names)).problems == ("their classes are not known",)


def test_other_clips_are_not_meant():
    assert not kws01.is_meant(["yes/a.wav"]) and kws01.is_meant(["x", "tst_000999_Up_8.bin"])


def test_copies_within_a_class_are_no_problem_while_they_are_few():
    """The real set repeats a few contents: two pairs among its 335 listed files."""
    files = list(kws01.files().values())
    unlisted = [file for file in files if file.sha256 == kws01.UNLISTED]
    others = {file.name for file in unlisted}

    def copied(count):
        copies = {file.name for file in [file for file in unlisted if file.label == 3][:count]}
        hashes = {file.name: file.sha256 for file in files}
        owner = next(file.sha256 for file in files if file.label == 3 and file.name not in others)
        return {
            name: owner if name in copies else name if name in others else digest for name, digest in hashes.items()
        }

    def problems(count):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kws01, "sha256", bytes.decode)
            bodies = [digest.encode() for digest in copied(count).values()]
            return kws01.standing([f.name for f in files], [f.label for f in files], bodies).problems

    assert problems(8) == () and problems(50) == ()
    assert "51 files with the content of another" in problems(51)[0]


@pytest.fixture(scope="module")
def official():
    if not OFFICIAL.exists():
        pytest.skip("needs the official files of shared/data")
    with tarfile.open(OFFICIAL) as archive:
        return {
            member.name.rpartition("/")[2]: archive.extractfile(member).read() for member in archive if member.isfile()
        }


def test_the_official_files_that_are_here(official):
    rows = [line.split(",") for line in official["y_labels.csv"].decode().split()]
    names, labels = [row[0] for row in rows], [int(row[2]) for row in rows]
    proved = kws01.standing(names, labels, [official[name] for name in names])
    assert proved.text == "MLPerf Tiny kws01: 335 of 335 files, hashes verified, a part of the 1,000"


def test_hashes_are_added_from_a_folder(tmp_path):
    name, other = list(kws01.files())[:2]
    (tmp_path / name).write_bytes(bytes(490))
    text = f"# two files\n{name} 7 -\n{other} 2 -\n"
    expected = f"# two files\n{name} 7 {sha256(bytes(490))}\n{other} 2 -\n"
    assert mlperf_hashes.added(text, tmp_path) == (expected, 1)
    assert mlperf_hashes.added(expected, tmp_path) == (expected, 0)
    (tmp_path / name).write_bytes(bytes([1]) * 490)
    with pytest.raises(ValueError, match="not the official file"):
        mlperf_hashes.added(expected, tmp_path)
    (tmp_path / name).write_bytes(bytes(489))
    with pytest.raises(ValueError, match="489 bytes"):
        mlperf_hashes.added(text, tmp_path)
