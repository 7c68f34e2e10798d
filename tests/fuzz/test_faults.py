"""Sessions over a faulty wire: never a wrong result, never a hang; and the campaign would detect both."""

from __future__ import annotations

import itertools
import random
import re
import shutil

import pytest

from edgekws.errors import BoardError
from firmware_io.protocol.session import Session, Timeouts
from fuzz import campaign, faults, faults_fake
from fuzz.wire import KINDS, Fault, Wire


def tally(module: str, runs: int, seed: int, first: int = 0) -> campaign.Tally:
    return campaign.chunk((module, seed, first, runs))


def test_no_fault_breaks_a_session() -> None:
    result = tally("fuzz.faults_fake", 600, 5)
    assert result.findings == []
    correct = {"correct", "correct after a retry", "without check: correct"}
    assert {*correct, "RestartedError", "ProtocolError", "BoardError"} <= set(result.outcomes)
    assert result.outcomes["correct after a retry"] > 200


def test_one_fault_of_the_wire_costs_a_retry_and_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """All kinds but those that a session must report: a reset, another build, a cut, and what looks like a banner."""
    drawn = faults.random_faults
    reported = {"reset", "swap", "cut", "lines", "repeat"}

    def one(rng: random.Random, *limits: int) -> list[Fault]:
        return next([fault] for fault in drawn(rng, 30, *limits[1:]) if fault.kind not in reported)

    monkeypatch.setattr(faults, "random_faults", one)
    result = tally("fuzz.faults_fake", 300, 8)
    with_check = {outcome for outcome in result.outcomes if not outcome.startswith("without check")}
    assert result.findings == [] and with_check == {"correct", "correct after a retry"}
    assert result.outcomes["correct after a retry"] > 150


def test_a_run_is_determined_by_its_number() -> None:
    assert tally("fuzz.faults_fake", 40, 6).outcomes == sum(
        (tally("fuzz.faults_fake", 20, 6, first).outcomes for first in (0, 20)), start=campaign.Tally().outcomes
    )


def test_a_session_without_verification_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "_verify", lambda self: None)
    findings = "".join(tally("fuzz.faults_fake", 300, 10).findings)
    assert "WRONG SCORES" in findings and "WRONG PROBABILITIES" in findings and "A WRONG TIME" in findings


def test_a_session_that_hides_resets_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firmware_io.protocol.session._BANNER", re.compile(b"never"))
    monkeypatch.setattr("firmware_io.protocol.line._is_end_of", lambda sent, crc: False)
    monkeypatch.setattr(Session, "_synchronise", lambda self: self._line.check())
    assert "A RESET was hidden" in "".join(tally("fuzz.faults_fake", 100, 5, first=800).findings)


def test_a_session_that_takes_results_of_another_build_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a board does that was flashed in the middle of a run: its banner and its clock are not there to warn."""
    monkeypatch.setattr(Session, "_verify_build", lambda self: None)
    monkeypatch.setattr(
        faults, "random_faults", lambda rng, *limits: [Fault("swap", "from", rng.randrange(2800), 1, 0.0)]
    )
    monkeypatch.setattr("fuzz.wire.Wire._interrupt", silent_swap)
    assert "OF ANOTHER BUILD was accepted" in "".join(tally("fuzz.faults_fake", 100, 5).findings)
    monkeypatch.undo()


def silent_swap(wire: Wire, kind: str) -> None:
    wire.resets += 1
    wire._device.swap(banner=False)


def test_only_the_build_id_of_a_check_is_damaged() -> None:
    answer = b"m-check-[0123abcd,89abcdef,5eed0000]\r\n"
    spoiled = {echoed(Fault("build", "from", 0, 1, 0.0), content=answer)[0] for _ in range(1)}
    for seed in range(40):
        echo = Echo()
        wire = Wire(echo, [Fault("build", "from", 0, 1, 0.0)], random.Random(seed), 60.0)
        wire.write(answer)
        spoiled.add(wire.read(0.05))
    assert b"m-check-[0123abcd,89abcdef]\r\n" in spoiled and len(spoiled) > 20
    assert all(re.fullmatch(rb"m-check-\[0123abcd,89abcdef(,[0-9a-f]{8})?\]\r\n", each) for each in spoiled)


def test_a_session_that_hangs_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults_fake, "TIMEOUTS", Timeouts(line_s=1e4))
    assert "a hang" in "".join(tally("fuzz.faults_fake", 100, 5).findings)


class Echo:
    """A device that sends back what it receives."""

    def __init__(self) -> None:
        self.now, self.content, self.resets, self.build = 0.0, b"", 0, "first"

    def clock(self) -> float:
        return self.now

    def read(self, timeout_s: float) -> bytes:
        content, self.content = self.content, b""
        self.now += 0 if content else timeout_s
        return content

    def write(self, content: bytes) -> None:
        self.content += content

    def reset(self) -> None:
        self.resets += 1

    def swap(self, banner: bool) -> None:
        self.content += b"banner" if banner else b""
        self.build = "other"


def echoed(*struck: Fault, content: bytes = b"0123456789") -> tuple[bytes, Echo]:
    echo = Echo()
    wire = Wire(echo, list(struck), random.Random(0), 60.0)
    wire.write(content)
    return b"".join(itertools.takewhile(bool, (wire.read(0.05) for _ in range(9)))), echo


@pytest.mark.parametrize("direction", ["to", "from"])
def test_effect_of_each_kind_of_fault(direction: str) -> None:
    def one(kind: str, at: int = 4, size: int = 2, seconds: float = 0.0) -> bytes:
        return echoed(Fault(kind, direction, at, size, seconds))[0]

    whole = b"0123456789"
    assert echoed()[0] == one("drop", at=10) == whole
    assert one("drop") == b"01236789"
    assert one("duplicate") == b"012345" + b"456789" or one("duplicate") == b"0123" + b"45" + b"456789"
    assert one("repeat") == b"0123" + b"23" + b"456789"
    assert one("reorder") == b"0123674589"
    assert one("corrupt")[:4] == b"0123" and one("corrupt")[6:] == b"6789" and one("corrupt") != whole
    assert one("digit").isdigit() and len(one("digit")) == 10
    assert len(one("noise")) == 12 and one("lines").startswith(b"0123") and len(one("lines")) > 10
    assert one("delay", seconds=0.04) == whole and one("delay", seconds=3.0) == b"0123"
    assert echoed(Fault("reset", direction, 4, 0, 0.0))[1].resets == 1
    assert echoed(Fault("swap", direction, 4, 0, 0.0))[1].build == "other"
    with pytest.raises(BoardError, match="was cut"):
        one("cut")


def test_every_kind_of_fault_is_drawn() -> None:
    assert {fault.kind for fault in faults.random_faults(random.Random(0), 500, 100, 100)} == set(KINDS)


def test_the_fake_device_has_check_and_distinct_scores() -> None:
    device, graphs, clips = faults_fake._device_and_clips()
    scores = [score for build in graphs for score in clips[build].scores]
    assert device.has_check and len({*scores}) == len(scores)


def require_compiler() -> None:
    if shutil.which("cc") is None:
        pytest.skip("cc is not installed")


@pytest.mark.slow
def test_no_fault_breaks_a_session_with_the_real_firmware() -> None:
    require_compiler()
    result = tally("fuzz.faults_host", 100, 1)
    assert result.findings == [] and result.outcomes["correct after a retry"] > 20


def test_a_few_faults_with_the_real_firmware() -> None:
    require_compiler()
    result = tally("fuzz.faults_host", 10, 2)
    assert result.findings == [] and sum(result.outcomes.values()) == 10


def test_a_device_without_check_lets_a_changed_digit_through() -> None:
    """A digit that became another digit: documented, and the reason for `check`."""
    outcomes = tally("fuzz.faults_fake", 60, 5, first=180).outcomes
    assert any(outcome.startswith("without check: WRONG") for outcome in outcomes)
