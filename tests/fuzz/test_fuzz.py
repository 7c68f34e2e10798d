"""The fuzzers detect seeded faults, and some ten thousand inputs of each give no finding."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from edgekws.emit.c import emit
from edgekws.errors import ArtifactError
from edgekws.graph import interp
from edgekws.graph.ir import Graph
from edgekws.graph.ops import OPS
from firmware_io import board, build
from firmware_io.build import FIRMWARE
from fuzz import campaign, model, protocol, sanitized
from tests.firmware_io.firmware.lines import needs
from tests.general_graphs import random_general
from tests.graphs import LIMITS, TARGETS, random_dag
from tests.recurrent import gru_graph

EVERY = {(name, bits) for name, op in OPS.items() if op.is_basic for bits in (LIMITS if op.is_weighted else (8,))}
FOREIGN = {name for name, op in OPS.items() if not op.is_basic}
"""Each op at each width of its weights."""


@pytest.fixture(scope="module")
def sanitizers(tmp_path_factory: pytest.TempPathFactory) -> None:
    if not sanitized.works("cc", tmp_path_factory.mktemp("sanitizers")):
        pytest.skip("cc with the libraries of its sanitizers is missing: install gcc and libc6-dev")


def fuzzed(program: Path, inputs: int, seed: int) -> tuple[bool, str]:
    lines: list[str] = []
    clean = protocol.watch(sanitized.start(program, inputs, seed), lines.append)
    return clean, "\n".join(lines)


@pytest.mark.parametrize("energy", [False, True], ids=["performance", "energy"])
def test_no_command_breaks_the_firmware(energy: bool, sanitizers: None, tmp_path: Path) -> None:
    program = protocol.build(tmp_path, energy=energy)
    clean, output = fuzzed(program, 50_000, 1)
    assert clean, output
    assert output.splitlines()[-1].startswith("50000 inputs: ")
    assert ", at most 80 characters in the command buffer, " in output.splitlines()[-1]
    assert fuzzed(program, 50_000, 1) == (clean, output)
    assert fuzzed(program, 50_000, 2)[1] != output


FAULTS = {  # faults of MLPerf Tiny's reference firmware, and some more: file, original, replacement, what is reported
    "a write past the input": ("input.c", "loaded < expected", "true", "FINDING"),
    "an oversize load is accepted": (
        "input.c",
        "} else {\n        expect(size)",
        "}\n    {\n        expect(size)",
        "FINDING",
    ),
    "bytes without a load": ("input.c", "if (expected == 0)", "if (false)", "FINDING"),
    "an empty command": ("protocol.c", "if (words[0][0] == '\\0')", "if (false)", "FINDING"),
    "a command too long": ("protocol.c", "line.used == COMMAND_CHARACTERS", "false", "runtime error"),
    "a longer command limit": (
        "protocol.c",
        "#define COMMAND_CHARACTERS 80",
        "#define COMMAND_CHARACTERS 81",
        "FINDING",
    ),
    "a checksum that does not restart": ("check.c", "ekw_put_crc32_restart();", "", "FINDING"),
    "a received byte is not counted": ("check.c", "received = ekw_crc32(received, &byte, 1)", "(void)byte", "FINDING"),
    "a sent byte is not counted": ("text.c", "crc = ekw_crc32(crc, &byte, 1)", "(void)byte", "FINDING"),
    "an edge before the text has left": ("inference.c", "    ekw_port_flush();\n", "", "FINDING"),
    "an edge too late": (
        "inference.c",
        "ekw_port_edge();\n    run(times);",
        "run(times);\n    ekw_port_edge();",
        "FINDING",
    ),
    "unprintable bytes are echoed": ("protocol.c", "c >= ' ' && c <= '~' ? c : '?'", "c", "FINDING"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_seeded_fault_of_the_firmware_is_found(fault: str, sanitizers: None, tmp_path: Path) -> None:
    name, right, wrong, finding = FAULTS[fault]
    app = tmp_path / "app"
    app.mkdir()
    for source in (FIRMWARE / "app").glob("*.c"):
        app.joinpath(source.name).write_text(source.read_text())
    text = (app / name).read_text()
    assert right in text
    (app / name).write_text(text.replace(right, wrong))
    energy = fault.startswith("an edge")
    program = protocol.build(tmp_path, options=("-O0", "-Wno-error"), app=app, energy=energy)
    clean, complaint = fuzzed(program, 50_000, 1)
    assert not clean and finding in complaint


def test_libfuzzer_runs_the_same_harness(sanitizers: None, tmp_path: Path) -> None:
    if not sanitized.works(protocol.CLANG, tmp_path):
        pytest.skip(f"{protocol.CLANG} is missing: apt-get install {protocol.CLANG} libclang-rt-14-dev")
    program = protocol.build(tmp_path, "libfuzzer.c", protocol.CLANG, ("-fsanitize=fuzzer",))
    done = subprocess.run([program, "-runs=2000"], check=False, capture_output=True, env=sanitized.environment())
    assert done.returncode == 0, done.stderr[-2000:].decode()


@pytest.mark.parametrize(
    ("what", "inputs"),
    [
        ("answers", 20_000),
        ("graph", 12_000),
        pytest.param("import_onnx", 5_000, marks=pytest.mark.slow),
        pytest.param("import_tflite", 5_000, marks=pytest.mark.slow),
    ],
)
def test_no_input_breaks_a_reader(what: str, inputs: int) -> None:
    lines: list[str] = []
    assert campaign.run(f"fuzz.{what}", inputs, 1, 1, lines.append), lines
    assert lines[-1].startswith(f"{inputs} inputs: ")


class Broken:
    """A reader with four kinds of fault."""

    @staticmethod
    def attempt(rng: random.Random) -> str:
        kind = rng.randrange(4)
        if kind == 0:
            raise KeyError(kind)
        if kind == 1:
            return str(len(bytearray(2 * campaign.MEMORY_BYTES)))
        if kind == 2:
            while True:
                pass
        raise ArtifactError("refused")


@pytest.mark.skipif(sys.platform != "linux", reason="no limit of memory")
def test_a_seeded_fault_of_a_reader_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "import_module", lambda _: Broken)
    monkeypatch.setattr(campaign, "HANG_S", 0.05)
    tally = campaign.chunk(("broken", 0, 0, 40))
    assert tally.outcomes.keys() == {"FINDING", "ArtifactError"}
    last_lines = {finding.rstrip().splitlines()[-1].split(":")[0] for finding in tally.findings}
    assert last_lines == {"KeyError", "MemoryError", "fuzz.campaign._HangError"}
    again = campaign.chunk(("broken", 0, 7, 1)).outcomes + campaign.chunk(("broken", 0, 8, 32)).outcomes
    assert campaign.chunk(("broken", 0, 7, 33)).outcomes == again


def parity_under_sanitizers(graph: Graph, called: str, folder: Path, *options: str) -> set[tuple[str, int]]:
    """Compare a random graph with the interpreter. Returns the ops and weight widths that it holds."""
    features = np.random.default_rng(0).integers(-128, 128, (4, *graph.clip_shape)).astype(np.int8)
    features[0], features[1] = -128, 127
    try:
        scores = model.scores(graph, features, folder, *options)
    except subprocess.CalledProcessError as error:
        pytest.fail(f"{called}: {error.stderr[-3000:]}")
    np.testing.assert_array_equal(scores, interp.run(graph, features), err_msg=called)
    return {(node.op, node.weight_bits) for node in graph.nodes}


def covering() -> Iterator[tuple[int, str]]:
    """A small set of graphs that together hold every op at every weight width."""
    missing = set(EVERY)
    for seed, target in product(range(60), TARGETS):
        new = missing & {(node.op, node.weight_bits) for node in random_dag(seed, target).nodes}
        missing -= new
        if new:
            yield seed, target
    assert not missing


def test_kernels_are_clean_under_sanitizers(sanitizers: None, tmp_path: Path) -> None:
    """Every layer at every width; the slow test takes many more."""
    seen = set[tuple[str, int]]()
    for seed, target in covering():
        seen |= parity_under_sanitizers(random_dag(seed, target), f"{target} {seed}", tmp_path, "-O0")
    assert seen == EVERY


@pytest.mark.slow
def test_kernels_of_imported_models_are_clean_under_sanitizers(sanitizers: None, tmp_path: Path) -> None:
    """Zero points, parts of ranges, and the ops that only imported models and gated networks have."""
    seen = parity_under_sanitizers(gru_graph(), "gru", tmp_path)
    for seed in range(20):
        seen |= parity_under_sanitizers(random_general(seed), f"general {seed}", tmp_path)
    assert {name for name, _ in seen} >= FOREIGN


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_kernels_of_many_graphs_are_clean_under_sanitizers(target: str, sanitizers: None, tmp_path: Path) -> None:
    for seed in range(40):
        parity_under_sanitizers(random_dag(seed, target), f"{target} {seed}", tmp_path)


ANALYZED = [(name, energy) for name in board.names() for energy in (False, True)]
ANALYZED = [(name, energy) for name, energy in ANALYZED if not energy or board.load(name).energy_edge]


FAST = ("host", "qemu-an386", "lp-mspm0g5187")
"""A 64-bit board, one with DSP instructions, and one without; the others are compiled by the same compilers."""


@pytest.mark.parametrize(
    ("name", "energy"),
    [pytest.param(*each, marks=() if each[0] in FAST and not each[1] else pytest.mark.slow) for each in ANALYZED],
)
def test_the_analyzer_finds_nothing(name: str, energy: bool, tmp_path: Path) -> None:
    """Everything that a board is built of: app, port and a model with most of the kernels (once)."""
    target = board.load(name)
    needs(target.compiler)
    (tmp_path / "nothing.c").write_text("int nothing;\n")
    probe = [target.compiler, "-fanalyzer", "-c", str(tmp_path / "nothing.c"), "-o", str(tmp_path / "nothing.o")]
    if subprocess.run(probe, check=False, capture_output=True).returncode != 0:
        pytest.skip(f"{target.compiler} has no -fanalyzer: it is gcc's")
    build.write_model(emit(random_dag(2)), tmp_path)
    model, firmware = build.commands(target, tmp_path, tmp_path / "firmware.elf", energy)
    for line in (model if energy else [*model, "-fanalyzer"], [*firmware, "-fanalyzer"]):
        done = subprocess.run(line, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
