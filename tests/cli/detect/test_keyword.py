"""`edgekws keyword`: what it refuses, and a whole run in small."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgekws.cli.detect.keyword import keyword, per_hour
from edgekws.data.phrase import speaking
from edgekws.data.phrase.bank import Bank
from edgekws.detect import settings
from edgekws.errors import ConfigError, DataError
from edgekws.graph import golden, io
from edgekws.pipeline.keyword import sound, speech
from edgekws.pipeline.keyword.plan import RATE_HZ, Folder, KeywordPlan
from edgekws.report import phrase as report
from tests.inference.sounds import write

needs_espeak = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")


def test_a_phrase_has_letters(tmp_path: Path) -> None:
    for text in ("", " ?! ", "x" * 100):
        with pytest.raises(ConfigError, match="PHRASE should be one to four words"):
            keyword(text, tmp_path)


def test_fifty_recordings_are_the_most(tmp_path: Path) -> None:
    for number in range(51):
        write(tmp_path / "clips" / f"{number}.wav", 0.1, seed=number)
    with pytest.raises(ConfigError, match=r"at most 50 recordings.*Got: 51\. What to do: give some"):
        keyword("hey lamp", tmp_path / "out", recordings=tmp_path / "clips")


def test_a_folder_without_recordings(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(DataError, match=r"--recordings should be a folder of recordings.*none below"):
        keyword("hey lamp", tmp_path / "out", recordings=tmp_path)


def test_an_engine_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="apt-get install flite"):
        keyword("hey lamp", tmp_path / "out", engine=["flite"])
    with pytest.raises(ConfigError, match="did you mean espeak-ng"):
        keyword("hey lamp", tmp_path / "out", engine=["espeak"])
    assert not (tmp_path / "out").exists(), "nothing is claimed before"


@needs_espeak
def test_a_phrase_that_is_longer_than_the_window(tmp_path: Path) -> None:
    plan = KeywordPlan("extraordinarily complicated international characterization", engines=("espeak-ng",), spoken=8)
    with pytest.raises(ConfigError, match=r"at most 2 s.*Got: \d\.\d s.*shorter phrase"):
        speech.speak(plan, Folder(tmp_path), Bank((), ()), lambda *_: None)


def test_a_silent_recording_is_named(tmp_path: Path) -> None:
    _save(tmp_path / "a.wav", np.zeros(8000, np.int16))
    with pytest.raises(DataError, match=r"a\.wav should hold the phrase.*silence"):
        sound.phrases([tmp_path / "a.wav"])


def test_a_budget() -> None:
    assert [per_hour(text) for text in ("0.5/h", "2", "1 / hour")] == [0.5, 2, 1]
    for text in ("0", "often", "-1/h"):
        with pytest.raises(ConfigError, match=r"--budget should be false accepts per hour, such as 0\.5/h"):
            per_hour(text)


def test_background_is_split_by_file_the_same_each_time(tmp_path: Path) -> None:
    for number in range(30):
        write(tmp_path / f"{number}.wav", 0.5, seed=number)
    one, two = (sound.long_audio([tmp_path], "--background", 0, lambda *_: None) for _ in range(2))
    assert sum(bank.samples for bank in one.values()) == 30 * int(0.65 * RATE_HZ)
    assert one[sound.TRAINING].samples > one[sound.TEST].samples > 0
    for part, bank in one.items():
        assert bank.names == two[part].names and all(map(np.array_equal, bank.clips, two[part].clips))


def test_the_report_says_loudly_what_nobody_measured() -> None:
    document = {
        "plan": {"phrase": "hey lamp", "budget_per_hour": 0.5},
        "speech": {"said": {"flite": 20}, "refused": {"flite": {"clipped": 2}}, "near misses": 7},
        "recordings": {"trained": 0, "held_out": 0},
        "threshold": 700,
        "validation": _part(0.0),
        "test": _part(0.0),
        "phrases": None,
        "seconds": 60.0,
    }
    assert report.warnings(document) == [report.NO_RECORDING, report.NO_BACKGROUND]
    shown = dict(report.rows(document))
    assert (shown["synthesized"], shown["refused"]) == ("flite 18", "2 of flite (clipped)")
    assert report.NO_RECORDING in report.to_html(document)


def test_less_than_six_minutes_are_said_in_minutes() -> None:
    part = {**_part(0.0), "hours": 0.05, "synthetic_hours": 0.0}
    assert report.accepts(part) == "0.00 an hour (0.00 to 3.70): 0 in 3.0 min, of which 0.0 min are synthesized"
    assert "0 in 1.00 h, of which 1.00 h are" in report.accepts(_part(0.0))


def _part(real_hours: float) -> dict[str, object]:
    interval = {"low": 0.0, "high": 3.7}
    return {
        "events": 0,
        "hours": 1.0,
        "per_hour": 0.0,
        "interval": interval,
        "real": {"hours": real_hours},
        "synthetic_hours": 1.0 - real_hours,
    }


@needs_espeak
@pytest.mark.slow
def test_a_whole_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = speaking.engines(["espeak-ng"])[0]
    said = speaking.say(engine, speaking.utterances(engine, ["hey lamp"], 8, 5), RATE_HZ, lambda *_: None)
    for number, (clip, _) in enumerate(said):
        _save(tmp_path / ("test" if number > 4 else "mine") / f"{number}.wav", clip)
    folders = {"recordings": tmp_path / "mine", "test": tmp_path / "test"}
    out = tmp_path / "out"
    for _ in range(2):
        keyword("hey lamp", out, **folders, engine=["espeak-ng"], spoken=16, scenes=400, steps=60)
    document = json.loads((out / "keyword.json").read_text())
    assert document["recordings"] == {"trained": 5, "held_out": 3}
    assert document["phrases"]["n"] == 3
    graph = io.load(out / "graph.npz")
    chosen = settings.load(out / "detector.json", io.digest(graph))
    assert chosen.keywords == ("hey lamp",)
    graph.stream("interp").push(np.zeros((200, 10), np.int8))
    assert len(golden.read(out / "golden.npz")["ids"]) == 48
    assert "NO RECORDING" not in (out / "report.html").read_text()
    assert "next: edgekws detect" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="made with other spoken"):
        keyword("hey lamp", out, **folders, engine=["espeak-ng"], spoken=17, scenes=400, steps=60)


def _save(path: Path, samples: np.ndarray) -> None:
    import soundfile

    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, samples, RATE_HZ)
