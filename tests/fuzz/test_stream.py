"""The fuzzer of the firmware that listens: it finds seeded faults, and some thousand inputs give no finding."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_io.build import FIRMWARE
from fuzz import protocol, sanitized, stream

FAULTS = {  # file, original, replacement
    "frames of any sequence number are taken": ("listen.c", "if (ahead != 0)", "if (false)"),
    "a frame is taken twice": ("listen.c", "stream.expected = (stream.expected + 1) & 0xFFFFu;", ""),
    "checksums are not compared": ("frames.c", "!= little_endian(decoded.bytes + body, EKW_FRAME_CRC)", "== 1"),
    "a frame that is too long": ("frames.c", "if (used < EKW_FRAME_BYTES)", "if (true)"),
    "an event is printed twice": (
        "listen.c",
        "        put_event(&event);\n",
        "        put_event(&event), put_event(&event);\n",
    ),
    "a stream keeps the state of the one before": ("listen.c", "    ekw_begin();\n", ""),
    "an index of a keyword that is not there": ("settings.c", "EKW_DETECTOR_KEYWORDS - 1, &k", "400, &k"),
}


@pytest.fixture(scope="module")
def sanitizers(tmp_path_factory: pytest.TempPathFactory) -> None:
    if not sanitized.works("cc", tmp_path_factory.mktemp("sanitizers")):
        pytest.skip("cc with the libraries of its sanitizers is missing: install gcc and libc6-dev")


def fuzzed(program: Path, inputs: int) -> tuple[bool, str]:
    lines: list[str] = []
    clean = protocol.watch(sanitized.start(program, inputs, 1), lines.append)
    return clean, "\n".join(lines)


@pytest.mark.slow
def test_no_input_breaks_the_firmware_that_listens(sanitizers: None, tmp_path: Path) -> None:
    clean, output = fuzzed(stream.build(tmp_path), 100_000)
    assert clean, output
    assert " 0 events" not in output.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_seeded_fault_is_found(fault: str, sanitizers: None, tmp_path: Path) -> None:
    name, right, wrong = FAULTS[fault]
    listen = tmp_path / "listen"
    listen.mkdir()
    for source in (FIRMWARE / "listen").glob("*.c"):
        listen.joinpath(source.name).write_text(source.read_text())
    text = (listen / name).read_text()
    assert right in text
    (listen / name).write_text(text.replace(right, wrong))
    clean, complaint = fuzzed(stream.build(tmp_path, listen, ("-O0", "-Wno-error")), 100_000)
    assert not clean and ("FINDING" in complaint or "runtime error" in complaint or "Sanitizer" in complaint)
