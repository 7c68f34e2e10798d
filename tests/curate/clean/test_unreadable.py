"""Unreadable recordings come first in the ranking, each with its reason."""

import os
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from edgekws.curate.clean import clips, rank
from edgekws.curate.clean.probe import ProbePlan
from edgekws.curate.clean.review import Review
from edgekws.errors import ArtifactError, DataError
from tests.curate.clean.conftest import RATE_HZ, WORDS

REASONS = {
    "cut.wav": "it is cut off",
    "empty.wav": "an empty file",
    "folder.wav": "an empty folder",
    "loop.wav": "a link to a file that is not there",
    "nothing.wav": "a link to a file that is not there",
    "pipe.wav": "a pipe",
    "none.wav": "0 samples",
    "text.wav": "something unreadable",
}


@pytest.fixture(scope="module")
def folder(spoken, tmp_path_factory):
    root = tmp_path_factory.mktemp("unreadable") / "words"
    for number, (samples, label) in enumerate(zip(*spoken, strict=True)):
        if number < 80:
            (root / WORDS[label]).mkdir(parents=True, exist_ok=True)
            soundfile.write(root / WORDS[label] / f"{number:04d}.wav", samples, RATE_HZ)
    bad = root / "low"
    bad.joinpath("cut.wav").write_bytes((bad / "0000.wav").read_bytes()[:9_000])
    bad.joinpath("empty.wav").write_bytes(b"")
    bad.joinpath("text.wav").write_text("not a recording")
    bad.joinpath("folder.wav").mkdir()
    os.mkfifo(bad / "pipe.wav")
    bad.joinpath("nothing.wav").symlink_to(bad / "absent")
    bad.joinpath("loop.wav").symlink_to(bad / "loop.wav")
    soundfile.write(bad / "none.wav", np.zeros(0, np.int16), RATE_HZ)
    return root


@pytest.fixture(scope="module")
def ranked(folder):
    readable = clips.of_folder(folder, RATE_HZ, RATE_HZ)
    return readable, rank.rank(readable, ProbePlan("linear"), lambda *_: None)


def test_each_is_a_finding_with_its_reason(ranked):
    readable, ranking = ranked
    first = ranking.entries[: len(REASONS)]
    assert [entry.id for entry in first] == [f"low/{name}" for name in sorted(REASONS)]
    for entry in first:
        (reason,) = entry.reasons
        assert (reason.reason, entry.label, entry.score) == ("unreadable", "low", 1.0)
        assert REASONS[entry.id.partition("/")[2]] in reason.detail
        assert str(entry.id) not in reason.detail, "the page shows the id beside the reason"
    assert len(readable) == 80 and len(ranking.entries) == 80 + len(REASONS)
    assert ranking.counts()["unreadable"] == len(REASONS)


def test_the_page_shows_them_without_a_player_and_takes_decisions(ranked, tmp_path):
    review = Review(*ranked, tmp_path / "decisions.json")
    shown = review.page(0, 50, "unreadable", undecided=False)["clips"]
    assert len(shown) == len(REASONS) and all(row["wave"] is None for row in shown)
    assert review.page(0, 50, "", undecided=False)["clips"][len(REASONS)]["wave"]
    with pytest.raises(DataError, match="a clip should be readable"):
        review.sound(0)
    assert review.decide(shown[0]["id"], "drop")["decisions"]["drop"] == 1


def test_a_file_that_vanishes_after_the_ranking_does_not_hide_others(ranked, tmp_path):
    """Files may be deleted while the page is open."""
    readable, ranking = ranked

    def read(numbers):
        if 3 in numbers:
            raise DataError("it should be readable", got="no such file")
        return readable.read(numbers)

    review = Review(replace(readable, read=read), ranking, tmp_path / "decisions.json")
    rows = review.page(len(REASONS), 100, "", undecided=False)["clips"]
    assert [row["id"] for row in rows if row["wave"] is None] == [readable.ids[3]]


def test_decisions_stay_when_a_recording_is_repaired(ranked, tmp_path):
    """And when one is added; but not for a folder of the same name that lacks a clip with a decision."""
    readable, ranking = ranked
    review = Review(readable, ranking, tmp_path / "decisions.json")
    review.decide("low/cut.wav", "drop")
    review.decide(readable.ids[0], "keep")
    again = {"sha256": "1" * 64}
    later = Review(replace(readable, **again), replace(ranking, **again), tmp_path / "decisions.json")
    assert later.summary()["decisions"] == {"keep": 1, "drop": 1, "relabel": 0}
    fewer = tuple(entry for entry in ranking.entries if entry.id != "low/cut.wav")
    with pytest.raises(ArtifactError, match="about these clips"):
        Review(replace(readable, **again), replace(ranking, entries=fewer, **again), tmp_path / "decisions.json")
    other = replace(ranking, **again)
    with pytest.raises(ArtifactError, match="about these clips"):
        Review(replace(readable, name="else", **again), other, tmp_path / "decisions.json")


def test_file_names_that_are_not_utf_8_are_findings(spoken, tmp_path):
    for number, word in enumerate(("no", "yes") * 6):
        (tmp_path / word).mkdir(exist_ok=True)
        soundfile.write(
            tmp_path / word / f"{number} \N{LATIN SMALL LETTER E WITH ACUTE}\n.wav", spoken[0][number], RATE_HZ
        )
    os.rename(os.fsencode(next((tmp_path / "no").iterdir())), os.fsencode(tmp_path / "no") + b"/\xff.wav")  # noqa: PTH104
    readable = clips.of_folder(tmp_path, RATE_HZ, RATE_HZ)
    (named,) = readable.unreadable
    assert "udcff" in named.id and "not UTF-8" in named.why and len(readable) == 11
    ranking = rank.rank(readable, ProbePlan("linear"), lambda *_: None)
    rank.save(ranking, tmp_path / "ranking.json")
    assert rank.load(tmp_path / "ranking.json") == ranking
