"""`edgekws detect`: events as JSON lines or a table, whatever the sound comes in, and what is wrong said once."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edgekws.cli.detect import subject
from edgekws.cli.detect.detect import detect
from edgekws.detect import settings
from edgekws.errors import ArtifactError, ConfigError, DataError, TargetError
from edgekws.graph import io as graphs
from tests.detect import models

LOW = 0.1
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.folder(tmp_path_factory.mktemp("model"))


def events(out: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.splitlines()]


def run(
    capsys: Capture, model: Path, *recordings: str | Path, **options: object
) -> tuple[list[dict[str, object]], str]:
    detect(model, [str(each) for each in recordings], on="interp", threshold=LOW, **options)  # type: ignore[arg-type]
    captured = capsys.readouterr()
    return events(captured.out), captured.err


def test_events_are_json_lines_with_their_times(model: Path, tmp_path: Path, capsys: Capture) -> None:
    rows, _ = run(capsys, model, models.write(tmp_path / "a.wav", 3))
    assert rows
    assert list(rows[0]) == ["file", "time_s", "keyword", "time_samples", "score", "model_sha256"]
    assert all(row["time_samples"] == round(float(str(row["time_s"])) * 16_000) for row in rows)
    assert all(int(str(row["score"])) >= 100 for row in rows)


def test_a_pipe_has_the_events_of_the_file(
    model: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = models.write(tmp_path / "a.wav", 3)
    rows, _ = run(capsys, model, path)
    raw = models.sound(3).tobytes()
    for content, options in ((path.read_bytes(), {}), (raw, {"raw": 16_000})):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
        piped, _ = run(capsys, model, "-", **options)
        assert [{**row, "file": str(path)} for row in piped] == rows


def test_a_folder_leaves_out_what_is_no_recording_and_says_faults_once(
    model: Path, tmp_path: Path, capsys: Capture
) -> None:
    models.write(tmp_path / "a.wav", 1)
    (tmp_path / "b.wav").write_bytes(models.write(tmp_path / "c.flac", 2).read_bytes()[:30])
    (tmp_path / "cut.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:20_000])
    _, said = run(capsys, model, tmp_path)
    assert "1 of 4 files were left out" in said and "b.wav" in said
    assert said.count("cut.wav: cut off") == 1


@pytest.mark.parametrize(
    ("peak", "words"), [(0, "a.wav: silence: all of its samples are 0"), (400, "a.wav: very quiet: .* at -38 dB")]
)
def test_very_quiet_sound_is_said_once(model: Path, tmp_path: Path, capsys: Capture, peak: int, words: str) -> None:
    import soundfile

    samples = np.full(40_000, peak, np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 16_000)
    soundfile.write(tmp_path / "b.wav", samples + np.int16(1000), 16_000)
    _, said = run(capsys, model, tmp_path)
    assert len(re.findall(words, " ".join(said.split()))) == 1
    assert "b.wav" not in said


def test_nothing_that_can_be_read_is_an_error(model: Path, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"")
    with pytest.raises(DataError, match="an empty file"):
        detect(model, [str(tmp_path / "a.wav")], threshold=LOW)


def test_the_detector_beside_the_model_is_used(tmp_path: Path, capsys: Capture) -> None:
    model, sound = models.folder(tmp_path / "model"), models.write(tmp_path / "a.wav", 2)
    digest = graphs.digest(models.streamable())
    detect(model, [str(sound)], on="interp")
    assert "there is no detector.json beside small" in capsys.readouterr().err
    settings.save(settings.Settings(("stop",), (50,), 2, 5), model / settings.FILE, digest)
    detect(model, [str(sound)], on="interp")
    captured = capsys.readouterr()
    assert "detector.json" not in captured.err
    assert {row["keyword"] for row in events(captured.out)} == {"stop"}
    settings.save(settings.Settings(("stop",), (50,), 2, 5), model / settings.FILE, "0" * 64)
    with pytest.raises(ArtifactError, match="should belong to the graph"):
        detect(model, [str(sound)])


def test_timelines_are_files_that_stand_alone(model: Path, tmp_path: Path, capsys: Capture) -> None:
    sound = models.write(tmp_path / "a <b>.wav", 2)
    for name, begin in (("t.svg", "<?xml"), ("t.html", "<!doctype html>")):
        run(capsys, model, sound, timeline=tmp_path / name)
        text = (tmp_path / name).read_text()
        assert text.startswith(begin) and "a &lt;b&gt;.wav" in text and "stop" in text
    with pytest.raises(ConfigError, match=r"--timeline should be a \.svg or \.html"):
        detect(model, [str(sound)], timeline=tmp_path / "t.pdf")


def test_a_model_that_cannot_stream_names_its_layer(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="conv1: a stream needs layers that look back only"):
        detect(Path("dscnn"), [str(models.write(tmp_path / "a.wav", 1))])


def test_another_threshold_keeps_the_histogram_of_the_validation() -> None:
    """It counts posteriors, so that a board with other thresholds can still be compared with it."""
    read, graph = subject.graph_of(Path("dscnn_stream"))
    own, other = subject.settings_of(read, graph), subject.settings_of(read, graph, 0.5)
    assert other.how == {"by": "--threshold", "histogram": own.how["histogram"]}
    assert set(other.thresholds_permille) == {500}
