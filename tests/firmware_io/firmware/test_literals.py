"""Every literal of the MLPerf Tiny protocol, device side, as mlcommons/tiny (benchmark/api) prints it, on every board.

DIFFERENT has what is not as there: the reference is at fault, or takes a damaged command for another one. And two
complaints, about sizes, end there with a lone LF; every line of ours ends with CR LF.
"""

from __future__ import annotations

import re
import zlib

import numpy as np
import pytest

from tests.firmware_io.firmware.lines import Line

NEEDS_LOAD = "e-[Command 'db' needs a 'db load' before]"
TOO_LONG = "e-[Command too long]"
NOT_LOADED = "Input db has 0 elemented, expected 490"
ITERATIONS, WARMUPS = "e-[Inference iterations must be >0]", "e-[Inference warmup must be >=0]"
NO_SIZE = "e-[Command 'db load' must be >0 bytes]"
ODD = "e-[Insufficent number of hex digits]"

Conversation = list[tuple[str, list[str]]]
AS_THE_REFERENCE: dict[str, Conversation] = {
    "who it is": [
        ("profile", ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[kws01]"]),
        ("profile of what", ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[kws01]"]),
    ],
    "unknown commands": [
        ("nonsense 1 2", ["e-[Unknown command: nonsense]"]),
        ("nam", ["e-[Unknown command: nam]"]),
        ("names", ["e-[Unknown command: names]"]),
        ("NAME", ["e-[Unknown command: NAME]"]),
        ("bye", ["e-[Unknown command: bye]"]),
        ("th_infer", ["e-[Unknown command: th_infer]"]),
        ("x" * 80, [f"e-[Unknown command: {'x' * 80}]"]),
    ],
    "spaces": [
        ("  profile  ", ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[kws01]"]),
        (" db   load  4 ", ["m-[Expecting 4 bytes]"]),
        ("db load 4 9", ["m-[Expecting 4 bytes]"]),
        ("  db    0102  ", []),
        ("db 0304 05", ["m-load-done"]),
    ],
    "errors of db": [
        ("db", ["e-[Command 'db' requires a subcommand]"]),
        ("db load", ["e-[Command 'db load' requires the # of bytes]"]),
        ("db load 0", [NO_SIZE]),
        ("db load x", [NO_SIZE]),
        ("db load 491", ["Supplied buffer size 491 exceeds maximum of 490"]),
        ("db load 10", ["m-[Expecting 10 bytes]"]),
        ("db 123", [ODD]),
        ("db 1", [ODD]),
        ("db zz", ["e-[Invalid hex digit 'zz']"]),
        ("db 12g4", ["e-[Invalid hex digit 'g4']"]),
        ("db 1-", ["e-[Invalid hex digit '1-']"]),
    ],
    "upper and lower case": [
        ("db load 4", ["m-[Expecting 4 bytes]"]),
        ("db aBCd", []),
        ("db EFef", ["m-load-done"]),
    ],
    "surplus digits": [
        ("db load 3", ["m-[Expecting 3 bytes]"]),
        ("db 01020304", ["m-load-done"]),
        ("db load 1", ["m-[Expecting 1 bytes]"]),
        ("db 07zz", ["m-load-done"]),
        ("db load 1", ["m-[Expecting 1 bytes]"]),
        ("db 07081", [ODD]),
    ],
    "print in lines of eight": [
        ("db load 16", ["m-[Expecting 16 bytes]"]),
        ("db print", ["m-buffer-00-00-00-00-00-00-00-00", "m-buffer-00-00-00-00-00-00-00-00"]),
        ("db 00112233445566778899aabbccddeeff", ["m-load-done"]),
        ("db print", ["m-buffer-00-11-22-33-44-55-66-77", "m-buffer-88-99-aa-bb-cc-dd-ee-ff"]),
        ("db print 4 2", ["m-buffer-00-11-22-33-44-55-66-77", "m-buffer-88-99-aa-bb-cc-dd-ee-ff"]),
        ("db load 8", ["m-[Expecting 8 bytes]"]),
        ("db 0102030405060708", ["m-load-done"]),
        ("db print", ["m-buffer-01-02-03-04-05-06-07-08"]),
    ],
    "a load that starts again": [
        ("db load 4", ["m-[Expecting 4 bytes]"]),
        ("db 0102", []),
        ("db load 2", ["m-[Expecting 2 bytes]"]),
        ("db 0304", ["m-load-done"]),
    ],
    "errors of infer": [
        ("infer 0", [ITERATIONS]),
        ("infer 0 0", [ITERATIONS]),
        ("infer -1", [ITERATIONS]),
        ("infer -1 -1", [ITERATIONS]),
        ("infer x", [ITERATIONS]),
        ("infer 1 -1", [WARMUPS]),
    ],
}

DIFFERENT: dict[str, Conversation] = {
    "an empty command: the reference reads a null pointer": [("", []), (" ", []), ("   ", [])],
    "ends of lines: there they begin the next command": [
        ("\r\nprofile", ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[kws01]"]),
        ("pro\nfile\r", ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[kws01]"]),
    ],
    "part of a line: there an empty one follows": [
        ("db load 10", ["m-[Expecting 10 bytes]"]),
        ("db aBCdEFef", []),
        ("db print", ["m-buffer-ab-cd-ef-ef-00-00-00-00", "m-buffer-00-00"]),
        ("db load 2", ["m-[Expecting 2 bytes]"]),
        ("db 0304050607", ["m-load-done"]),
        ("db print", ["m-buffer-03-04"]),
    ],
    "no scores yet: there the results are those of an input before": [
        ("db load 490", ["m-[Expecting 490 bytes]"]),
        ("results", ["e-[No inference has been run on this input]"]),
        ("infer 1 0", [NOT_LOADED]),
    ],
    "noise: there it is quoted as it is": [
        ("\x07\xffx", ["e-[Unknown command: ??x]"]),
        ("profile\0", ["e-[Unknown command: profile?]"]),
        ("profile\t", ["e-[Unknown command: profile?]"]),
    ],
    "more than 80 characters: there the last one is written over": [
        ("a" * 81, [TOO_LONG]),
        ("profile" + " " * 74, [TOO_LONG]),
        ("db load 40", ["m-[Expecting 40 bytes]"]),
        ("db " + "00" * 39, [TOO_LONG]),
        ("db " + "00" * 38, []),
        ("db " + "00" * 2, ["m-load-done"]),
        ("profile" + " " * 73, ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[kws01]"]),
        ("a" * 2000, [TOO_LONG]),
    ],
    "bytes without a load, past it, of an oversize one: there they are written behind the buffer": [
        ("db load 491", ["Supplied buffer size 491 exceeds maximum of 490"]),
        ("db 00", [NEEDS_LOAD]),
        ("db zz", [NEEDS_LOAD]),
        ("db print", []),
        ("infer 1 0", [NOT_LOADED]),
        ("db load 99999999999999999999", ["Supplied buffer size 2147483647 exceeds maximum of 490"]),
        ("db 00", [NEEDS_LOAD]),
        ("db load 1", ["m-[Expecting 1 bytes]"]),
        ("db 11", ["m-load-done"]),
        ("db 22", []),
        ("db print", ["m-buffer-11"]),
    ],
    "a bad chunk: there what comes before the bad digit is taken": [
        ("db load 10", ["m-[Expecting 10 bytes]"]),
        ("db 0aFF7f", []),
        ("db 12zz34", ["e-[Invalid hex digit 'zz']"]),
        ("db 12\x8034\0", ["e-[Invalid hex digit '?3']"]),
        ("db print", ["m-buffer-0a-ff-7f-00-00-00-00-00", "m-buffer-00-00"]),
        ("infer 1 0", ["Input db has 3 elemented, expected 490"]),
        ("results", ["e-[No inference has been run on this input]"]),
    ],
    "no number: there it is read up to the first letter": [
        ("db load 12a", [NO_SIZE]),
        ("db load -5", [NO_SIZE]),
        ("db load +5", [NO_SIZE]),
        ("infer 5x", [ITERATIONS]),
        ("infer 1 x", [WARMUPS]),
        ("infer 1 2x", [WARMUPS]),
        ("infer --1", [ITERATIONS]),
        ("infer 1 --1", [WARMUPS]),
    ],
}


@pytest.mark.parametrize("topic", [*AS_THE_REFERENCE, *DIFFERENT])
def test_conversation(topic: str, line: Line) -> None:
    for command, answer in (AS_THE_REFERENCE | DIFFERENT)[topic]:
        assert line.ask(command) == answer, command


def test_every_percent_sign_is_answered(line: Line) -> None:
    line.port.write(b"%%profile%%nonsense%")
    answers = [line.until_ready() for _ in range(5)]
    assert [len(answer) for answer in answers] == [0, 0, 2, 0, 1]


def test_a_whole_inference_literally(line: Line) -> None:
    line.load(np.full((49, 10), -3))
    assert line.ask("db print")[0] == "m-buffer-" + "-".join(["fd"] * 8)
    assert line.ask("db print")[-1] == "m-buffer-fd-fd"
    answer = "\n".join(line.ask("infer 3 2"))
    pattern = r"m-results-\[[01]\.\d{3}(,[01]\.\d{3}){11}\]"
    assert re.fullmatch(
        r"m-warmup-start-2\nm-warmup-done\nm-infer-start-3\nm-lap-us-\d+\nm-lap-us-\d+\nm-infer-done\n" + pattern,
        answer,
    )
    assert re.fullmatch(pattern, line.ask("results")[0])
    assert re.fullmatch(r"m-lap-us-\d+", line.ask("timestamp")[0])


def test_defaults_of_infer(line: Line) -> None:
    """Ten warm-ups where the reference's help text says none."""
    line.load(np.zeros((49, 10)))
    for command, warmups, count in (("infer", 10, 1), ("infer 2", 10, 2), ("infer 2 0 7", 0, 2)):
        answer = line.ask(command)
        assert answer[0] == f"m-warmup-start-{warmups}" and answer[2] == f"m-infer-start-{count}", command


def test_the_crc_shows_a_damaged_load(line: Line) -> None:
    line.ask("db load 10")
    line.ask("db 0aFF7f")
    assert line.ask("raw")[1] == f"m-input-crc32-[{zlib.crc32(bytes([0x0A, 0xFF, 0x7F])):08x}]"
    line.ask("db load 491")
    assert line.ask("raw")[1] == "m-input-crc32-[00000000]"


def test_help_begins_as_the_reference(line: Line) -> None:
    answer = line.ask("help")
    assert answer[:2] == ["ULPMark for tinyML Firmware V0.0.1", ""]
    assert sum(": edgekws extension: " in text for text in answer) == 5
    assert all(" : " in text for text in answer[2:-1]) and answer[-1].startswith("m-build-[")
