"""Fuzzes the firmware's protocol: app/*.c with the harness of c/ and a tiny model, in performance and energy mode."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgekws.emit.c import emit
from edgekws.features.spec import FeatureSpec
from edgekws.graph.ir import INPUT, Graph, Node, Requant
from firmware_io.build import FIRMWARE, write_model
from fuzz import sanitized

CLANG = "clang-14"
APP = FIRMWARE / "app"
_DEFINITIONS = ("-DEKW_TIMER_HZ=25000000u", '-DEKW_BOARD_NAME="fuzz"')
_HARNESS = ("harness.c", "oracle.c", "port.c", "counted_model.c", "counted_protocol.c")
_NOT_COMPILED = ("main.c", "protocol.c")
"""The harness has its own main, and counted_protocol.c includes protocol.c."""


def tiny_graph() -> Graph:
    """Input of 5 frames x 4 coefficients, 3 labels: 20 bytes are no multiple of the 8 of a line."""
    spec = replace(FeatureSpec(), clip_samples=480 + 4 * 320, coefficients=4)
    spec = replace(spec, input_scale=spec.input_scale[:4], input_zero_point=spec.input_zero_point[:4])
    weight = np.random.default_rng(0).integers(-127, 128, (3, 20)).astype(np.int8)
    requant = Requant(np.zeros(3, np.int32), np.ones(3, np.uint8), np.full(3, 9, np.uint8), -128, 127)
    node = Node("fc", "linear", (INPUT,), requant, (*spec.shape, 1), (1, 1, 3), weight)
    return Graph((node,), ("yes", "no", "up"), spec, "tinpu", "tiny", input_scale=1 / 32)


def build(
    folder: Path,
    main: str = "main.c",
    compiler: str = "cc",
    options: tuple[str, ...] = (),
    app: Path = APP,
    energy: bool = False,
) -> Path:
    """Build the fuzzer in `folder`. energy: with the firmware of energy mode."""
    write_model(emit(tiny_graph()), folder)
    names = (*_HARNESS, main) if main == "libfuzzer.c" else (*_HARNESS, "generator.c", main)
    firmware = [path for path in sorted(app.glob("*.c")) if path.name not in _NOT_COMPILED]
    sources = [*firmware, *(sanitized.HERE / name for name in names)]
    more = (*_DEFINITIONS, f"-DEKW_ENERGY_MODE={int(energy)}", f"-I{app}", *options)
    return sanitized.compile_c(sources, folder, folder / "fuzz", *more, compiler=compiler)


def run(inputs: int, seed: int, report: Callable[[str], None]) -> bool:
    """Send `inputs` commands to the firmware of each mode. Returns True when there was no finding."""
    return all(_run(inputs, seed, report, energy) for energy in (False, True))


def _run(inputs: int, seed: int, report: Callable[[str], None], energy: bool) -> bool:
    report(f"{'energy' if energy else 'performance'} mode")
    with tempfile.TemporaryDirectory(prefix="edgekws-fuzz-") as folder:
        return watch(sanitized.start(build(Path(folder), energy=energy), inputs, seed), report)


def run_libfuzzer(seconds: int, seed: int, report: Callable[[str], None]) -> bool:
    """Run libFuzzer on performance mode for `seconds`. Needs clang with its runtime. True when there was no finding."""
    with tempfile.TemporaryDirectory(prefix="edgekws-fuzz-") as folder:
        program = build(Path(folder), "libfuzzer.c", CLANG, ("-fsanitize=fuzzer",))
        options = (f"-max_total_time={seconds}", f"-seed={seed + 1}", "-max_len=2048", "-print_final_stats=1")
        (Path(folder) / "words").write_text("".join(f'"{word}"\n' for word in _DICTIONARY))
        return watch(sanitized.start(program, *options, f"-dict={folder}/words", f"-artifact_prefix={folder}/"), report)


_DICTIONARY = (
    "%db load 20",
    "%db ",
    "%db print",
    "%infer 1 0",
    "%raw",
    "%layers 2",
    "%memory",
    "%check",
    "%results",
    "%timestamp",
    "%name",
    "%help",
    "00",
)


def watch(process: subprocess.Popen[str], report: Callable[[str], None]) -> bool:
    """Pass each line that a fuzzer prints to `report`. Returns True when it exits with status 0."""
    with process:
        for line in process.stdout or ():
            report(line.rstrip())
    return process.returncode == 0
