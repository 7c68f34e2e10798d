"""The fuzzers find what they are made for, and some ten thousand inputs of each give no finding."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from firmware_io.build import FIRMWARE
from fuzz import protocol, sanitized


@pytest.fixture(scope="module", autouse=True)
def sanitizers(tmp_path_factory: pytest.TempPathFactory) -> None:
    if not sanitized.works("cc", tmp_path_factory.mktemp("sanitizers")):
        pytest.skip("cc with the libraries of its sanitizers is missing: install gcc and libc6-dev")


def fuzzed(program: Path, inputs: int, seed: int) -> tuple[bool, str]:
    lines: list[str] = []
    clean = protocol.watch(sanitized.start(program, inputs, seed), lines.append)
    return clean, "\n".join(lines)


def test_no_command_breaks_the_firmware(tmp_path: Path) -> None:
    program = protocol.build(tmp_path)
    clean, said = fuzzed(program, 50_000, 1)
    assert clean, said
    assert said.splitlines()[-1].startswith("50000 inputs: ")
    assert fuzzed(program, 50_000, 1) == (clean, said)
    assert fuzzed(program, 50_000, 2)[1] != said


FAULTS = {  # those of MLPerf Tiny's reference firmware, and some of our own making
    "a write past the input": ("input.c", "loaded < expected", "true", "out of bounds"),
    "an oversize load is kept": ("input.c", "refuse_size(size);\n        return;", "refuse_size(size);", "FINDING"),
    "bytes without a load": ("input.c", "if (expected == 0)", "if (false)", "FINDING"),
    "an empty command": ("protocol.c", "if (words[0][0] == '\\0')", "if (false)", "FINDING"),
    "a command too long": ("protocol.c", "used == COMMAND_CHARACTERS", "false", "runtime error"),
    "noise is quoted": ("protocol.c", "c >= ' ' && c <= '~' ? c : '?'", "c", "FINDING"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_firmware_is_found(fault: str, tmp_path: Path) -> None:
    name, right, wrong, said = FAULTS[fault]
    app = tmp_path / "app"
    app.mkdir()
    for source in (FIRMWARE / "app").glob("*.c"):
        app.joinpath(source.name).write_text(source.read_text())
    text = (app / name).read_text()
    assert right in text
    (app / name).write_text(text.replace(right, wrong))
    clean, complaint = fuzzed(protocol.build(tmp_path, options=("-O0", "-Wno-error"), app=app), 50_000, 1)
    assert not clean and said in complaint


def test_libfuzzer_takes_the_same_harness(tmp_path: Path) -> None:
    if not sanitized.works(protocol.CLANG, tmp_path):
        pytest.skip(f"{protocol.CLANG} is missing: apt-get install {protocol.CLANG} libclang-rt-14-dev")
    program = protocol.build(tmp_path, "libfuzzer.c", protocol.CLANG, ("-fsanitize=fuzzer",))
    done = subprocess.run([program, "-runs=2000"], check=False, capture_output=True, env=sanitized.environment())
    assert done.returncode == 0, done.stderr[-2000:].decode()
