"""`edgekws detect-eval`: from folders to a report and thresholds, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import soundfile

from edgekws.cli.detect import evaluate
from edgekws.cli.detect.evaluate import detect_eval, rate, ratios
from edgekws.detect import settings
from edgekws.detect.evaluation.document import Document
from edgekws.errors import ConfigError
from edgekws.graph import io as graphs
from tests.detect import models
from tests.detect.evaluation.test_scenes import recording


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("part")
    for number in range(4):
        path = root / "positives" / "stop" / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, recording(0, number).samples, 16_000)
    models.write(root / "negatives" / "talk.wav", 2)
    return root


def test_thresholds_are_chosen_on_validation_and_judged_on_the_test(
    part: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = models.folder(tmp_path / "model")
    test = shutil.copytree(part, tmp_path / "test")
    detect_eval(model, [test / "positives"], [test / "negatives"], validation=part, on="interp")
    captured = capsys.readouterr()
    folder = model / "detect-eval"
    document = Document.model_validate_json((folder / evaluate.REPORT).read_text())
    assert (document.kind, document.test.words, document.budget_per_hour) == ("edgekws-detection", 4, 0.5)
    assert document.validation is not None
    assert document.detector.thresholds_from == "edgekws detect-eval"
    digest = graphs.digest(models.streamable())
    assert settings.load(folder / settings.FILE, digest).how["budget_per_hour"] == 0.5
    assert (folder / evaluate.PAGE).read_text().startswith("<!doctype html>")
    assert "validation, where the thresholds were chosen (optimistic)" in captured.out
    assert f"--detector {folder / settings.FILE}" in captured.out
    assert captured.err.count("no recordings of noise") == 2
    unheard = [each.keyword for each in document.validation.keywords if each.keyword != "stop"]
    assert (f"no recording of {', '.join(unheard)} in" in captured.err) == bool(unheard)


def test_without_validation_the_detector_of_the_model_is_judged(
    part: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = models.folder(tmp_path / "model")
    settings.save(settings.Settings(("stop",), (400,), 3, 9), model / settings.FILE, graphs.digest(models.streamable()))
    out = tmp_path / "out"
    detect_eval(model, [part / "positives"], [part / "negatives"], on="interp", out=out, snr="clean")
    document = json.loads((out / evaluate.REPORT).read_text())
    assert (document["detector"]["smoothing_steps"], document["validation"]) == (3, None)
    assert [each["threshold"] for each in document["test"]["keywords"]] == [400]
    assert "no --validation" in capsys.readouterr().err


def test_rates_and_ratios_are_read_as_people_write_them() -> None:
    assert (rate("0.5"), rate("2/h"), rate("12 / day")) == (0.5, 2.0, 0.5)
    assert ratios("clean, 20,-5") == (None, 20.0, -5.0)
    for wrong in ("x", "1/week", "-1"):
        with pytest.raises(ConfigError, match="--budget"):
            rate(wrong)
    with pytest.raises(ConfigError, match="--snr"):
        ratios("loud")
