"""The files beside a report: recordings, the log of the training, the card; and what the page makes of them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from edgekws.errors import ArtifactError
from edgekws.report import attached, build_report, page_of
from edgekws.report.attached import ShownClip, spectrogram
from tests.report.documents import Page, bench_document

RATE = 16_000
TONE = (8000 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)).astype(np.int16)
LOG = "epoch,loss,validation_loss,validation_accuracy,validation_balanced_accuracy\n1,2,1.5,0.5,0.4\n2,1,1.2,0.7,0.6\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "log.csv").write_text(LOG)
    (tmp_path / "model.md").write_text("# A model")
    run = tmp_path / "run"
    run.mkdir()
    attached.write(run, [ShownClip(1, TONE, RATE)], tmp_path / "log.csv", tmp_path / "model.md")
    return run


def test_what_is_written_is_read_again(folder):
    assert sorted(path.name for path in folder.rglob("*.*")) == ["01.wav", "card.md", "training.csv"]
    beside = attached.read(folder)
    assert np.array_equal(beside.clips[1].samples, TONE) and beside.clips[1].rate_hz == RATE
    assert [row["loss"] for row in beside.training] == [2.0, 1.0] and beside.card


def test_a_folder_without_them_has_none(tmp_path):
    attached.write(tmp_path, [], tmp_path / "no.csv", None)
    assert attached.read(tmp_path) == attached.Attached() and not list(tmp_path.iterdir())


def test_recordings_end_where_the_page_would_grow_too_large(tmp_path):
    minute = ShownClip(1, np.zeros(60 * RATE // 4, np.int16), RATE)
    attached.write(tmp_path, [ShownClip(number, minute.samples, RATE) for number in (1, 2, 3)])
    assert sorted(attached.read(tmp_path).wav) == [1, 2]


@pytest.mark.parametrize("content", [b"", b"RIFF", attached.wav_bytes(ShownClip(1, TONE, RATE))[:30]])
def test_a_damaged_recording_is_refused(folder, content):
    (folder / "clips" / "01.wav").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"01\.wav should be a mono WAV"):
        attached.read(folder)


def test_the_log_of_another_tool_is_left_out(folder):
    (folder / "training.csv").write_text("step,loss\n1,2\n")
    assert attached.read(folder).training == ()


def test_the_page_plays_shows_and_links_them(folder, graph):
    wrong = [{"file": "yes/<a>.wav", "class": 0, "predicted": 1, "permille": 901}]
    accuracy = {**bench_document(graph)["accuracy"], "wrong": wrong}
    report = build_report("Run", graph, bench_document(graph, accuracy=accuracy)).to_json()
    page = page_of(report, attached.read(folder))
    shown = Page(page)
    assert ("href", "card.md") in shown.attributes and "2 epochs" in shown.text and "cross entropy, nats" in shown.text
    sources = [value for key, value in shown.attributes if key == "src"]
    assert [source[:22] for source in sources] == ["data:image/bmp;base64,", "data:audio/wav;base64,"]
    assert "yes/<a>.wav" in shown.text and "90.1 % sure" in shown.text and len(shown.ids) == len(set(shown.ids))
    assert not re.search(r"<script|<link|@import|url\((?!#)", page) and len(page) < 2_000_000
    assert page == page_of(report, attached.read(folder))


def test_a_spectrogram_shows_the_tone_in_its_band():
    levels = spectrogram.log_mel(ShownClip(1, TONE, RATE))
    assert levels.shape == (spectrogram.BANDS, 98) and levels.max() == 255
    loudest = set(levels[:, 10:-10].argmax(axis=0).tolist())
    assert len(loudest) == 1 and 10 < loudest.pop() < 25  # 1000 Hz is a third of the way on the mel scale
    picture = spectrogram.bitmap(ShownClip(1, TONE, RATE))
    assert picture[:2] == b"BM" and len(picture) == int.from_bytes(picture[2:6], "little")


@pytest.mark.parametrize("length", [0, 1, 100, 30 * 16_000])
def test_every_length_has_a_picture(length):
    picture = spectrogram.log_mel(ShownClip(1, np.zeros(length, np.int16), RATE))
    assert 1 <= picture.shape[1] <= 300
