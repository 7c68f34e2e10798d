"""Which build answers: read at the start, and the same in every `check` until the end of a session."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edgekws.errors import BoardError, ProtocolError
from edgekws.graph.ir import Graph
from firmware_io.protocol.line import ChangedError
from firmware_io.protocol.parser import Build, Parser, Ready, Text
from firmware_io.protocol.session import Session
from tests.firmware_io.devices.fake_device import Direct, FakeDevice

FIRST, SECOND = "0123456789abcdef" * 2, "fedcba9876543210" * 2
Answer = Callable[[bytes, bytes], bytes]


class Line(Direct):
    """A device whose answers pass through `damage`."""

    def __init__(self, device: FakeDevice, damage: Answer | None = None) -> None:
        super().__init__(device, chunk=4096)
        self.damage = damage

    def write(self, content: bytes) -> None:
        before, self.waiting = self.waiting, b""
        super().write(content)
        self.waiting = before + (self.damage(content, self.waiting) if self.damage else self.waiting)


def of_checks(*changes: tuple[bytes, bytes]) -> Answer:
    """Replaces text in the answers to `check`: of the first one by the first change, and so on."""
    left = list(changes)

    def damage(sent: bytes, answer: bytes) -> bytes:
        return answer.replace(*left.pop(0)) if sent.startswith(b"check") and left else answer

    return damage


@pytest.fixture
def clip(random_features: Callable[..., np.ndarray]) -> np.ndarray:
    return random_features(1)[0]


@pytest.mark.parametrize("energy", [False, True])
def test_the_id_is_read_at_the_start(graph: Graph, energy: bool) -> None:
    session = Session(Line(FakeDevice(graph, check=True, energy=energy, build=FIRST)))
    assert session.build_id is None
    session.start()
    assert session.build_id == FIRST and session.transfers.repeated == 0


@pytest.mark.parametrize(("check", "build"), [(False, ""), (True, ""), (True, "0" * 32)])
def test_a_firmware_without_an_id(graph: Graph, clip: np.ndarray, check: bool, build: str) -> None:
    """The reference, firmware of edgekws before the id, and one that was linked by other means."""
    session = Session(Line(FakeDevice(graph, check=check, build=build)))
    session.start()
    assert session.classify(clip).loads == 1 and session.build_id == ""


def test_the_lines_of_help_are_text_and_only_there() -> None:
    parser = Parser()
    parser.feed(b"name : vendor\r\n\r\nm-build-[" + FIRST.encode() + b"]\r\nm-ready\r\nname : vendor\r\n")
    assert [parser.take(prose=True) for _ in range(4)] == [Text("name : vendor"), Text(""), Build(FIRST), Ready()]
    with pytest.raises(ProtocolError, match="name : vendor"):
        parser.take()
    garbage = Parser()
    garbage.feed(b"\x80\r\n")
    with pytest.raises(ProtocolError, match="printable"):
        garbage.take(prose=True)


@pytest.mark.parametrize("energy", [False, True])
@pytest.mark.parametrize("build", [SECOND, ""])
def test_another_firmware_in_the_middle_ends_the_session(
    graph: Graph, clip: np.ndarray, energy: bool, build: str
) -> None:
    """Even if nothing else shows it: here neither banner nor clock nor checksum do."""
    device = FakeDevice(graph, check=True, energy=energy, build=FIRST)
    session = Session(Line(device))
    session.start()
    session.classify(clip)
    device.build = build
    with pytest.raises(
        BoardError, match=r"one firmware from start to end.*01234567.*Got: one with .*What to do"
    ) as error:
        session.classify(clip)
    assert isinstance(error.value, ChangedError) and ("fedcba98" in str(error.value)) == bool(build)
    assert session.transfers.repeated == 0, "no retry"


def test_an_id_that_appears_later_ends_the_session(graph: Graph, clip: np.ndarray) -> None:
    device = FakeDevice(graph, check=True)
    session = Session(Line(device))
    session.start()
    device.build = SECOND
    with pytest.raises(ChangedError, match=r"no build id.*Got: one with the build id fedcba98"):
        session.classify(clip)


@pytest.mark.parametrize(
    "damage",
    [
        ((b"01234567", b"01234566"),),
        ((b",01234567", b""),),
        ((b"01234567", b"fedcba98"), (b"01234567", b"01234568")),
    ],
)
def test_a_damaged_id_costs_a_retry(graph: Graph, clip: np.ndarray, damage: tuple[tuple[bytes, bytes], ...]) -> None:
    line = Line(FakeDevice(graph, check=True, build=FIRST))
    session = Session(line)
    session.start()
    line.damage = of_checks(*damage)
    assert session.classify(clip).loads == 2 and session.build_id == FIRST


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("change", [(b",01234567", b""), (b",01234567", b",00000000"), (b",01234567", b",f1234567")])
def test_damage_at_the_start_does_not_hide_the_id(graph: Graph, number: int, change: tuple[bytes, bytes]) -> None:
    nothing = (b"", b"")
    session = Session(Line(FakeDevice(graph, check=True, build=FIRST), of_checks(*[nothing] * number, change)))
    session.start()
    assert session.build_id == FIRST and session.transfers.repeated <= 1


def test_a_firmware_that_contradicts_itself_is_refused(graph: Graph) -> None:
    """`help` and `check` of one firmware agree."""
    device = FakeDevice(graph, check=True, build=FIRST)
    device._short = lambda: ",fedcba98"  # type: ignore[method-assign]
    with pytest.raises(ProtocolError, match=r"the build id 01234567.*Got: the build id fedcba98"):
        Session(Line(device)).start()


def test_a_help_without_the_id_is_refused(graph: Graph) -> None:
    device = FakeDevice(graph, check=True, build=FIRST)
    device._help = lambda: "name : what it is\r\n"  # type: ignore[method-assign]
    with pytest.raises(ProtocolError, match=r"`help` with m-build"):
        Session(Line(device)).start()
