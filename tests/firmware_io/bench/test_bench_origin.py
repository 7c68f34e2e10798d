"""`edgekws bench` with clips of a data set: the origin of the graph in the report, with and without it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from edgekws.cli.boards import measure
from edgekws.cli.boards.measure import Options
from edgekws.data.dataset import Dataset
from edgekws.emit.c import emit
from edgekws.errors import ArtifactError, DataError
from edgekws.files import sha256_file, write_json
from edgekws.graph import io
from edgekws.graph.ir import Graph
from firmware_io import board as boards
from firmware_io import build
from tests.firmware_io.devices.fake_device import FakeDevice, on_pty

BOARD, CLIPS = "qemu-an386", 3
SCORES = {key: {"accuracy": 0.75, "n": 8, "interval": [0.4, 0.9]} for key in ("float", "graph")}
pytestmark = pytest.mark.skipif(
    shutil.which(boards.load(BOARD).compiler) is None, reason="the firmware's compiler is not installed"
)


@pytest.fixture
def of_words(graph: Graph, prepared: Dataset) -> Graph:
    return replace(graph, labels=prepared.labels)


@pytest.fixture
def options(of_words: Graph, prepared: Dataset, tmp_path: Path) -> Options:
    """A folder that holds only a graph, as those of released models do."""
    io.save(of_words, tmp_path / "graph.npz")
    return Options(board=BOARD, data=prepared.folder, out=tmp_path, clips=CLIPS, modes=("accuracy",))


def report_of(options: Options, graph: Graph, runs: build.Firmware | None = None) -> dict[str, object]:
    with on_pty(FakeDevice(graph, check=True, runs=runs)) as port:
        measure.measure(replace(options, port=f"serial:{port}"))
    document: dict[str, object] = json.loads((options.folder / "latest" / "report.json").read_text())
    return document


def quantized(options: Options, graph: Graph) -> None:
    head = {"kind": "edgekws-quantize", "version": 1, "graph": io.digest(graph), "recipe": {"name": "mine"}}
    write_json(options.out / "quantize.json", {**head, "scores": {"test": SCORES}})


def names(report: dict[str, object]) -> str:
    return " ".join(figure["name"] for figure in report["figures"])  # type: ignore[attr-defined]


def test_a_graph_alone_is_enough(options: Options, of_words: Graph) -> None:
    document = report_of(options, of_words)
    assert document["accuracy"]["n"] == CLIPS and "float network" not in names(document)  # type: ignore[index]
    assert "quantize.json of this graph is missing" in document["manifests"]["graph"]["notes"][0]  # type: ignore[index]


def test_a_report_says_when_and_with_which_compiler(options: Options, of_words: Graph) -> None:
    same = build.build(boards.load(BOARD), emit(of_words), options.out / "same.elf")
    document: dict[str, Any] = report_of(options, of_words, same)
    built, page = document["manifests"]["firmware"], (options.folder / "latest" / "report.md").read_text()
    assert built["inputs"]["firmware"] == sha256_file(options.folder / "latest" / "firmware.elf")
    assert "gcc" in built["versions"]["compiler"] and "-mcpu=cortex-m4" in built["recipe"]["flags"]
    assert datetime.fromisoformat(document["created"]).tzinfo and f"Written {document['created']}." in page
    assert "Device: fake, " in page and "retries" in page and "gcc" in page


def test_figures_of_quantize_are_in_the_report(options: Options, of_words: Graph) -> None:
    quantized(options, of_words)
    document = report_of(options, of_words)
    assert "top-1 accuracy of the float network" in names(document)
    assert document["manifests"]["graph"]["recipe"] == {"name": "mine"}  # type: ignore[index]


def test_figures_of_another_graph_are_not_in_the_report(options: Options, graph: Graph, of_words: Graph) -> None:
    quantized(options, graph)
    assert "float network" not in names(report_of(options, of_words))


def test_a_damaged_file_is_found_before_the_board_is_used(options: Options) -> None:
    (options.out / "quantize.json").write_text("{")
    with pytest.raises(ArtifactError, match=r"quantize\.json"):
        measure.measure(replace(options, port="serial:/nowhere"))


def test_clips_with_other_labels_are_refused(options: Options, graph: Graph) -> None:
    io.save(graph, options.out / "graph.npz")
    with pytest.raises(DataError, match=r"the labels of the model: word0, word1.*--data"):
        measure.measure(replace(options, port="serial:/nowhere"))
