"""`edgekws bench --mode sww01`: what it needs, and a short recording on a board."""

from __future__ import annotations

import json
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks._front_end import speech_like
from edgekws.cli.boards import measure
from edgekws.errors import ConfigError
from edgekws.features.presets import SWW01_FIXED_POINT
from edgekws.graph import io
from edgekws.graph.ir import INPUT, Graph, Node, Requant
from firmware_io import board as boards
from tests.firmware_io.firmware.lines import needs_for


def model(folder: Path) -> Graph:
    """One matrix over the 30 x 40 inputs: random weights."""
    rng = np.random.default_rng(1)
    requant = Requant(np.zeros(3, np.int32), np.full(3, 3, np.uint8), np.full(3, 9, np.uint8), -128, 127)
    weight = rng.integers(-20, 21, (3, 1200)).astype(np.int8)
    node = Node("fc", "linear", (INPUT,), requant, (30, 40, 1), (1, 1, 3), weight)
    graph = Graph((node,), ("marvin", "silence", "other"), SWW01_FIXED_POINT, "tinpu")
    io.save(graph, folder / "graph.npz")
    return graph


def recording(folder: Path) -> tuple[Path, Path]:
    path, words = folder / "a.wav", folder / "a.json"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(speech_like(32_000).tobytes())
    words.write_text("[[0.5, 1.2]]")
    return path, words


@pytest.mark.slow
def test_a_recording_is_scored(tmp_path: Path) -> None:
    needs_for(boards.load("host"))
    model(tmp_path)
    audio, labels = recording(tmp_path)
    measure.measure(measure.Options(board="host", out=tmp_path, modes=("sww01",), audio=audio, labels=labels))
    (found,) = tmp_path.glob("bench/host/*-sww01/bench.json")
    document = json.loads(found.read_text())
    values = {figure["name"]: figure["value"] for figure in document["measurements"]}
    assert document["valid"] and values["true positives"] + values["false negatives"] == 1
    assert "time per hop, whole" in values


def test_it_needs_a_recording_and_only_this_mode_takes_one(tmp_path: Path) -> None:
    model(tmp_path)
    audio, labels = recording(tmp_path)
    with pytest.raises(ConfigError, match="belong to --mode sww01"):
        measure.measure(measure.Options(board="host", out=tmp_path, modes=("stream",), audio=audio, labels=labels))


def test_other_models_are_refused(tmp_path: Path) -> None:
    from types import SimpleNamespace

    from firmware_io.bench.modes import Plan, sww01

    graph = model(tmp_path)
    audio, labels = recording(tmp_path)
    other = replace(graph, features=replace(SWW01_FIXED_POINT, definition="mfcc"))
    plan = Plan(("sww01",), audio=audio, labels=labels)
    with pytest.raises(ConfigError, match="a model of that benchmark"):
        sww01.Runner(SimpleNamespace(graph=other, plan=plan, board=None)).measure()  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="needs --audio"):
        sww01.Runner(SimpleNamespace(graph=graph, plan=Plan(("sww01",)), board=None)).measure()  # type: ignore[arg-type]
