"""`edgekws listen`, on a microphone that plays sound: no computer of the tests has one."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soxr

from edgekws.cli import console, signals
from edgekws.cli.detect import listen as command
from edgekws.cli.detect.detect import detect
from edgekws.cli.detect.listen import listen
from edgekws.data import microphone
from edgekws.data.streams import live
from edgekws.errors import ConfigError
from tests.detect import models

Capture = pytest.CaptureFixture[str]
Take = Callable[[np.ndarray, bool], None]
LOW = 0.1


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.folder(tmp_path_factory.mktemp("model"))


def plays(monkeypatch: pytest.MonkeyPatch, blocks: list[np.ndarray], rate_hz: int, lost_before: int = -1) -> None:
    """A microphone that gives these blocks and is then unplugged."""

    @contextmanager
    def given(_name: str | None, _block_s: float, take: Take, end: Callable[[], None]) -> Iterator[tuple[str, int]]:
        def play() -> None:
            for number, block in enumerate(blocks):
                take(block[:, None].astype(np.float32), number == lost_before)
            end()

        thread = threading.Thread(target=play)
        thread.start()
        yield "a microphone", rate_hz
        thread.join()

    monkeypatch.setattr(microphone, "given", given)


def blocks(samples: np.ndarray, size: int) -> list[np.ndarray]:
    return [samples[at : at + size] / 32_768 for at in range(0, len(samples), size)]


def rows(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def run(capsys: Capture, model: Path, **options: object) -> tuple[list[dict[str, object]], str]:
    listen(model, on="interp", threshold=LOW, **options)  # type: ignore[arg-type]
    captured = capsys.readouterr()
    return rows(captured.out), " ".join(captured.err.split())


def without_names(events: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{**each, "file": ""} for each in events]


def test_a_microphone_and_a_recording_have_the_events_of_detect(
    model: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = models.write(tmp_path / "a.wav", 3)
    detect(model, [str(path)], on="interp", threshold=LOW)
    expected = without_names(rows(capsys.readouterr().out))
    assert expected
    recorded, _ = run(capsys, model, wav=path, fast=True)
    assert without_names(recorded) == expected
    plays(monkeypatch, blocks(models.sound(3), 1_600), 16_000)
    heard, said = run(capsys, model)
    assert without_names(heard) == expected and heard[0]["file"] == "a microphone"
    assert "the microphone is gone" in said and "dropped" not in said


def test_another_rate_is_resampled_and_dropped_blocks_are_said(
    model: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = soxr.resample(models.sound(3) / 32_768, 16_000, 44_100) * 32_768
    plays(monkeypatch, blocks(sound, 4_410), 44_100, lost_before=7)
    monkeypatch.setattr(console.out, "_force_terminal", True)
    listen(model, on="interp", threshold=LOW)
    captured = capsys.readouterr()
    printed, said = " ".join(captured.out.split()), " ".join(captured.err.split())
    assert "resampled from 44,100 Hz" in printed and "a microphone: 0:03.0" in printed
    assert "next: edgekws export --format web" in printed or "next: edgekws export --format web" in said
    assert said.count("a block was dropped") == 1 and "1 dropped blocks" in said


@pytest.mark.parametrize("kind", [KeyboardInterrupt, signals.Stopped])
def test_ctrl_c_ends_with_a_summary_and_a_signal_still_ends_the_command(
    model: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: type[KeyboardInterrupt]
) -> None:
    def stopping(source: object, _speed: float) -> Iterator[np.ndarray]:
        yield from list(pieces(source, 0))[:5]
        raise kind

    pieces = command._pieces
    monkeypatch.setattr(command, "_pieces", stopping)
    monkeypatch.setattr(console.out, "_force_terminal", True)
    path = models.write(tmp_path / "a.wav", 3)
    if kind is signals.Stopped:
        with pytest.raises(signals.Stopped):
            listen(model, on="interp", threshold=LOW, wav=path)
    else:
        listen(model, on="interp", threshold=LOW, wav=path)
    assert "0:00.5, " in capsys.readouterr().out


def test_blocks_of_portaudio_come_with_their_losses_and_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """PortAudio's own names, on a stand-in for sounddevice."""

    class InputStream:
        def __init__(self, **given: object) -> None:
            assert given["samplerate"] == 44_100 and given["blocksize"] == 4_410 and given["device"] == 3
            self.callback: Callable[..., None] = given["callback"]  # type: ignore[assignment]
            self.finished: Callable[[], None] = given["finished_callback"]  # type: ignore[assignment]

        def __enter__(self) -> None:
            shared = np.zeros((4_410, 1), np.float32)  # PortAudio's memory, written again for each block
            for number in range(3):
                shared[:] = number / 10
                self.callback(shared, 4_410, None, SimpleNamespace(input_overflow=number == 1))
            self.finished()

        def __exit__(self, *_: object) -> None:
            return None

    about = {"name": "USB", "default_samplerate": 44_100.0}
    fake = SimpleNamespace(InputStream=InputStream, PortAudioError=OSError, query_devices=lambda *_: about)
    monkeypatch.setattr(microphone, "_sounddevice", lambda: fake)
    with live.opened("3", 16_000) as (source, capture):
        assert source.name == "USB" and source.changes == ("resampled from 44,100 Hz",)
        heard = np.concatenate(list(source))
    assert len(heard) == 4_800 and abs(int(heard[2_400]) - 3_277) < 5
    assert capture.dropped == 1 and source.faults == [live.GONE]

    def refused(*_: object) -> None:
        raise OSError("no input")

    fake.query_devices = refused
    with pytest.raises(ConfigError, match=r"microphone to listen to.*no input"), live.opened(None, 16_000):
        pass


def test_a_reader_that_is_too_slow_loses_blocks_and_not_the_order() -> None:
    capture = live.Capture()
    for number in range(live._KEPT_BLOCKS + 3):
        capture.take(np.full((1, 1), number, np.float32), False)
    capture.end()
    read = [int(block[0, 0]) for block in capture]
    assert read == list(range(live._KEPT_BLOCKS)) and capture.dropped == 3 and capture.faults == [live.GONE]


def test_options_that_do_not_belong_together(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--fast belongs to --wav"):
        listen(model, fast=True)
    with pytest.raises(ConfigError, match="stands for the microphone"):
        listen(model, wav=tmp_path / "a.wav", input_="1")
