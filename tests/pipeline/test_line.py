"""The whole pipeline as a user runs it: recordings -> training -> integers -> artifacts -> emulated board -> report."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

RECIPE = """
name = "tiny"
[net]
name = "dscnn"
options = { channels = 32, blocks = 2, dropout = 0.0 }
[train]
epochs = 25
batch = 64
[quant]
method = "qat"
epochs = 2
calibration_clips = 128
"""
CLIPS = 300


def edgekws(*arguments, cwd, code=0, **environment):
    """Run the installed command; return what it printed."""
    command = [str(Path(sys.executable).with_name("edgekws")), *map(str, arguments)]
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == code, f"{command}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def line(recordings, tmp_path_factory):
    """A folder in which the pipeline was run up to the exports."""
    folder = tmp_path_factory.mktemp("line")
    (folder / "recipe.toml").write_text(RECIPE)
    edgekws("data", "prepare", "--root", recordings, "--out", "data", cwd=folder)
    trained = edgekws("train", "--recipe", "recipe.toml", "--data", "data", "--out", "out", cwd=folder)
    quantized = edgekws(*next_of(trained), cwd=folder)
    edgekws(*next_of(quantized), cwd=folder)
    return folder


def next_of(printed):
    """The arguments of the command that was printed last as the next one."""
    program, *arguments = shlex.split(re.findall(r"^next: (.*)$", printed, re.MULTILINE)[-1])
    assert Path(program).name == "edgekws"
    return arguments


def test_training_learns_and_the_graph_equals_the_torch_forward_pass(line):
    scores = json.loads((line / "out" / "quantize.json").read_text())["scores"]
    for split in scores.values():
        assert split["differing_integers"] == 0 and split["integers"] > 1_000
        assert split["float"]["accuracy"] > 0.35  # chance is 0.09
        assert split["graph"]["accuracy"] > split["float"]["accuracy"] - 0.05
    assert (line / "out" / "float" / "curves.svg").read_text().startswith("<?xml")


def test_every_artifact_equals_the_interpreter(line):
    results = json.loads((line / "out" / "export" / "parity.json").read_text())["results"]
    runtimes = {(row["artifact"], row["runtime"]): row["differences"] for row in results}
    assert {artifact for artifact, _ in runtimes} == {"onnx_tinpu", "onnx_qdq", "tflite", "c"}
    assert set(runtimes.values()) == {0}


def test_the_manifest_names_every_file_and_its_hash(line):
    import hashlib

    manifest = json.loads((line / "out" / "export" / "manifest.json").read_text())
    assert len(manifest["files"]) >= 5 and manifest["provenance"]["dataset"]
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((line / "out" / "export" / name).read_bytes()).hexdigest() == digest


def test_the_emulated_board_equals_the_interpreter(line):
    flashed = edgekws("flash", "--board", "qemu-an386", "--out", "out", cwd=line)
    assert re.search(r"qemu-an386: edgekws-qemu-an386 answers", flashed)
    assert next_of(flashed) == ["bench", "--board", "qemu-an386", "--out", "out"]
    benched = edgekws(*next_of(flashed), "--clips", CLIPS, cwd=line)
    assert re.search(r"next: \S*edgekws evaluate out data", benched) and next_of(benched)[0] == "verify"
    edgekws(*next_of(benched), cwd=line)
    folder = line / "out" / "bench" / "qemu-an386" / "latest"
    report = json.loads((folder / "report.json").read_text())
    assert report["verdict"]["valid"]
    accuracy = report["accuracy"]
    assert accuracy["matches"] == accuracy["text_matches"] == accuracy["n"] >= min(CLIPS, 200)
    boards_figures = [row for row in report["figures"] if row["board"] == "qemu-an386"]
    assert len(boards_figures) >= 5 and {row["how"] for row in boards_figures} == {"emulated", "estimated"}
    assert report["performance"]["instructions"] > 1e5
    assert len(report["parity"]) >= 8 and len(report["layers"]) == 7
    page = (folder / "report.html").read_text()
    assert f"{accuracy['matches']} of {accuracy['n']}" in page and "<svg" in page
    assert "emulated" in (folder / "report.md").read_text()


def test_dry_run_changes_nothing(line):
    printed = edgekws("flash", "--board", "qemu-an547", "--out", "out", "--dry-run", cwd=line)
    assert "arm-none-eabi-gcc" in printed and "qemu-system-arm" in printed
    assert not (line / "out" / "firmware" / "qemu-an547.elf").exists()


@pytest.mark.slow
def test_running_the_line_again_gives_the_same_bytes(line):
    files = ["graph.npz", "export/model.tflite", "export/model.tinpu.onnx", "export/c/model.c", "export/golden.npz"]
    before = {name: (line / "out" / name).read_bytes() for name in files}
    edgekws("quantize", "--recipe", "recipe.toml", "--data", "data", "--out", "out", cwd=line)
    edgekws("export", "--data", "data", "--out", "out", cwd=line)
    for name, content in before.items():
        assert (line / "out" / name).read_bytes() == content, name


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "--data", "nowhere", "--recipe", "recipe.toml"], 3, "data prepare"),
        (["train", "--recipe", "nowhere.toml"], 4, "nowhere.toml"),
        (["data", "prepare", "--root", "nowhere", "--out", "x"], 3, "no such folder"),
        (["data", "prepare", "--source", "folder", "--out", "x"], 4, "--root"),
        (["quantize", "--recipe", "recipe.toml", "--data", "data", "--out", "empty"], 8, "edgekws train"),
        (["export", "--data", "data", "--out", "empty"], 8, "released model"),
        (["flash", "--board", "toaster", "--out", "out"], 4, "qemu-an386"),
        (["frobnicate"], 2, "the command edgekws frobnicate is not known"),
    ],
)
def test_bad_use_is_one_paragraph_and_a_documented_code(line, arguments, code, message):
    printed = edgekws(*arguments, cwd=line, code=code, EDGEKWS_DATA="")
    assert message in " ".join(printed.split())


def test_debug_shows_the_stack(line):
    command = [str(Path(sys.executable).with_name("edgekws")), "export", "--out", "empty", "--data", "data", "--debug"]
    done = subprocess.run(command, cwd=line, capture_output=True, text=True, check=False)
    assert done.returncode and "Traceback" in done.stderr


def test_help_lists_exit_codes_and_options(tmp_path):
    assert "Exit codes" in edgekws("--help", cwd=tmp_path)
    for command in ("train", "quantize", "export", "flash", "bench", "demo"):
        assert "--help" in edgekws(command, "--help", cwd=tmp_path)
