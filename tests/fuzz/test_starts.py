"""The soak of starts finds a lost banner, a lost character and a wrong name; a few starts lose nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from firmware_io.board import load
from fuzz import starts

BANNER = b"m-timestamp-mode-performance\r\nm-lap-us-63\r\nm-init-done\r\nm-ready\r\n"
NAME = b"m-name-dut-[edgekws-qemu-an386]\r\nm-ready\r\n"


class Recorded:
    """A port with these answers: the banner, then one to each `name%`; then silence."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)

    def read(self, timeout_s: float) -> bytes:
        return self.answers.pop(0) if self.answers else b""

    def write(self, content: bytes) -> None:
        assert content == b"name%"


@pytest.mark.parametrize(
    ("answers", "loss"),
    [
        ((BANNER, NAME), ""),
        ((BANNER[:20], BANNER[20:], NAME), ""),
        ((BANNER[1:], NAME), "the banner was b'-timestamp-mode"),
        ((NAME,), "the banner was b'm-name-dut-[edgekws-qemu-an386]"),
        ((BANNER[-9:], NAME), "the banner was b'm-ready"),
        ((), "the banner was b''"),
        ((BANNER, NAME.replace(b"386", b"385")), "`name%` was answered with b'm-name-dut-[edgekws-qemu-an385]"),
        ((BANNER,), "`name%` was answered with b''"),
    ],
)
def test_what_is_lost_is_found(answers, loss):
    kind = starts.Kind("qemu-an386", False, Path("none.elf"))
    result = starts._loss(Recorded(*answers), kind)
    assert result.startswith(loss) and bool(result) == bool(loss)


def test_a_start_that_fails_is_a_loss(tmp_path):
    assert "should be a firmware" in starts.start(starts.Kind("qemu-an386", False, tmp_path / "none.elf"))


def test_a_few_starts_lose_nothing(monkeypatch):
    if not all(map(shutil.which, (load("qemu-an386").compiler, load("qemu-an386").qemu_program))):
        pytest.skip("needs the compiler and the emulator of qemu-an386")
    monkeypatch.setattr(starts.boards, "names", lambda: ["qemu-an386"])
    lines: list[str] = []
    assert starts.run(4, 2, lines.append)
    assert lines == ["qemu-an386: 2 starts", "qemu-an386, energy mode: 2 starts", "4 starts, 2 at a time: 0 lost"]
