"""What is known of a model, from its file and from what the line wrote beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import edgekws
from edgekws import models
from edgekws.cli.line.info import info
from edgekws.files import sha256, write_bytes, write_json
from edgekws.graph import io
from edgekws.inference import about, model
from edgekws.models import memory
from edgekws.recipe import Recipe
from tests.conftest import random_graph
from tests.streamable import valid_dscnn

RELEASED = models.folder("dscnn")


def test_a_graph_with_all_that_lies_beside_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph, folder = random_graph(), tmp_path / "m"
    digest, files = io.digest(graph), edgekws.export(graph, "onnx-qdq")
    io.save(graph, folder / models.GRAPH)
    memory.remember(folder, tmp_path / "data", "my words", "ab" * 32, graph.labels, {})
    row = {"accuracy": 0.9, "n": 120, "interval": [0.83, 0.94]}
    scores = {"test": {"float": row, "graph": row}}
    quantized = {"kind": "edgekws-quantize", "version": 1, "graph": digest, "recipe": Recipe().to_json()}
    write_json(folder / "quantize.json", {**quantized, "scores": scores})
    write_bytes(folder / "export" / "model.qdq.onnx", files["model.qdq.onnx"])
    hashes = {"model.qdq.onnx": sha256(files["model.qdq.onnx"]), "model.tflite": "00" * 32}
    manifest = {"kind": "edgekws-manifest", "version": 1, "graph": digest, "files": hashes}
    write_json(folder / "export" / "manifest.json", manifest)

    document = about.describe(model.read(folder))
    assert [layer["name"] for layer in document["layers"]] == [node.name for node in graph.nodes]
    assert document["totals"] == {"macs": graph.macs, "parameter_bytes": graph.parameter_bytes}
    assert document["data"]["name"] == "my words" and document["scores"] == scores
    assert document["streaming"] == {"streams": False, "layers": [node.name for node in graph.nodes if node.pad[1]]}
    assert [(row["file"], row["state"]) for row in document["exports"]] == [
        ("export/model.qdq.onnx", "unchanged"),
        ("export/model.tflite", "missing"),
    ]
    write_bytes(folder / "export" / "model.qdq.onnx", files["model.qdq.onnx"] + b"x")
    assert about.describe(model.read(folder))["exports"][0]["state"] == "changed"
    info(folder)
    captured = capsys.readouterr()
    assert "my words (abababababab)" in captured.out and "float 90.00 %, graph 90.00 % of 120 clips" in captured.out
    assert "no: conv1, dw1 look ahead past the end of a clip" in captured.out
    assert f"next: edgekws check {folder}" in captured.out and "no _silence_" in captured.err


def test_results_of_another_graph_are_not_its_own(tmp_path: Path) -> None:
    io.save(random_graph(), tmp_path / models.GRAPH)
    quantized = {"kind": "edgekws-quantize", "version": 1, "graph": "00" * 32, "recipe": {}, "scores": {"test": {}}}
    write_json(tmp_path / "quantize.json", quantized)
    document = about.describe(model.read(tmp_path))
    assert document["scores"] == document["recipe"] == {} and document["exports"] == []


@pytest.mark.parametrize("name", ["model.tflite", "model.qdq.onnx", "float.safetensors"])
def test_exported_files_and_checkpoints(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info(RELEASED / name, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["labels"][-1] == "_unknown_" and document["front_end"]["shape"] == [49, 10]
    assert document["layers"] and document["model"]["bytes"] == (RELEASED / name).stat().st_size
    alone = tmp_path / name
    alone.write_bytes((RELEASED / name).read_bytes())
    info(alone)
    shown = capsys.readouterr().out
    assert "conv1" in shown or "1.weight" in shown
    assert "next:" not in shown  # there is no graph to check beside it


def test_a_graph_that_streams_says_what_a_step_costs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    io.save(valid_dscnn(), tmp_path / models.GRAPH)
    streaming = about.describe(model.read(tmp_path))["streaming"]
    assert (streaming["streams"], streaming["step_ms"], streaming["macs"]) == (True, 40, 107_008)
    info(tmp_path)
    shown = capsys.readouterr().out
    assert "every 40 ms 107,008 multiplications, 7,396 bytes of state" in shown
    assert "samples divided by 8,192\n" in shown
