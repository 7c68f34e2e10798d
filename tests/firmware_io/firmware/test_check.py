"""The extension `check`: checksums of all bytes in both directions verify a session, on every board."""

from __future__ import annotations

import random
import re
import zlib
from pathlib import Path

import numpy as np
import pytest

from edgekws.emit.c import emit
from edgekws.graph.ir import Graph
from tests.firmware_io.firmware.lines import EMULATED, READY, Line, started


class Traffic:
    """A line that remembers what it carried."""

    def __init__(self, line: Line) -> None:
        self.line, self.sent, self.received = line, b"", b""

    def ask(self, command: bytes) -> bytes:
        self.line.port.write(command + b"%")
        answer: bytes = self.line.port.read_until(READY)
        self.sent += command + b"%"
        self.received += answer
        return answer

    def check(self, before: bytes = b"") -> tuple[int, int]:
        """What the device counted; begins again."""
        self.line.port.write(before + b"check%")
        answer = self.line.port.read_until(READY)
        match = re.fullmatch(rb"m-check-\[([0-9a-f]{8}),([0-9a-f]{8}),[0-9a-f]{8}\]\r\nm-ready\r\n", answer)
        assert match, answer
        self.sent, self.received = b"", b""
        return int(match[1], 16), int(match[2], 16)

    def expected(self, last: bytes = b"check%") -> tuple[int, int]:
        return zlib.crc32(self.sent + last), zlib.crc32(self.received)


COMMANDS = (
    *(b"name", b"profile", b"help", b"results", b"raw", b"memory", b"image", b"timestamp", b"db print", b"db load 490"),
    *(b"db 00ff7f80", b"infer 0", b"", b" ", b"\r\nname\r\n", b"nonsense", b"db zz", b"x" * 81, b"\x00\xff\x80"),
)


def test_check_without_other_traffic(line: Line) -> None:
    traffic = Traffic(line)
    traffic.check()
    assert traffic.check() == (zlib.crc32(b"check%"), 0)
    assert traffic.check(b"\r\n  ") == (zlib.crc32(b"\r\n  check%"), 0)


def test_every_byte_counts_in_both_directions(line: Line) -> None:
    traffic, choice = Traffic(line), random.Random(5)
    traffic.check()
    for _ in range(20):
        for _ in range(choice.randrange(1, 12)):
            traffic.ask(choice.choice(COMMANDS))
        expected = traffic.expected()
        assert traffic.check() == expected


def test_a_whole_classification_is_verified(line: Line) -> None:
    traffic = Traffic(line)
    traffic.check()
    digits = np.arange(490).astype(np.uint8).tobytes().hex()
    traffic.ask(b"db load 490")
    for start in range(0, len(digits), 62):
        traffic.ask(b"db " + digits[start : start + 62].encode())
    assert b"m-results-[" in traffic.ask(b"infer 1 0")
    expected = traffic.expected()
    assert traffic.check() == expected


@pytest.mark.parametrize("damage", ["lost", "added", "flipped"])
def test_damage_that_no_answer_shows_is_detected(damage: str, line: Line) -> None:
    """The command still makes sense, and the device obeys: only the checksum differs."""
    traffic, meant = Traffic(line), b"infer 12 0"
    arrived = {"lost": b"infer 1 0", "added": b"infer 122 0", "flipped": b"infer 13 0"}[damage]
    line.load(np.zeros((49, 10)))
    traffic.check()
    answer = traffic.ask(arrived)
    assert b"m-infer-done" in answer
    traffic.sent = meant + b"%"
    expected = traffic.expected()
    came, went = traffic.check()
    assert came != expected[0] and went == expected[1]


@pytest.mark.parametrize("name", EMULATED)
def test_the_banner_is_counted(name: str, graph: Graph, tmp_path: Path) -> None:
    with started(name, emit(graph), tmp_path) as (line, banner):
        sent = "".join(f"{text}\r\n" for text in [*banner, "m-ready"]).encode()
        assert Traffic(line).check() == (zlib.crc32(b"check%"), zlib.crc32(sent))
