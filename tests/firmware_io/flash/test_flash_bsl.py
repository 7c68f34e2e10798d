"""The MSPM0's boot loader: what it is sent, what it does with damage, kills and refusals."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekws.errors import ArtifactError, BoardError, ConfigError, EdgeKwsError
from firmware_io import flash
from firmware_io.flash import Job
from firmware_io.flash.mspm0_bsl import packets as bsl
from tests.firmware_io.devices.emulated_bsl import SECTOR, EmulatedBsl
from tests.firmware_io.devices.emulated_line import KillsHost, Noise, on_pty

BSL = flash.flasher("mspm0_bsl")
FAST = {"baud": "1000000", "patience_ms": "20"}
CALM = {**FAST, "patience_ms": "2000"}
"""For undamaged lines: nothing is late however busy this computer is."""
KB = 1024


def content(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def written(device: EmulatedBsl, image: Path, path: str, **options: str) -> str:
    return BSL.flash(Job(image, path, {**FAST, **options}), lambda *_: None)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.bin"
    path.write_bytes(content(128 * KB))
    return path


def test_packets_are_those_of_the_guide() -> None:
    assert bsl.packet(bytes([bsl.CONNECT])).hex() == "800100123a6144de"
    assert bsl.packet(bytes([bsl.INFO])).hex() == "80010019b2b89649"
    erase = bsl.packet(bytes([bsl.RANGE_ERASE]) + bsl.words(0x100, 0x3FF))
    assert erase.hex(" ") == "80 09 00 23 00 01 00 00 ff 03 00 00 2b e6 be d8"
    assert bsl.response(b"\x3b\0").hex(" ") == "08 02 00 3b 00 38 02 94 82"


def test_an_image_of_128_kb(image: Path) -> None:
    device, seen = EmulatedBsl(), []
    with on_pty(device) as path:
        summary = BSL.flash(Job(image, path, CALM), lambda *report: seen.append(report))
    assert device.flash == image.read_bytes() and device.started
    assert "128 of 128 sectors written, all verified, 0 packets repeated, application started" in summary
    assert device.programmed == 128 and device.erased == 128
    assert seen[-1] == ("verify", 128, 128) and any(what.startswith("write (0x00001c00)") for what, _, _ in seen)


def test_a_port_on_the_network(image: Path) -> None:
    """A serial server: rates are its business."""
    device = EmulatedBsl()

    def serve(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while received := connection.recv(1 << 16):
                for answer in device.receive(received, device.baud):
                    connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        written(device, image, f"socket://127.0.0.1:{server.getsockname()[1]}", **CALM)
        thread.join()
    assert device.flash == image.read_bytes() and device.started


@pytest.mark.parametrize("seed", range(5))
def test_one_packet_in_a_hundred_is_corrupted(image: Path, seed: int) -> None:
    device = EmulatedBsl(noise=Noise(seed, corrupt=0.01))
    with on_pty(device) as path:
        written(device, image, path)
    assert device.noise.strikes > 0
    assert device.flash == image.read_bytes()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("buffer", [64, 300])
def test_bytes_are_lost_and_packets_are_small(tmp_path: Path, seed: int, buffer: int) -> None:
    image = tmp_path / "image.bin"
    image.write_bytes(content(6_000, seed))
    device = EmulatedBsl(buffer=buffer, noise=Noise(seed, corrupt=0.01, drop=0.02))
    with on_pty(device) as path:
        written(device, image, path)
    assert device.noise.strikes > 0
    assert device.flash[:6_000] == image.read_bytes()


MORE = (st.integers(0, 40), st.sets(st.integers(0, 4), max_size=1))


@settings(max_examples=10)
@given(st.integers(0, 1 << 30), st.sampled_from([0.0, 0.03]), st.sampled_from([0.0, 0.01]), *MORE)
def test_success_is_never_reported_for_a_different_flash(
    seed: int, corrupt: float, drop: float, reset_after: int, protected: set[int]
) -> None:
    never_wrong(seed, corrupt, drop, reset_after, protected)


@pytest.mark.slow
@settings(max_examples=60)
@given(st.integers(0, 1 << 30), st.sampled_from([0.01, 0.1, 0.3]), st.sampled_from([0.0, 0.05]), *MORE)
def test_success_is_never_reported_for_a_different_flash_at_length(
    seed: int, corrupt: float, drop: float, reset_after: int, protected: set[int]
) -> None:
    never_wrong(seed, corrupt, drop, reset_after, protected)


def never_wrong(seed: int, corrupt: float, drop: float, reset_after: int, protected: set[int]) -> None:
    """Success or an error of ours; after success the flash is the image's, and the rest is untouched."""
    device = EmulatedBsl(8 * KB, noise=Noise(seed, corrupt, drop), reset_after=reset_after, protected=tuple(protected))
    device.flash[:] = before = content(8 * KB, seed + 1)
    with tempfile.TemporaryDirectory() as folder, on_pty(device) as path:
        image = Path(folder) / "image.bin"
        image.write_bytes(content(4_000, seed))
        try:
            BSL.flash(Job(image, path, {**FAST, "patience_ms": "3"}, size=8 * KB), lambda *_: None)
        except EdgeKwsError as error:
            assert "Got: " in str(error)
            return
    assert device.flash[:4_000] == content(4_000, seed)
    assert device.flash[4 * KB :] == before[4 * KB :]


def test_sectors_that_are_already_correct_are_not_written_again(image: Path) -> None:
    device = EmulatedBsl()
    with on_pty(device) as path:
        written(device, image, path, **CALM)
        device.invoke()
        device.flash[70 * KB] ^= 1
        device.erased = device.programmed = 0
        assert "1 of 128 sectors written" in written(device, image, path, **CALM)
    assert (device.erased, device.programmed) == (1, 1)
    assert device.flash == image.read_bytes()


def test_a_killed_flash_continues(image: Path) -> None:
    device = EmulatedBsl()
    program = (
        "import sys; from pathlib import Path; from firmware_io import flash;"
        "flash.flasher('mspm0_bsl').flash(flash.Job(Path(sys.argv[1]), sys.argv[2], "
        f"{FAST!r}), lambda *_: None)"
    )
    for kill_at in (20, 60, 100):
        killer = KillsHost(device, lambda packets=kill_at: device.programmed >= packets)
        with on_pty(killer) as path:
            process = subprocess.Popen([sys.executable, "-c", program, str(image), path])
            killer.host.set_result(process.pid)
            assert process.wait() == -signal.SIGKILL
        assert not device.started
    with on_pty(device) as path:
        before = device.programmed
        summary = written(device, image, path)  # nobody touched the board: still at 1 MBd, perhaps within a packet
    assert device.flash == image.read_bytes() and device.started
    assert device.programmed - before < 40, summary


def test_a_reset_in_the_middle_says_how_to_continue(image: Path) -> None:
    device = EmulatedBsl(reset_after=60)
    with on_pty(device) as path:
        with pytest.raises(BoardError, match=r"0x0000[0-9a-f]{4}.*silence.*(continues|invoke)"):
            written(device, image, path)
        device.invoke()
        written(device, image, path)
    assert device.flash == image.read_bytes()


def test_a_slow_erase_is_waited_for(image: Path) -> None:
    device = EmulatedBsl(erase_s=0.005)
    with on_pty(device) as path:
        written(device, image, path)
    assert device.flash == image.read_bytes() and device.erased == 128


def test_a_locked_loader_is_reported(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = EmulatedBsl()
    program = device._program

    def late(address: int, data: bytes) -> bytes:
        device.locked = address > 0x2000
        return program(address, data)

    monkeypatch.setattr(device, "_program", late)
    with on_pty(device) as path, pytest.raises(BoardError, match=r"0x00002800. Got: it is locked.*after 10 s"):
        written(device, image, path, **CALM)


def test_a_wrong_password_is_sent_once(image: Path) -> None:
    device = EmulatedBsl(password=b"secret!!" * 4)
    with on_pty(device) as path:
        with pytest.raises(BoardError, match=r"wrong password.*--option password=<64 hex digits>"):
            written(device, image, path, **CALM)
        assert device.wrong == 1
        written(device, image, path, password=(b"secret!!" * 4).hex())
    assert device.flash == image.read_bytes()


def test_a_silent_board_says_how_to_invoke_it(image: Path) -> None:
    device = EmulatedBsl()
    device.application = True
    with on_pty(device) as path, pytest.raises(BoardError, match=r"should answer. Got: silence.*hold the BSL button"):
        written(device, image, path)


def test_a_protected_sector_is_named(image: Path) -> None:
    device = EmulatedBsl(protected=(0x15,))
    with (
        on_pty(device) as path,
        pytest.raises(BoardError, match=r"0x00005400.*flash controller.*protected"),
    ):
        written(device, image, path)
    assert not device.started


def test_worn_out_flash_is_named(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = EmulatedBsl()
    program = device._program

    def worn(address: int, data: bytes) -> bytes:
        answer = program(address, data)
        if address == 0x5400:
            device.flash[0x5410] ^= 0x80  # a bit that does not stay
        return answer

    monkeypatch.setattr(device, "_program", worn)
    with on_pty(device) as path, pytest.raises(BoardError, match=r"Got: 0x00005400 and 0 more sectors"):
        written(device, image, path)
    assert not device.started


def test_a_wrong_first_crc_costs_one_retry(image: Path) -> None:
    device = EmulatedBsl(wrong_first_crc=True)
    with on_pty(device) as path:
        assert "128 of 128 sectors written" in written(device, image, path, **CALM)
    assert device.flash == image.read_bytes()


def test_the_whole_flash_is_erased_on_request(tmp_path: Path) -> None:
    image = tmp_path / "image.bin"
    image.write_bytes(content(3_000))
    device = EmulatedBsl()
    device.flash[:] = content(128 * KB, 1)
    with on_pty(device) as path:
        written(device, image, path, erase="all")
    assert device.flash == image.read_bytes() + b"\xff" * (128 * KB - 3_000)


def test_without_verification_the_summary_says_so(image: Path) -> None:
    device = EmulatedBsl()
    with on_pty(device) as path:
        summary = BSL.flash(Job(image, path, CALM, verify=False), lambda *_: None)
    assert "none verified" in summary and device.flash == image.read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"baud": "12345"}, "one of 4800"),
        ({"baud": "fast"}, "number from 4800"),
        ({"password": "ff"}, "64 hex digits"),
        ({"erase": "none"}, "`changed` or `all`"),
    ],
)
def test_malformed_options(image: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BSL.plan(Job(image, options=options))


def test_images_that_do_not_fit_are_refused_before_a_byte_is_sent(image: Path, tmp_path: Path) -> None:
    device = EmulatedBsl()
    with on_pty(device) as path, pytest.raises(BoardError, match="nothing was written"):
        BSL.flash(Job(image, path, FAST, size=64 * KB), lambda *_: None)
    assert device.packets == 0
    boot = tmp_path / "boot.hex"
    boot.write_text(":0200000441C0F9\n:0400000001020304F2\n:00000001FF\n")
    with pytest.raises(BoardError, match="NONMAIN"):
        BSL.plan(Job(boot))
    with pytest.raises(ArtifactError, match="No such file"):
        BSL.plan(Job(tmp_path / "gone.elf"))


def test_the_plan_names_each_step(tmp_path: Path) -> None:
    image = tmp_path / "image.bin"
    image.write_bytes(content(5 * SECTOR))
    plan = "\n".join(BSL.plan(Job(image, "/dev/ttyACM7")))
    assert "open /dev/ttyACM7 with 9600 baud" in plan
    assert "program at most 5 packets (20), 0x00000000..0x000013ff" in plan
    assert "verify 5 sectors" in plan and "start the application (40)" in plan
