"""The input of TI's compiler: the command, the model, the vectors.

The compiler is closed source and not run here. FAKE replaces it: it checks that it was called as TI's guide
says, prints a warning as TI's compiler does and writes a fake library.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekws import plugins
from edgekws.errors import ArtifactError, ConfigError
from edgekws.graph import golden, interp, io
from edgekws.vendor import ti_nnc
from tests.graphs import random_dag

FAKE = r"""#!/bin/sh
# Not TI's compiler: a fake with its command line.
if [ "$2" = --help ]; then echo "usage: tvmc compile ... --target 'c, ti-npu type=hard'"; exit 0; fi
for word in "$@"; do echo "$word"; done > arguments.txt
[ -f model.tinpu.onnx ] || { echo "no model" >&2; exit 3; }
[ -z "${FAKE_FAILS:-}" ] || { echo "Check failed: unknown operator" >&2; exit 1; }
echo "WARNING:ti_mcu_nnc:GCONV layer NOT offloaded to TI-NPU" >&2
echo fake > artifacts/mod.a
"""
OTHERS = {"compile.sh", "golden.npz", "test_vectors.h"}
DEVICES = sorted(ti_nnc.TOOLCHAINS)


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Puts a tvmc on the PATH."""

    def install(text=FAKE):
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "tvmc").write_text(text)
        (folder / "tvmc").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    monkeypatch.setenv("C2000_CGT_PATH", "cgt")
    return install


@pytest.fixture
def written(tmp_path, graph, random_features):
    """A folder for the compiler, chosen from three clips of each label."""
    folder, features = tmp_path / "nnc", random_features(36)
    labels = np.arange(36) % 12
    ti_nnc.write(folder, graph, "f28p55x", features, labels, [f"clip{number}.wav" for number in range(36)])
    return folder


def test_devices_are_those_of_the_target():
    assert sorted(plugins.load("targets", ti_nnc.TARGET).DEVICES) == DEVICES


def test_the_command_for_f28p55x_is_the_one_of_the_guide(graph):
    assert ti_nnc.command(graph, "f28p55x") == (
        "tvmc compile '--target=c, ti-npu type=hard skip_normalize=true output_int=true' --target-c-mcpu=c28 "
        './model.tinpu.onnx -o artifacts/mod.a --cross-compiler=cl2000 --cross-compiler-options="$CL2000_OPTIONS"'
    )


@pytest.mark.parametrize(("device", "mcpu"), [("mspm0g5187", "cortex-m0plus"), ("am13e2", "cortex-m33")])
def test_the_command_for_arm(graph, device, mcpu):
    line = ti_nnc.command(graph, device)
    words = shlex.split(line)
    assert f"--target-c-mcpu={mcpu}" in words
    assert "--cross-compiler=tiarmclang" in words
    assert words[-1] == "--cross-compiler-options=$TIARMCLANG_OPTIONS"
    assert f"-mcpu={mcpu}" in ti_nnc.toolchain(device).options.split()


def test_an_input_normalization_of_the_graph_is_not_skipped():
    graphs = {graph.nodes[0].op: graph for graph in map(random_dag, range(20))}
    assert "skip_normalize=false" in ti_nnc.command(graphs["scale"], "f28p55x")
    assert "skip_normalize=true" in ti_nnc.command(graphs["conv2d"], "f28p55x")


def test_an_unknown_device(graph):
    with pytest.raises(
        ConfigError, match=r"--device f28p65x is not known; did you mean f28p55x\?.*am13e2, f28p55x, mspm0g5187"
    ):
        ti_nnc.command(graph, "f28p65x")


def test_the_folder(written, graph):
    names = {path.name for path in written.iterdir()}
    assert names == {"model.tinpu.onnx", *OTHERS}
    assert (written / "model.tinpu.onnx").read_bytes() == plugins.load("emitters", "onnx_tinpu").emit(graph)[
        ti_nnc.MODEL
    ]
    vectors = golden.read(written / "golden.npz")
    assert np.bincount(vectors["labels"]).tolist() == [2] * 12
    assert np.array_equal(vectors["scores"], interp.run(graph, vectors["features"]))
    assert vectors["ids"].tolist() == [f"clip{number}.wav" for number in range(24)]


def test_the_header_compiles_and_holds_the_golden_vectors(written, tmp_path):
    program = tmp_path / "show.c"
    program.write_text(
        """#include "test_vectors.h"
#include <stdio.h>
int main(void) {
    for (int i = 0; i < EDGEKWS_CLIPS; i++) {
        for (int k = 0; k < EDGEKWS_FEATURES; k++) printf("%d ", edgekws_features[i][k]);
        for (int k = 0; k < EDGEKWS_LABELS; k++) printf("%d ", edgekws_scores[i][k]);
        printf("%d\\n", edgekws_labels[i]);
    }
    return 0;
}
"""
    )
    built = [
        "cc",
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-Werror",
        f"-I{written}",
        str(program),
        "-o",
        str(tmp_path / "show"),
    ]
    subprocess.run(built, check=True)
    shown = subprocess.run([tmp_path / "show"], capture_output=True, text=True, check=True).stdout
    rows = np.array([[int(word) for word in line.split()] for line in shown.splitlines()])
    vectors = golden.read(written / "golden.npz")
    flat = vectors["features"].reshape(24, -1)
    assert np.array_equal(rows, np.hstack([flat, vectors["scores"], vectors["labels"][:, None]]))


def test_names_of_recordings_cannot_leave_the_comment(tmp_path, graph, random_features):
    ti_nnc.write(tmp_path, graph, "am13e2", random_features(12), np.arange(12), ["*/ int x; /*"] * 12)
    text = (tmp_path / "test_vectors.h").read_text()
    assert "*/ int" not in text
    assert text.count("* / int x; / *") == 12


def test_the_name_of_a_graph_cannot_leave_the_comments(tmp_path, graph, random_features):
    named = replace(graph, name="*/ int x;\ntouch somewhere\r\n#")
    ti_nnc.write(tmp_path, named, "am13e2", random_features(12), np.arange(12), ["clip"] * 12)
    assert "*/ int" not in (tmp_path / "test_vectors.h").read_text()
    assert "# */ int x; touch somewhere # for am13e2" in (tmp_path / "compile.sh").read_text()


@pytest.mark.parametrize("device", DEVICES)
def test_the_script_calls_the_compiler_with_the_command(tmp_path, graph, random_features, tools, device):
    tools()
    folder = tmp_path / "nnc"
    ti_nnc.write(folder, graph, device, random_features(12), np.arange(12), ["clip"] * 12)
    compiled = ti_nnc.compile_model(folder)
    chain = ti_nnc.toolchain(device)
    assert compiled.library == folder / "artifacts" / "mod.a"
    assert compiled.on_cpu == ("GCONV",)
    arguments = (folder / "arguments.txt").read_text().splitlines()
    options = chain.options.replace("$C2000_CGT_PATH", "cgt")
    assert arguments == [*shlex.split(ti_nnc.command(graph, device))[1:-1], f"--cross-compiler-options={options}"]


def test_the_options_of_the_user_override_the_defaults(written, tools, monkeypatch):
    tools()
    monkeypatch.setenv("CL2000_OPTIONS", "--mine")
    ti_nnc.compile_model(written)
    assert (written / "arguments.txt").read_text().splitlines()[-1] == "--cross-compiler-options=--mine"


def test_the_script_says_what_is_missing(written, tools, monkeypatch):
    tools()
    monkeypatch.delenv("C2000_CGT_PATH")
    with pytest.raises(ArtifactError, match="C2000_CGT_PATH"):
        ti_nnc.compile_model(written)


def test_without_the_compiler_it_says_how_to_get_it(written, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert not ti_nnc.installed()
    with pytest.raises(ConfigError, match=r"Python 3\.10.*software-dl\.ti\.com"):
        ti_nnc.compile_model(written)


def test_upstream_tvm_is_not_taken_for_that_of_ti(written, tools):
    tools("#!/bin/sh\necho 'usage: tvmc compile --target TARGET'\n")
    with pytest.raises(ConfigError, match="should be on the PATH"):
        ti_nnc.compile_model(written)


def test_a_failed_run_leaves_no_library(written, tools, monkeypatch):
    tools()
    assert ti_nnc.compile_model(written).library.exists()
    monkeypatch.setenv("FAKE_FAILS", "1")
    with pytest.raises(ArtifactError, match="unknown operator"):
        ti_nnc.compile_model(written)
    assert not Path(written, ti_nnc.LIBRARY).exists()
    assert "unknown operator" in (written / "compile.log").read_text()


def export(prepared, out, *more):
    line = [sys.executable, "-m", "edgekws", "export", "--data", str(prepared.folder), "--out", str(out), *more]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_the_command_line_without_the_compiler(prepared, tmp_path, graph):
    graph = replace(graph, labels=prepared.labels)
    io.save(graph, tmp_path / "graph.npz")
    code, shown = export(prepared, tmp_path, "--for", "ti-nnc", "--device", "f28p55x")
    folder = tmp_path / "export" / "ti-nnc" / "f28p55x"
    assert code == 0
    assert "fc would run on the CPU, because linear-inputs: at least 16 inputs for 8-bit weights, not 8" in shown
    assert ti_nnc.command(graph, "f28p55x") in shown
    assert "not compiled: TI's compiler is not here" in shown
    assert {path.name for path in folder.iterdir()} == {"model.tinpu.onnx", *OTHERS}
    labels = golden.read(folder / "golden.npz")["labels"]
    assert np.bincount(labels).max() == 2


def test_the_command_line_with_a_fake_compiler(prepared, tmp_path, graph, tools):
    tools()
    graph = replace(graph, labels=prepared.labels)
    io.save(graph, tmp_path / "graph.npz")
    code, shown = export(prepared, tmp_path, "--for", "ti-nnc")  # the default device
    assert code == 0
    assert "mspm0g5187/artifacts/mod.a" in shown.replace(" ", "")
    assert "the compiler leaves a layer to the CPU: GCONV" in shown


def test_the_command_line_refuses_incomplete_or_unknown_options(prepared, tmp_path):
    assert export(prepared, tmp_path, "--device", "f28p55x")[0] == ConfigError.exit_code
    assert export(prepared, tmp_path, "--for", "vela")[0] == ConfigError.exit_code
