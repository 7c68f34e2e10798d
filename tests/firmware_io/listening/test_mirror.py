"""`edgekws detect --board`: a board hears what this computer hears, or it is said."""

from __future__ import annotations

import json
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from edgekws.cli import app
from edgekws.detect import settings
from edgekws.emit.c import listening
from edgekws.errors import ConfigError, ParityError, TargetError
from edgekws.graph import io
from edgekws.graph.ir import Graph
from edgekws.types import Detection
from firmware_io import board as boards
from firmware_io.listening import mirror
from tests.firmware_io.firmware.lines import EMULATED, needs_for
from tests.streamable import valid_dscnn


@pytest.fixture(scope="module")
def graph() -> Graph:
    made = valid_dscnn(channels=4)
    return replace(made, features=replace(made.features, arithmetic="fixed", level="stream"))


@pytest.fixture(scope="module")
def model(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that hears words in noise."""
    folder = tmp_path_factory.mktemp("model")
    io.save(graph, folder / "graph.npz")
    words = graph.labels[2:]
    histogram = np.ones((len(words), 32), int).tolist()
    chosen = settings.Settings(words, (120,) * len(words), 2, 3, {"histogram": histogram})
    settings.save(chosen, folder / settings.FILE, io.digest(graph))
    return folder


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "noise.wav"
    rng = np.random.default_rng(0)
    loud = np.repeat(rng.integers(0, 2, 6) * 8000 + 20, 8000)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(np.clip(rng.normal(0, 1, len(loud)) * loud, -32768, 32767).astype("<i2").tobytes())
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["host", *EMULATED])
def test_detect_on_a_board(name: str, model: Path, recording: Path) -> None:
    needs_for(boards.load(name))
    here = CliRunner().invoke(app, ["detect", str(model), str(recording), "--on", "interp"])
    there = CliRunner().invoke(
        app, ["detect", str(model), str(recording), "--board", name, "--histogram", "--on", "interp"]
    )
    assert there.exit_code == 0, there.output
    events = [json.loads(line) for line in here.stdout.splitlines()]
    assert [json.loads(line) for line in there.stdout.splitlines()] == events != []
    assert f"board and this computer are equal: {len(events)} events" in there.stderr
    assert "too few steps" in there.stderr


def test_options_of_a_board_need_one(model: Path, recording: Path) -> None:
    result = CliRunner().invoke(app, ["detect", str(model), str(recording), "--histogram"])
    assert isinstance(result.exception, ConfigError) and "--board" in str(result.exception)


def test_what_only_one_heard_is_said() -> None:
    word = Detection("yes", 4800, 900)
    equal = mirror.Comparison(16_000, 50, 1, 7, 7, (), (), 0, 0, 0, 0.0)
    equal.require("x")
    assert equal.is_equal and len(equal.lines()) == 1
    for unequal in (
        replace(equal, board_crc32=8),
        replace(equal, only_board=(word,)),
        replace(equal, only_host=(word,)),
    ):
        assert not unequal.is_equal and "NOT equal" in unequal.lines()[0]
        with pytest.raises(ParityError, match="x should hear"):
            unequal.require("x")
    noisy = replace(equal, damaged=2, missing=1, repeated=3, late_s=1.5).lines()
    assert "damaged 2 frames" in noisy[1] and "1.5 s behind" in noisy[2]


def test_a_level_that_needs_the_whole_clip_cannot_listen(graph: Graph) -> None:
    words = settings.Settings(graph.labels[2:], (120,) * 10, 2, 3)
    for features in (replace(graph.features, level="clip"), replace(graph.features, arithmetic="float")):
        with pytest.raises(TargetError, match="fixed point whose level does not change"):
            listening.files(replace(graph, features=features), words)


def test_keywords_are_written_so_that_a_line_can_hold_them(graph: Graph) -> None:
    chosen = settings.Settings(("hey lamp", "a,b", "c]", "schön\\"), (1, 2, 3, 4), 1, 0)
    assert listening.keyword_names(chosen) == ("hey lamp", "a_b", "c_", "sch_n_")
