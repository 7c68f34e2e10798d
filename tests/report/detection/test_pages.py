"""The page of an evaluation: it stands alone, plays what went wrong, and says what it cannot show."""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgekws.detect.evaluation import document as doc
from edgekws.detect.evaluation import figures
from edgekws.detect.evaluation.streams import Heard
from edgekws.detect.settings import Settings
from edgekws.report.detection import pages
from tests.detect.evaluation.posteriors import KEYWORDS, background, scene

CHOSEN = Settings(KEYWORDS, (700, 700, 700), 2, 20)


def audible(stream: Heard) -> Heard:
    """A stream whose samples are their own place, in steps of a tenth of a second."""
    return replace(stream, read=lambda start, stop: (np.arange(start, stop) // 1_600).astype(np.int16))


@cache
def made(with_validation: bool = True, accepts: float = 200.0) -> tuple[doc.Document, list[Heard]]:
    streams = [audible(background(0.1, 1, rate=accepts)), audible(scene(90, 2, level=0.8))]
    test = figures.evaluate(streams[:1], streams[1:], CHOSEN, 500)
    before = figures.evaluate([background(0.05, 3)], [scene(60, 4)], CHOSEN, 500)
    detector = doc.Detector(
        smoothing_steps=2, refractory_steps=20, step_ms=40, tau_ms=500, thresholds_from="edgekws detect-eval"
    )
    document = doc.Document(
        kind="edgekws-detection",
        version=1,
        model="<small>",
        graph_sha256="0" * 64,
        executor="interp",
        detector=detector,
        budget_per_hour=0.5 if with_validation else None,
        validation=before if with_validation else None,
        test=test,
        notes=("a & b",),
    )
    return document, streams


@pytest.fixture(scope="module")
def page() -> tuple[doc.Document, str]:
    document, streams = made()
    return document, pages.to_html(document, streams)


def test_the_page_needs_nothing_else_and_names_everything(page: tuple[doc.Document, str]) -> None:
    document, html = page
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", html) and "<script" not in html
    assert "Detection with &lt;small&gt;" in html and "a &amp; b" in html
    assert f"{document.test.false_accepts.per_hour:.2f} false accepts an hour" in html
    assert "above the budget, and so is all of its interval" in html and "optimistic" in html
    for keyword in KEYWORDS:
        assert f"<td>{keyword}</td>" in html


def test_false_accepts_and_misses_can_be_played(page: tuple[doc.Document, str]) -> None:
    document, html = page
    sounds = re.findall(r"data:audio/wav;base64,([^\"]+)", html)
    assert len(sounds) == min(len(document.test.wrong_accepts), 12) + min(len(document.test.wrong_misses), 12)
    samples, rate_hz = soundfile.read(BytesIO(b64decode(sounds[0])), dtype="int16")
    first = document.test.wrong_accepts[0]
    assert (rate_hz, len(samples)) == (16_000, 28_800)
    assert samples[0] == pytest.approx(10 * (first.stream_s - 1.5), abs=1)


def test_without_validation_streams_it_says_so_and_without_sound_it_plays_nothing() -> None:
    document, _ = made(with_validation=False)
    html = pages.to_html(document, [])
    assert "No validation streams were given" in html
    assert "data:audio" not in html


def test_the_document_is_json_that_reads_back(tmp_path: Path) -> None:
    document, _ = made()
    assert doc.Document.model_validate_json(document.model_dump_json()) == document


@pytest.mark.parametrize(("budget", "level"), [(50, "too few to tell"), (500, "within the budget")])
def test_the_verdict_is_about_the_whole_interval(budget: float, level: str) -> None:
    document, _ = made()
    judged = document.model_copy(update={"budget_per_hour": budget})
    assert level in pages.verdict(judged)["text"]
