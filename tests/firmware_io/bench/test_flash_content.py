"""A build id is only what an image says of itself: the bench also compares the flash with the image, by CRC-32."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from edgekws.emit.c import emit
from edgekws.errors import BoardError
from edgekws.graph.ir import Graph
from firmware_io import board as boards
from firmware_io import build, flash
from firmware_io.bench import Plan, Vectors, bench
from firmware_io.bench.run import BenchRun
from firmware_io.build import Firmware, build_id, elf
from firmware_io.protocol.session import Session
from firmware_io.transport import open_transport
from tests.firmware_io.devices.fake_device import Direct, FakeDevice
from tests.firmware_io.firmware.lines import EMULATED, needs_for

BOARD = "qemu-an386"
OTHER_BYTES = (
    r"flash of the device should hold the bytes of firmware\.elf, CRC-32 {:08x}.*Got: CRC-32 {}.*flash it again"
)


@pytest.fixture
def vectors(random_features: Callable[..., np.ndarray]) -> Vectors:
    return Vectors("two", ("a", "b"), random_features(2))


@contextmanager
def running(name: str, image: Path) -> Iterator[Session]:
    board = boards.load(name)
    with (
        flash.load(board.flash_tool).start(board, image) as url,
        open_transport(url.replace("socket://", "tcp:"), image) as transport,
    ):
        yield Session(transport)


def bench_of(session: Session, graph: Graph, vectors: Vectors, firmware: Firmware, board: str = BOARD) -> BenchRun:
    return bench(session, boards.load(board), graph, vectors, Plan(("accuracy",)), firmware)


def built(graph: Graph, folder: Path, min_ram: bool = False, board: str = BOARD, energy: bool = False) -> Firmware:
    entry = boards.load(board)
    needs_for(entry)
    return build.build(entry, emit(graph, min_ram), folder / "firmware.elf", energy)


def id_at(content: bytes) -> int:
    return content.index(build_id.MARKER) + len(build_id.MARKER)


def test_another_firmware_with_the_id_of_this_one_is_refused(graph: Graph, vectors: Vectors, tmp_path: Path) -> None:
    """Both are of the same network, so every answer is right; flash, RAM and speed are those of the other one."""
    firmware, other = built(graph, tmp_path / "a"), built(graph, tmp_path / "b", min_ram=True)
    content, forged = other.elf.read_bytes(), tmp_path / "forged.elf"
    at = id_at(content)
    forged.write_bytes(content[:at] + bytes.fromhex(firmware.build_id) + content[at + build_id.ID_BYTES :])
    refused = pytest.raises(BoardError, match=OTHER_BYTES.format(firmware.flash_crc32, r"[0-9a-f]{8}"))
    with running(BOARD, forged) as session, refused:
        bench_of(session, graph, vectors, firmware)
    assert session.build_id == firmware.build_id


def test_one_changed_byte_is_refused(graph: Graph, vectors: Vectors, tmp_path: Path) -> None:
    """As a flash that was written badly has it; here in the text of `help`, where no answer of the bench shows it."""
    firmware, damaged = built(graph, tmp_path), tmp_path / "damaged.elf"
    content = bytearray(firmware.elf.read_bytes())
    content[content.index(b"probabilities of the last")] ^= 1
    damaged.write_bytes(content)
    with running(BOARD, damaged) as session, pytest.raises(BoardError, match="flash of the device should hold"):
        bench_of(session, graph, vectors, firmware)
    with running(BOARD, firmware.elf) as session:
        assert bench_of(session, graph, vectors, firmware).build.status == "verified"


def energy_modes() -> list[tuple[str, bool]]:
    return [
        (name, energy) for name in EMULATED for energy in (False, True) if not energy or boards.load(name).energy_edge
    ]


@pytest.mark.parametrize(("name", "energy"), energy_modes())
def test_every_board_computes_the_crc_of_its_file(name: str, energy: bool, graph: Graph, tmp_path: Path) -> None:
    board = boards.load(name)
    firmware = built(graph, tmp_path, board=name, energy=energy)
    parts = elf.loaded(firmware.elf, firmware.elf.read_bytes())
    assert sum(len(content) for _, content in parts) == firmware.flash_bytes
    assert firmware.flash_crc32 == zlib.crc32(b"".join(content for _, content in parts))
    tool = flash.load(board.flash_tool)
    if energy:
        with (
            tool.start_with_events(board, firmware.elf) as urls,
            open_transport(urls.events.replace("socket://", "tcp:"), firmware.elf),
            open_transport(urls.line.replace("socket://", "tcp:"), firmware.elf) as transport,
        ):
            session = Session(transport)
            session.start()
            assert session.flash_crc32() == firmware.flash_crc32
    else:
        with running(name, firmware.elf) as session:
            session.start()
            assert session.flash_crc32() == firmware.flash_crc32 == session.flash_crc32()


@pytest.mark.parametrize("name", [name for name in boards.names() if boards.load(name).linker_script])
def test_the_parts_of_an_image_touch(name: str, graph: Graph, tmp_path: Path) -> None:
    """So that a .bin of it has the same CRC-32: nothing is filled in."""
    for min_ram in (False, True):
        (one,) = flash.contents(built(graph, tmp_path, min_ram, name).elf).parts
        assert len(one) > 10_000


def test_a_program_of_this_computer_has_no_flash(graph: Graph, vectors: Vectors, tmp_path: Path) -> None:
    firmware = built(graph, tmp_path, board="host")
    assert firmware.flash_crc32 is None
    with open_transport("host:", firmware.elf) as transport:
        session = Session(transport)
        assert bench_of(session, graph, vectors, firmware, "host").build.status == "verified"
        assert session.flash_crc32() is None


FIRMWARE = Firmware(Path("firmware.elf"), "f" * 64, 30_000, 100, 20_000, "5eed" * 8, 0x0123ABCD)


@pytest.mark.parametrize(("flash_crc32", "got"), [(0x0123ABCE, "0123abce"), (None, "none")])
def test_other_bytes_or_no_answer_are_refused_before_anything_is_measured(
    flash_crc32: int | None, got: str, graph: Graph, vectors: Vectors
) -> None:
    """Every firmware of ours that says a build id can say the CRC-32 of its flash."""
    device = FakeDevice(graph, check=True, build=FIRMWARE.build_id, flash_crc32=flash_crc32)
    with pytest.raises(BoardError, match=OTHER_BYTES.format(0x0123ABCD, got)):
        bench_of(Session(Direct(device, chunk=4096)), graph, vectors, FIRMWARE, "nucleo-l4r5zi")
    assert device.inferences == 0


def test_the_right_bytes_and_a_firmware_of_others_are_benched(graph: Graph, vectors: Vectors) -> None:
    device = FakeDevice(graph, check=True, build=FIRMWARE.build_id, flash_crc32=0x0123ABCD)
    result = bench_of(Session(Direct(device, chunk=4096)), graph, vectors, FIRMWARE, "nucleo-l4r5zi")
    assert result.valid and result.build.status == "verified"
    other = bench_of(Session(Direct(FakeDevice(graph), chunk=4096)), graph, vectors, FIRMWARE, "nucleo-l4r5zi")
    assert other.valid and other.build.status == "unverified"


def test_a_damaged_answer_is_asked_for_again(graph: Graph, vectors: Vectors) -> None:
    device, left = FakeDevice(graph, check=True, build=FIRMWARE.build_id, flash_crc32=0x0123ABCD), [True]

    class Damaging(Direct):
        def write(self, content: bytes) -> None:
            super().write(content)
            if content == b"image%" and left.pop():
                left.append(False)
                self.waiting = self.waiting.replace(b"0123abcd", b"0123abcc")

    result = bench_of(Session(Damaging(device, chunk=4096)), graph, vectors, FIRMWARE, "nucleo-l4r5zi")
    assert result.build.status == "verified" and result.transfers.repeated == 1
