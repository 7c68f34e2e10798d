"""The firmware's protocol: app/*.c between the harness of c/ and a model of a few bytes. In both of its modes."""

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
_NOT_ALONE = ("main.c", "protocol.c")
"""The harness has a main of its own, and takes the protocol into counted_protocol.c."""


def tiny_graph() -> Graph:
    """Five frames of four coefficients, three words: loaded by few commands, and not a multiple of a line's 8 bytes."""
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
    """The fuzzer as a program in `folder`. energy: of the firmware in energy mode."""
    write_model(emit(tiny_graph()), folder)
    names = (*_HARNESS, main) if main == "libfuzzer.c" else (*_HARNESS, "generator.c", main)
    firmware = [path for path in sorted(app.glob("*.c")) if path.name not in _NOT_ALONE]
    sources = [*firmware, *(sanitized.HERE / name for name in names)]
    more = (*_DEFINITIONS, f"-DEKW_ENERGY_MODE={int(energy)}", f"-I{app}", *options)
    return sanitized.compile_c(sources, folder, folder / "fuzz", *more, compiler=compiler)


def run(inputs: int, seed: int, say: Callable[[str], None]) -> bool:
    """That many commands to the firmware of either mode; True when there was no finding."""
    return all(_run(inputs, seed, say, energy) for energy in (False, True))


def _run(inputs: int, seed: int, say: Callable[[str], None], energy: bool) -> bool:
    say(f"{'energy' if energy else 'performance'} mode")
    with tempfile.TemporaryDirectory(prefix="edgekws-fuzz-") as folder:
        return watch(sanitized.start(build(Path(folder), energy=energy), inputs, seed), say)


def run_libfuzzer(seconds: int, seed: int, say: Callable[[str], None]) -> bool:
    """libFuzzer looks for new paths in performance mode itself, so long; needs clang with its runtime."""
    with tempfile.TemporaryDirectory(prefix="edgekws-fuzz-") as folder:
        program = build(Path(folder), "libfuzzer.c", CLANG, ("-fsanitize=fuzzer",))
        options = (f"-max_total_time={seconds}", f"-seed={seed + 1}", "-max_len=2048", "-print_final_stats=1")
        (Path(folder) / "words").write_text("".join(f'"{word}"\n' for word in _WORDS))
        return watch(sanitized.start(program, *options, f"-dict={folder}/words", f"-artifact_prefix={folder}/"), say)


_WORDS = (
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


def watch(process: subprocess.Popen[str], say: Callable[[str], None]) -> bool:
    """Pass on what a fuzzer prints; True when it ended well."""
    with process:
        for line in process.stdout or ():
            say(line.rstrip())
    return process.returncode == 0
