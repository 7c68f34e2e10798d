"""The SCI boot loader of a C2000 and TI's flash kernel: the stream, damage, kills and refusals."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekws.errors import ArtifactError, BoardError, ConfigError, EdgeKwsError
from firmware_io import flash
from firmware_io.flash import Job
from firmware_io.flash._image import Image, Segment
from firmware_io.flash.c2000_sci import hex2000
from firmware_io.flash.c2000_sci import session as sci
from firmware_io.flash.c2000_sci.hex2000 import BootImage
from tests.firmware_io.devices.emulated_line import KillsHost, Noise, on_pty
from tests.firmware_io.devices.emulated_sci import EmulatedSci

SCI = flash.flasher("c2000_sci")
KB = 1024
ORIGIN, ENTRY = 0x80000, 0x80002
FAST = {"patience_ms": "100", "settle_ms": "0", "baud": "115200"}
CALM = {"patience_ms": "2000"}
"""For undamaged lines: nothing is late however busy this computer is."""


def boot_image(content: bytes, address: int = ORIGIN, entry: int = ENTRY) -> BootImage:
    return BootImage(bytes(16), entry, Image((Segment(2 * address, content),)))


KERNEL = boot_image(random.Random(7).randbytes(1_000), address=0xA000, entry=0xA000)


def content(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.fixture
def kernel(tmp_path: Path) -> str:
    path = tmp_path / "kernel.txt"
    path.write_text(hex2000.text(KERNEL.stream()))
    return str(path)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "app.txt"
    path.write_text(hex2000.text(boot_image(content(128 * KB)).stream()))
    return path


def device(**more: object) -> EmulatedSci:
    return EmulatedSci(KERNEL.stream(), **more)  # type: ignore[arg-type]


def job(image: Path, path: str, kernel: str, verify: bool = True, **options: str) -> Job:
    return Job(image, path, {**FAST, "kernel": kernel, **options}, verify)


def written(image: Path, path: str, kernel: str, **options: str) -> str:
    return SCI.flash(job(image, path, kernel, **options), lambda *_: None)


def test_packets_are_those_of_ti() -> None:
    assert sci.packet(sci.DFU).hex(" ") == "e4 1b 00 00 00 01 01 00 1b e4"
    assert sci.packet(sci.RUN, b"\2\0\x08\0").hex(" ") == "e4 1b 04 00 0e 00 02 00 08 00 18 00 1b e4"


def test_blank_sectors_of_the_image_are_not_reported_as_verified(tmp_path: Path, kernel: str) -> None:
    image = tmp_path / "app.txt"
    image.write_text(hex2000.text(boot_image(content(8 * KB) + b"\xff" * 16 * KB + content(8 * KB, 1)).stream()))
    with on_pty(device()) as path:
        summary = written(image, path, kernel, **CALM)
    assert "2 sectors, 2 transfers, all verified, 2 that are blank in the image were neither erased" in summary
    image.write_text(hex2000.text(boot_image(b"\xff" * 8 * KB).stream()))
    with pytest.raises(ArtifactError, match="something to write"):
        SCI.plan(job(image, "", kernel))


def test_an_image_of_128_kb(image: Path, kernel: str) -> None:
    board, seen = device(), []
    with on_pty(board) as path:
        summary = SCI.flash(job(image, path, kernel, **CALM), lambda *report: seen.append(report))
    assert board.flash[: 128 * KB] == content(128 * KB)
    assert board.flash[128 * KB :] == b"\xff" * (2 * board.words - 128 * KB)
    assert board.entry == ENTRY
    assert "16 sectors, 16 transfers, all verified, 0 exchanges repeated" in summary
    assert seen[-1] == ("verify", 16, 16) and any(what == "write (0x083000)" for what, _, _ in seen)


@pytest.mark.parametrize("seed", range(5))
def test_one_packet_in_a_hundred_is_corrupted(image: Path, kernel: str, seed: int) -> None:
    """It succeeds, or stops and names the word; then a reset and the same command start afresh."""
    board = device(noise=Noise(seed, corrupt=0.01))
    with on_pty(board) as path:
        for _ in range(6):
            try:
                written(image, path, kernel)
                break
            except BoardError as error:
                before_the_image = "of the kernel" in str(error) or "echo an A" in str(error)
                assert "at word 0x08" in str(error) or before_the_image, error
                assert board.entry is None
                board.press_reset()
        else:
            pytest.fail("six times stopped")
    assert board.noise.strikes > 0
    assert board.flash[: 128 * KB] == content(128 * KB)


MORE = (st.sampled_from([-1, -1, 1]), st.integers(0, 2))


@settings(max_examples=10)
@given(st.integers(0, 1 << 30), st.sampled_from([0.0, 0.01]), st.sampled_from([0.0, 0.01]), *MORE)
def test_success_is_never_reported_for_a_different_flash(
    seed: int, corrupt: float, drop: float, stuck: int, naks: int
) -> None:
    never_wrong(seed, corrupt, drop, stuck, naks)


@pytest.mark.slow
@settings(max_examples=100)
@given(st.integers(0, 1 << 30), st.sampled_from([0.0, 0.01, 0.05]), st.sampled_from([0.0, 0.02]), *MORE)
def test_success_is_never_reported_for_a_different_flash_at_length(
    seed: int, corrupt: float, drop: float, stuck: int, naks: int
) -> None:
    never_wrong(seed, corrupt, drop, stuck, naks)


def never_wrong(seed: int, corrupt: float, drop: float, stuck: int, naks: int) -> None:
    """Success or an error of ours; after success the flash is the image's."""
    board = device(noise=Noise(seed, corrupt, drop), stuck=stuck, naks=naks)
    data = content(20_000, seed)
    board.flash[:] = content(len(board.flash), seed + 1)
    with tempfile.TemporaryDirectory() as folder, on_pty(board) as path:
        image, kernel = Path(folder) / "app.txt", Path(folder) / "kernel.txt"
        image.write_text(hex2000.text(boot_image(data).stream()))
        kernel.write_text(hex2000.text(KERNEL.stream()))
        try:
            written(image, path, str(kernel), patience_ms="20")
        except EdgeKwsError as error:
            assert "Got: " in str(error)
            return
    assert board.flash[: len(data)] == data
    assert stuck != 1


def test_a_killed_flash_starts_again_after_a_reset(image: Path, kernel: str) -> None:
    board = device()
    program = (
        "import sys; from pathlib import Path; from firmware_io import flash;"
        "flash.flasher('c2000_sci').flash(flash.Job(Path(sys.argv[1]), sys.argv[2], "
        f"{FAST | {'kernel': kernel}!r}), lambda *_: None)"
    )
    killer = KillsHost(board, lambda: board.chunks >= 100)
    with on_pty(killer) as path:
        process = subprocess.Popen([sys.executable, "-c", program, str(image), path])
        killer.host.set_result(process.pid)
        assert process.wait() == -signal.SIGKILL
        with pytest.raises(BoardError, match=r"boot loader in ROM should echo an A.*reset the board"):
            written(image, path, kernel)
        assert board.entry is None
        board.press_reset()
        written(image, path, kernel)
    assert board.flash[: 128 * KB] == content(128 * KB) and board.entry == ENTRY


@pytest.mark.parametrize("reset_after", [1, 40, 333, 600])
def test_a_reset_in_the_middle_names_the_word(image: Path, kernel: str, reset_after: int) -> None:
    """The boot loader echoes after an A, and the data of an image have such bytes: an echo is no sum."""
    board = device(reset_after=reset_after)
    with on_pty(board) as path:
        with pytest.raises(BoardError, match=r"at word 0x08[0-9a-f]{4}.*reset the board"):
            written(image, path, kernel)
        assert board.entry is None
        board.press_reset()
        written(image, path, kernel, **CALM)
    assert board.flash[: 128 * KB] == content(128 * KB) and board.entry == ENTRY


def test_a_slow_erase_is_waited_for(image: Path, kernel: str) -> None:
    board = device(erase_s=0.02)
    with on_pty(board) as path:
        assert "0 exchanges repeated" in written(image, path, kernel, **CALM)
    assert board.flash[: 128 * KB] == content(128 * KB)


def test_a_refused_packet_is_sent_again(image: Path, kernel: str) -> None:
    board = device(naks=1)
    with on_pty(board) as path:
        summary = written(image, path, kernel, patience_ms="300")
    assert "1 exchanges repeated" in summary and board.flash[: 128 * KB] == content(128 * KB)


def test_a_sector_that_fails_verification_is_named(image: Path, kernel: str) -> None:
    board = device(stuck=3)
    with on_pty(board) as path, pytest.raises(BoardError, match=r"word 0x083000.*4000.*refused to be programmed.*DCSM"):
        written(image, path, kernel, **CALM)
    assert board.entry is None


def test_a_flash_that_changes_is_not_reported_as_verified(
    image: Path, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = device()
    use = board._use

    def leaky(command: int, address: int, chunk: bytes) -> None:
        use(command, address, chunk)
        board.flash[2 * 0x1234] ^= 4 if command == sci.DFU and address == 0x81200 else 0

    monkeypatch.setattr(board, "_use", leaky)
    with on_pty(board) as path, pytest.raises(BoardError, match=r"word 0x081000.*differs"):
        written(image, path, kernel, **CALM)


def test_silence_says_how_to_boot(image: Path, kernel: str) -> None:
    board = device()
    board.waiting = None
    with on_pty(board) as path, pytest.raises(BoardError, match=r"silence.*boot pins.*GPIO24"):
        written(image, path, kernel)


def test_a_broken_echo_stops_at_its_byte(image: Path, kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    board = device()
    receive = board.receive

    def echo(content: bytes, baud: int) -> list[bytes]:
        answer = receive(content, baud)
        return [b"\0"] if content == KERNEL.stream()[30:31] and board.loading else answer

    monkeypatch.setattr(board, "receive", echo)
    with on_pty(board) as path, pytest.raises(BoardError, match=r"at byte \d+ of 1030.*nothing was written"):
        written(image, path, kernel, **CALM)


def test_reset_and_no_verification(image: Path, kernel: str) -> None:
    board = device()
    with on_pty(board) as path:
        summary = SCI.flash(job(image, path, kernel, verify=False, finish="reset", **CALM), lambda *_: None)
    assert "none verified" in summary and board.resets == 1 and board.transfers == 16


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"finish": "stop"}, "`run` or `reset`"),
        ({"sector_words": "1000"}, "multiple of 128"),
        ({"origin": "flash"}, "origin should be a number"),
        ({"kernel": ""}, "flash kernel for the chip"),
    ],
)
def test_malformed_options(image: Path, kernel: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SCI.plan(job(image, "", **{"kernel": kernel, **options}))


def test_the_plan_names_each_step(image: Path, kernel: str) -> None:
    plan = "\n".join(SCI.plan(job(image, "/dev/ttyACM3", kernel)))
    assert "/dev/ttyACM3 with 115200 baud" in plan and "kernel.txt, 1030 bytes" in plan
    assert "16 transfers (packet 0100), words 0x080000..0x08ffff" in plan
    assert "run at 0x080002 (packet 000e)" in plan


def test_an_image_outside_of_the_flash_is_refused(tmp_path: Path, kernel: str) -> None:
    path = tmp_path / "ram.txt"
    path.write_text(hex2000.text(boot_image(bytes(16), address=0xA000).stream()))
    with pytest.raises(BoardError, match="nothing was written"):
        SCI.plan(job(path, "", kernel))


@given(
    st.lists(st.tuples(st.integers(0, 0x3FFF), st.binary(min_size=1, max_size=300)), min_size=1, max_size=4),
    st.integers(0, (1 << 22) - 1),
)
def test_boot_images_round_trip(blocks: list[tuple[int, bytes]], entry: int) -> None:
    spread = tuple(Segment(2 * (index * 0x10000 + at), data + data) for index, (at, data) in enumerate(blocks))
    expected = BootImage(bytes(range(16)), entry, Image(spread))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.txt"
        path.write_text(hex2000.text(expected.stream()))
        assert hex2000.read(path) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "AA 08"),
        ("hello", "not hexadecimal"),
        ("AA 08 " + "00 " * 20 + "04 00 08 00 00 00 01 00", "in the middle of a block, after 30 bytes"),
        ("AA 08 " + "00 " * 20, "in the middle of a block"),
        ("AA 08 " + "00 " * 22, "without blocks"),
        ("AA 08 " + "00 " * 20 + "01 00 08 00 00 00 01 00 00 00 55", "1 bytes after the last"),
    ],
)
def test_damaged_boot_images(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "image.txt"
    path.write_text(text)
    with pytest.raises(ArtifactError, match=message):
        hex2000.read(path)
    with pytest.raises(ArtifactError, match="No such file"):
        hex2000.read(tmp_path / "gone.txt")
