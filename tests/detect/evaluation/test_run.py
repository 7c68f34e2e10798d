"""From folders to figures: what is heard, what is chosen on validation, what is said about the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgekws.detect import settings
from edgekws.detect.detector import Detector
from edgekws.detect.evaluation import hearing, run
from edgekws.detect.listener import Scorer
from edgekws.errors import DataError
from tests.detect import models
from tests.detect.evaluation.test_scenes import recording

KEYWORDS = ("yes", "stop")
OPTIONS = run.Options(snrs_db=(None, 10.0), engine="interp")


def quiet(*_: object) -> None:
    return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """positives/WORD/, negatives/, noise/, rooms/."""
    root = tmp_path_factory.mktemp("part")
    for number in range(8):
        path = root / "positives" / KEYWORDS[number % 2] / f"s{number}_nohash_0.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, recording(0, number).samples, 16_000)
    for number in range(3):
        models.write(root / "negatives" / f"{number}.wav", 1.5, seed=number)
    models.write(root / "noise" / "hum.wav", 2)
    (root / "rooms").mkdir()
    soundfile.write(root / "rooms" / "hall.wav", 0.5 ** np.arange(400), 16_000)
    return root


@pytest.fixture(scope="module")
def part(folder: Path) -> run.Part:
    return run.hear(models.streamable(), KEYWORDS, run.inputs_below(folder), OPTIONS, quiet)


def test_a_folder_without_keywords_is_one_stream(folder: Path, part: run.Part) -> None:
    stream = part.background[0]
    scorer = Scorer(models.streamable(), KEYWORDS, "interp")
    joined = np.concatenate([soundfile.read(folder / "negatives" / f"{n}.wav", dtype="int16")[0] for n in range(3)])
    assert (stream.posteriors == scorer.push(joined)).all()
    assert stream.samples == len(joined)
    assert [Path(piece.name).name for piece in stream.pieces] == ["0.wav", "1.wav", "2.wav"]
    assert Path(stream.place(30_000)[0]).name == "1.wav"
    assert stream.read is not None
    assert (stream.read(30_000, 33_000) == joined[30_000:33_000]).all()


def test_every_word_is_in_a_scene_with_its_speaker(part: run.Part) -> None:
    words = [word for stream in part.scenes for word in stream.words]
    assert len(part.scenes) == 4
    assert {word.speaker for word in words} == {f"s{number}" for number in range(8)}
    assert {word.room for word in words} == {"", "hall"}


def test_thresholds_for_a_budget_come_with_how_they_were_chosen(part: run.Part) -> None:
    base = settings.Settings(KEYWORDS, (900, 900), 4, 10)
    chosen = run.chosen(part, base, 0.5, 500)
    assert chosen.how["validation_words"] == 8
    assert chosen.how["validation_false_accepts"] == 0
    detector = Detector(base)
    detector.push(part.background[0].posteriors)
    assert chosen.how["histogram"] == detector.histogram.tolist()
    document = run.document(
        models.streamable(), "small", "interp", chosen, (part, part.evaluate(chosen, 500)), None, 500
    )
    assert (document.detector.step_ms, document.budget_per_hour, document.test.words) == (40, 0.5, 8)


def test_long_recordings_with_labels_are_streams_with_words(tmp_path: Path) -> None:
    models.write(tmp_path / "long.wav", 4)
    (tmp_path / "long.txt").write_text("1.0\t1.5\tyes\n2.0\t2.5\tcough\n3.0\t3.5\tstop\n")
    part = run.hear(models.streamable(), KEYWORDS, run.Inputs(positives=(tmp_path,)), OPTIONS, quiet)
    assert [word[:3] for word in part.scenes[0].words] == [(0, 16_000, 24_000), (1, 48_000, 56_000)]
    assert [fault.endswith("left out: cough") for fault in part.faults] == [True]


def test_words_without_noise_are_heard_clean_and_it_is_said(folder: Path) -> None:
    part = run.hear(models.streamable(), KEYWORDS, run.Inputs(positives=(folder / "positives",)), OPTIONS, quiet)
    assert [stream.name for stream in part.scenes] == ["clean"]
    assert ["no recordings of noise" in fault for fault in part.faults] == [True]


def test_folders_without_what_they_should_hold_are_refused(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    with pytest.raises(DataError, match=r"recordings of yes, stop\. Got: folders cat"):
        hearing.spoken(tmp_path, KEYWORDS, 16_000, [])
    with pytest.raises(DataError, match=r"no positives/ and no negatives/"):
        run.inputs_below(tmp_path)
    with pytest.raises(DataError, match="a recording, or a folder of them"):
        hearing.recordings(tmp_path / "gone")


def test_speakers_are_known_from_names_of_speech_commands() -> None:
    assert hearing.speaker_of(Path("yes/0a1b_nohash_2.wav")) == "0a1b"
    assert hearing.speaker_of(Path("yes/clip.wav")) == ""


def test_a_gate_is_told_and_kept(folder: Path) -> None:
    gated = replace(OPTIONS, gate=settings.Gate(8, 10))
    part = run.hear(models.streamable(), KEYWORDS, run.Inputs(positives=(folder / "positives",)), gated, quiet)
    assert any("the network rested in" in fault for fault in part.faults)
