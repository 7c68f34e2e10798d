"""`edgekws check`: tables, JSON, verdicts and exit codes, on the command line itself."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekws import cost, targets
from edgekws.cli.line import check as command
from edgekws.errors import ConfigError, TargetError
from edgekws.graph import io
from tests.graphs import random_dag


@pytest.fixture
def saved(tmp_path, graph_factory):
    def save(channels, name="graph.npz"):
        path = tmp_path / name
        io.save(graph_factory(channels=channels), path)
        return path

    return save


def run(*arguments):
    line = [sys.executable, "-m", "edgekws", "check", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False, env={"COLUMNS": "300", "PATH": ""})


def test_a_folder_with_a_graph_that_fits(saved):
    done = run(saved(64).parent, "--strict")
    assert (done.returncode, done.stderr) == (0, "")
    first = next(line.split() for line in done.stdout.splitlines() if line.startswith(" conv1"))
    assert first == ["conv1", "conv2d", "25", "x", "5", "x", "64", "8", "2,944", "320,000", "208,000", "NPU"]
    assert "flash: 18,312 bytes, of 131,072 (parameters 9608, code 8704)" in done.stdout
    assert "RAM: 18,048 bytes, of 32,768 (activations 16000, stack 2048)" in done.stdout
    assert "latency: about 7.6 ms (estimated, between" in done.stdout
    assert "fits: 5 of 5 layers are legal on tinpu, 0 would run on the CPU" in done.stdout


def test_a_graph_that_does_not_fit(saved):
    done = run(saved(128), "--target", "tinpu:mspm0g5187")
    assert done.returncode == 5
    assert "DOES NOT FIT" in done.stdout
    assert "34048 of 32768 bytes of RAM" in " ".join(done.stderr.split())


def test_layers_of_the_cpu_are_named_and_fail_when_strict(saved):
    path = saved(8)
    lenient, strict = run(path, "--target", "tinpu:f28p55x"), run(path, "--strict")
    reason = "linear-inputs: at least 16 inputs for 8-bit weights, not 8"
    assert lenient.returncode == 0
    assert f"CPU, because {reason}" in lenient.stdout
    assert "4 of 5 layers are legal on tinpu, 1 would run on the CPU" in lenient.stdout
    assert strict.returncode == 5
    assert f"fc: {reason}" in " ".join(strict.stderr.split())


def test_json_is_one_document_also_when_it_fails(saved):
    path = saved(128)
    done = run(path, "--json")
    assert done.returncode == 5
    document = json.loads(done.stdout)
    assert (document["kind"], document["fits"], document["on_cpu"]) == ("edgekws-check", False, 0)
    assert document["graph"]["sha256"] == io.digest(io.load(path))
    assert [layer["unit"] for layer in document["layers"]] == ["NPU"] * 5
    assert document["totals"]["cycles"] == pytest.approx(sum(layer["cycles"] for layer in document["layers"]))
    assert {figure["how"] for figure in document["measurements"]} == {"estimated"}
    assert [memory["fits"] for memory in document["memories"]] == [True, False]


def test_a_cpu_target_runs_its_own_graphs_and_no_others(tmp_path):
    graph = random_dag(7, target="int8", bits=(8, 4))
    own = cost.estimate(graph, *targets.load("int8"))
    command.require(own, strict=True)
    assert {layer.unit for layer in own.layers} == {"CPU"}
    foreign = cost.estimate(random_dag(7), *targets.load("int8"))
    with pytest.raises(TargetError, match="rounding: requantization is fixed-point"):
        command.require(foreign, strict=False)


def test_the_default_target_is_the_graphs_own(tmp_path):
    io.save(random_dag(7, target="int8", bits=(8, 4)), tmp_path / "graph.npz")
    assert "int8:cortex-m" in run(tmp_path).stdout


def test_other_files_are_refused(tmp_path):
    (tmp_path / "model.bin").touch()
    with pytest.raises(ConfigError, match=r"graph\.npz.*model\.bin"):
        command.read_model(tmp_path / "model.bin")


def test_wide_offsets_are_found_in_a_saved_graph(tmp_path, graph_factory):
    graph = graph_factory(channels=64)
    fc = graph.nodes[-1]
    requant = replace(fc.requant, offset=np.full(12, 1 << 24, np.int32))
    io.save(replace(graph, nodes=(*graph.nodes[:-1], replace(fc, requant=requant))), tmp_path / "graph.npz")
    done = run(tmp_path, "--strict")
    assert done.returncode == 5
    assert "CPU, because offset-width: offsets of 8-bit layers are signed 24 bit, 16777216 is not" in done.stdout


def test_a_graph_has_its_own_widths(saved):
    done = run(saved(8), "--bits", "4")
    assert done.returncode == 4 and "--bits goes with a float network" in done.stderr


@pytest.mark.parametrize("bits", [8, 2])
def test_a_float_checkpoint_is_checked_before_it_is_quantized(bits):
    models = Path(__file__).resolve().parents[2] / "models"
    graph = command.read_model(models / "dscnn" / "float.safetensors", bits=bits)
    released = io.load(models / "dscnn" / "graph.npz")
    assert [(node.op, node.out_shape, node.macs) for node in graph.nodes] == [
        (node.op, node.out_shape, node.macs) for node in released.nodes
    ]
    assert {node.weight_bits for node in graph.nodes if node.weight is not None} == {bits}
