"""`edgekws export`: all formats or some, C that stands alone, and boards whose memory is too small."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from edgekws.cli.boards import flash as boards_cli
from edgekws.cli.line import export
from edgekws.data.dataset import Dataset
from edgekws.errors import BoardError, ConfigError, TargetError
from edgekws.files import read_json
from edgekws.graph import io
from firmware_io import board, build
from tests.conftest import random_graph
from tests.graphs import random_dag


@pytest.fixture
def out(tmp_path: Path, prepared: Dataset) -> Path:
    io.save(replace(random_graph(), labels=prepared.labels), tmp_path / "out" / "graph.npz")
    return tmp_path / "out"


def manifest(out: Path) -> dict[str, str]:
    files: dict[str, str] = read_json(out / "export" / "manifest.json", "edgekws-manifest", 1)["files"]
    return files


def artifacts(out: Path) -> set[str]:
    results = json.loads((out / "export" / "parity.json").read_text())["results"]
    return {row["artifact"] for row in results}


def test_one_format_is_written_alone_and_leaves_the_others(
    out: Path, prepared: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    export.run(prepared.folder, out, ["c"])
    assert {name.split("/")[0] for name in manifest(out)} == {"c"} and artifacts(out) == {"c"}
    assert "c: arena" in capsys.readouterr().out
    subprocess.run(["make", "test"], cwd=out / "export" / "c", check=True, capture_output=True)
    export.run(prepared.folder, out, ["onnx-qdq"])
    assert {"model.qdq.onnx", "c/model.c", "c/kernels/kernels.h", "c/README.md"} <= set(manifest(out))
    assert artifacts(out) == {"c", "onnx_qdq"}
    assert all((out / "export" / name).exists() for name in manifest(out))


def test_a_format_that_was_asked_for_and_cannot_express_the_graph_is_an_error(out: Path, prepared: Dataset) -> None:
    io.save(replace(random_dag(3, "int8", (8, 4)), labels=prepared.labels), out / "graph.npz")
    with pytest.raises(TargetError, match=r"fixed-point.*onnx-integer"):
        export.run(prepared.folder, out, ["onnx-tinpu", "onnx-integer"])
    assert artifacts(out) == {"onnx_integer"} and set(manifest(out)) == {"model.integer.onnx"}


def test_files_of_another_graph_do_not_stay(out: Path, prepared: Dataset) -> None:
    export.run(prepared.folder, out, ["onnx-qdq"])
    io.save(replace(random_graph(seed=9), labels=prepared.labels), out / "graph.npz")
    export.run(prepared.folder, out, ["c"])
    assert {name.split("/")[0] for name in manifest(out)} == {"c"} and artifacts(out) == {"c"}
    assert not (out / "export" / "model.qdq.onnx").exists()


def test_the_plan_with_the_least_memory(out: Path, prepared: Dataset) -> None:
    export.run(prepared.folder, out, ["c"])
    usual = (out / "export" / "c" / "model.h").read_bytes()
    export.run(prepared.folder, out, ["c"], min_ram=True)
    assert (out / "export" / "c" / "model.h").read_bytes() != usual
    assert "least scratch" in (out / "export" / "c" / "README.md").read_text()


def test_without_a_compiler_c_is_written_but_not_run(
    out: Path, prepared: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(out))
    export.run(prepared.folder, out, ["c"])
    assert "written but not run" in capsys.readouterr().out
    assert (out / "export" / "c" / "main.c").exists()


def test_formats_that_do_not_exist_are_refused(out: Path, prepared: Dataset) -> None:
    with pytest.raises(ConfigError, match=r"--format tfl is not known; did you mean tflite.*onnx-qdq"):
        export.run(prepared.folder, out, ["tfl"])
    with pytest.raises(ConfigError, match="not both"):
        export.export(prepared.folder, out, formats=["c"], tool="ti-nnc")


def test_a_board_that_is_too_small_is_refused_before_anything_is_compiled(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = replace(board.load("host"), ram_bytes=1_000)
    monkeypatch.setattr(board, "load", lambda _: small)
    monkeypatch.setattr(build, "build", pytest.fail)
    with pytest.raises(BoardError, match=r"B where there are 1,000.*What to do"):
        boards_cli.load("host", out, dry_run=False)
    monkeypatch.setattr(board, "load", lambda _: replace(small, ram_bytes=0))
    boards_cli.load("host", out, dry_run=True, min_ram=True)
    assert "arena" in capsys.readouterr().out
