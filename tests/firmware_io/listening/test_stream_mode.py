"""`edgekws bench --mode stream`: the cost of listening, by stage."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgekws.cli.boards import measure
from edgekws.detect import settings
from edgekws.errors import ConfigError
from edgekws.graph import io
from edgekws.graph.ir import Graph
from firmware_io import board as boards
from firmware_io.bench.modes import stream
from firmware_io.listening.board import Stage
from tests.firmware_io.firmware.lines import needs_for
from tests.streamable import valid_dscnn


@pytest.fixture(scope="module")
def graph() -> Graph:
    made = valid_dscnn(channels=4)
    return replace(made, features=replace(made.features, arithmetic="fixed", level="stream"))


@pytest.mark.slow
def test_a_run_has_the_stages_and_is_valid(graph: Graph, tmp_path: Path) -> None:
    needs_for(boards.load("host"))
    io.save(graph, tmp_path / "graph.npz")
    measure.measure(measure.Options(board="host", out=tmp_path, modes=("stream",)))
    (found,) = tmp_path.glob("bench/host/*-stream/bench.json")
    document = json.loads(found.read_text())
    assert document["valid"] and document["warnings"] == []
    names = [figure["name"] for figure in document["measurements"]]
    parts = ["front end", "network", "detector", "whole"]
    assert names[: len(parts)] == [f"time per hop, {part}" for part in parts]


@pytest.mark.slow
def test_behind_a_gate_the_scores_are_those_of_this_computer_and_the_share_is_told(
    graph: Graph, tmp_path: Path
) -> None:
    needs_for(boards.load("host"))
    io.save(graph, tmp_path / "graph.npz")
    gated = settings.Settings(("word1", "word7"), (600, 600), 4, 20, gate=settings.Gate(8, 10))
    settings.save(gated, tmp_path / settings.FILE, io.digest(graph))
    measure.measure(measure.Options(board="host", out=tmp_path, modes=("stream",)))
    (found,) = tmp_path.glob("bench/host/*-stream/bench.json")
    document = json.loads(found.read_text())
    assert document["valid"] and document["warnings"] == []
    shares = [each["value"] for each in document["measurements"] if "rested" in each["name"]]
    assert len(shares) == 1 and 0 < shares[0] < 100


def measured(graph: Graph, board: str) -> dict[str, tuple[float, str]]:
    """Of a device on whose clock each of 100 hops takes 64 us in the front end, and half as long in the network."""
    setup = SimpleNamespace(graph=graph, board=boards.load(board))
    runner = stream.Runner(setup)  # type: ignore[arg-type]
    runner._hops = 100
    runner._stages = (Stage("front end", 100, 6.4e-3), Stage("network", 100, 3.2e-3), Stage("detector", 50, 0.0))
    section = runner.section()
    assert section is not None
    rows = {name: (value, unit) for name, value, unit, n in section.rows if n == 100}
    return rows | {each.name: (each.value, each.unit) for each in section.estimates}


def test_instructions_and_estimates_of_an_emulated_board(graph: Graph) -> None:
    figures = measured(graph, "qemu-an386")  # an instruction is 64 ns
    assert figures["instructions per hop, front end"] == (1000, "instructions")
    assert figures["instructions per hop, whole"] == (1500, "instructions")
    share = figures["share of the time, STM32L4R5 at 120 MHz"]
    assert 1500 * 50 / 120e6 * 100 < share[0] < 3 * 1500 * 50 / 120e6 * 100 and share[1] == "%"
    assert figures["energy per second of sound, STM32L4R5 at 120 MHz and 3 V"][1] == "uJ"


def test_times_of_a_physical_board(graph: Graph) -> None:
    figures = measured(graph, "nucleo-l4r5zi")
    assert figures["time per hop, whole"] == (pytest.approx(96), "us")
    assert figures["share of the time"] == (pytest.approx(0.48), "%")


@pytest.mark.parametrize(
    "options",
    [{"modes": ("stream", "accuracy")}, {"modes": ("stream",), "clips": 5}, {"modes": ("stream",), "min_ram": True}],
)
def test_stream_mode_has_a_firmware_of_its_own(options: dict[str, object], graph: Graph, tmp_path: Path) -> None:
    io.save(graph, tmp_path / "graph.npz")
    with pytest.raises(ConfigError, match="stream mode should be the only one"):
        measure.measure(measure.Options(board="host", out=tmp_path, **options))  # type: ignore[arg-type]
