"""The exported C project that listens: complete, strict, and equal to Python on sound of any format."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekws.detect.listener import Listener
from edgekws.detect.settings import Gate, Settings
from edgekws.graph.ir import Graph
from firmware_io import tools
from firmware_io.build import c_listener
from tests.detect.test_gate import bursts
from tests.streamable import valid_dscnn

SETTINGS = Settings(("word1", "word7"), (60, 80), 3, 10)
COMPILE = ("make", "-s", "CFLAGS=-O1", "listen")


def small_graph() -> Graph:
    graph = valid_dscnn(channels=8, blocks=1, rows=31)
    return replace(graph, features=replace(graph.front_end, arithmetic="fixed"))


def compiled(folder: Path, settings: Settings) -> Path:
    for name, content in c_listener.files(small_graph(), settings).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    subprocess.run(COMPILE, cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for program in ("make", "cc"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing: {tools.install_hint(program)}")
    return compiled(tmp_path_factory.mktemp("listen"), SETTINGS)


def wav(samples: np.ndarray, rate_hz: int = 16_000) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.astype("<i2").tobytes())
    return content.getvalue()


def heard(project: Path, sound: bytes, *options: str) -> list[dict[str, object]]:
    done = subprocess.run(["./listen", *options], cwd=project, input=sound, capture_output=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def expected(samples: np.ndarray) -> list[dict[str, object]]:
    events = Listener(small_graph(), SETTINGS, "interp").push(samples)
    return [{"time_samples": each.time_samples, "word": each.keyword, "score": each.score} for each in events]


def test_the_project_is_complete() -> None:
    """Every header that its sources name, and nothing of the firmware's folders."""
    files = c_listener.files(small_graph(), SETTINGS)
    named = {name for content in files.values() for name in re.findall(rb'^#include "(.+)"$', content, re.MULTILINE)}
    assert {name.decode() for name in named} <= files.keys()
    assert b"word1, word7" in files["README.md"] and b"$" not in files["README.md"].replace(b"$hash", b"")


@pytest.mark.slow
def test_the_golden_test_passes(project: Path) -> None:
    done = subprocess.run(["./listen", "--golden"], cwd=project, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "all scores and events are equal\n")
    golden = (project / "golden.h").read_text()
    assert int(golden.split("EKW_GOLDEN_EVENTS ")[1].split()[0]) > 1


@pytest.mark.slow
def test_samples_with_and_without_a_header_give_the_events_of_python(project: Path) -> None:
    samples = c_listener.noise(60_000)
    events = expected(samples)
    assert len(events) > 1
    assert heard(project, samples.astype("<i2").tobytes(), "--raw") == events
    assert heard(project, wav(samples)) == events


@pytest.mark.slow
def test_sound_of_another_rate_is_refused(project: Path) -> None:
    sound = wav(np.zeros(100, np.int16), 44_100)
    done = subprocess.run(["./listen"], cwd=project, input=sound, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (2, b"the sound should have one channel of 16 bits at 16000 Hz\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (b"", (), b"the input is empty"),
        (b"Dear reader, this is a letter.", (), b"should be a WAV file"),
        (b"", ("--raw",), b"should have samples"),
        (wav(np.zeros(0, np.int16)), (), b"should have samples"),
        (b"", ("--golde",), b"the options are"),
    ],
)
def test_what_is_no_sound_is_refused(project: Path, content: bytes, options: tuple[str, ...], words: bytes) -> None:
    done = subprocess.run(["./listen", *options], cwd=project, input=content, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, b"") and words in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("gate", [Gate(8, 5), Gate(3, 1), Gate(12, 9)])
def test_behind_a_gate_the_events_and_scores_are_those_of_python(project: Path, tmp_path: Path, gate: Gate) -> None:
    """project: skips where there is no compiler. The golden test compares the hash of all scores."""
    settings = replace(SETTINGS, gate=gate)
    folder = compiled(tmp_path, settings)
    subprocess.run(["./listen", "--golden"], cwd=folder, check=True)
    samples = bursts(20)
    listener = Listener(small_graph(), settings, "interp")
    events = [
        {"time_samples": each.time_samples, "word": each.keyword, "score": each.score}
        for each in listener.push(samples)
    ]
    assert events and events != expected(samples)
    assert heard(folder, samples.astype("<i2").tobytes(), "--raw") == events


@pytest.mark.slow
def test_it_compiles_for_the_cores(project: Path) -> None:
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip(f"arm-none-eabi-gcc is missing: {tools.install_hint('arm-none-eabi-gcc')}")
    subprocess.run(["make", "-s", "arm"], cwd=project, check=True)
