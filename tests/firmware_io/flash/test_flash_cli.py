"""`edgekws flash` on physical boards: build, write over an emulated boot loader, identify; or a dry run."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import pytest

from edgekws.cli.boards import flash as cli
from edgekws.emit.c import emit
from edgekws.errors import ArtifactError, BoardError, ConfigError
from edgekws.graph import io
from edgekws.graph.ir import Graph
from firmware_io import board as boards
from firmware_io import build, ports
from firmware_io.build import build_id
from firmware_io.flash._image import read, sectors
from firmware_io.flash.c2000_sci import hex2000
from firmware_io.ports import Port
from tests.firmware_io.devices.emulated_bsl import EmulatedBsl
from tests.firmware_io.devices.emulated_line import on_pty
from tests.firmware_io.devices.emulated_sci import EmulatedSci
from tests.firmware_io.devices.fake_device import FakeDevice
from tests.firmware_io.flash.test_flash_sci import KERNEL, boot_image

PROFILE = "ULPMark for tinyML Firmware V0.0.1"
MSPM0, NUCLEO = "lp-mspm0g5187", "nucleo-l4r5zi"
QUICK = ["patience_ms=1000"]
Capture = pytest.CaptureFixture[str]


class Board:
    """A boot loader until it starts the application, which then answers with the build id in its flash.

    stale: as if it started what it held before. damaged: as if a bit of its flash changed after it was written.
    """

    def __init__(self, graph: Graph) -> None:
        self.bsl, self.firmware = EmulatedBsl(), FakeDevice(graph, check=True)
        self.stale = self.damaged = False

    def receive(self, content: bytes, baud: int) -> Iterable[bytes]:
        if not self.bsl.started:
            return self.bsl.receive(content, baud)
        number = build_id.of_content(bytes(self.bsl.flash))
        self.firmware.build = number[::-1] if self.stale else number
        self.firmware.flash_crc32 = zlib.crc32(bytes(self.bsl.flash).rstrip(b"\xff")) ^ self.damaged
        return [self.firmware.receive(content) if baud == 115_200 else b"\xf8"]


@pytest.fixture
def out(graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # the folders of dry runs go with the test
    io.save(graph, tmp_path / "graph.npz")
    return tmp_path


def flash(out: Path, **options: object) -> None:
    cli.flash(**{"board": MSPM0, "out": out, **options})  # type: ignore[arg-type]


def test_build_write_and_identify(out: Path, graph: Graph, capsys: Capture) -> None:
    board = Board(graph)
    with on_pty(board) as port:
        flash(out, port=port, option=QUICK)
    output = capsys.readouterr().out
    written = sectors(read(out / "firmware" / f"{MSPM0}.elf"), 1024)
    assert len(written) > 10
    assert all(board.bsl.flash[address : address + 1024] == content for address, content in written.items())
    assert f"{len(written)} of {len(written)} sectors written, all verified" in output
    assert f"{MSPM0}: fake answers" in output and "flash" in output.splitlines()[-2]
    assert f"performance mode, build {build_id.of_file(out / 'firmware' / f'{MSPM0}.elf')}\n" in output


def test_an_existing_image_is_identified_by_its_build_id(out: Path, graph: Graph, capsys: Capture) -> None:
    built = build.build(boards.load(MSPM0), emit(graph), out / "fw.elf")
    binary = out / "fw.bin"
    binary.write_bytes(b"".join(segment.content for segment in read(built.elf).segments))
    for image in (built.elf, binary):
        with on_pty(Board(graph)) as port:
            flash(out, image=image, port=port, option=QUICK)
        assert (
            f"fake answers, {PROFILE}, model kws01, performance mode, build {built.build_id}" in capsys.readouterr().out
        )


def test_a_board_that_does_not_run_what_was_written_is_an_error(out: Path, graph: Graph) -> None:
    board = Board(graph)
    board.stale = True
    message = f"{MSPM0} should run what was written, build [0-9a-f]{{32}}. Got: build [0-9a-f]{{32}}"
    with on_pty(board) as port, pytest.raises(BoardError, match=message):
        flash(out, port=port, option=QUICK)


def test_a_flash_with_other_bytes_than_were_written_is_an_error(out: Path, graph: Graph) -> None:
    """Its build id is right, for the damage is elsewhere."""
    board = Board(graph)
    board.damaged = True
    message = (
        rf"flash of {MSPM0} should hold the bytes of {MSPM0}\.elf, CRC-32.*Got: CRC-32 [0-9a-f]{{8}}.*flash it again"
    )
    with on_pty(board) as port, pytest.raises(BoardError, match=message):
        flash(out, port=port, option=QUICK)


@pytest.mark.parametrize("dry_run", [False, True])
def test_an_image_that_was_changed_is_not_written(out: Path, graph: Graph, dry_run: bool) -> None:
    image = build.build(boards.load(MSPM0), emit(graph), out / "fw.elf").elf
    content = bytearray(image.read_bytes())
    content[content.index(b"probabilities of the last")] ^= 1
    image.write_bytes(content)
    board = Board(graph)
    with on_pty(board) as port, pytest.raises(ArtifactError, match="was changed after it was built"):
        flash(out, image=image, port=port, option=QUICK, dry_run=dry_run)
    assert board.bsl.packets == 0


def test_an_image_of_others_is_written_and_not_asked(out: Path, graph: Graph, capsys: Capture) -> None:
    image = out / "fw.bin"
    image.write_bytes(bytes(range(256)))
    board = Board(graph)
    with on_pty(board) as port:
        flash(out, image=image, port=port, option=QUICK)
    assert "has no build id, so the board was not asked" in capsys.readouterr().out and board.firmware.commands == 0


def test_an_emulated_board_says_its_build(out: Path, capsys: Capture) -> None:
    flash(out, board="qemu-an386")
    number = build_id.of_file(out / "firmware" / "qemu-an386.elf")
    assert f"performance mode, build {number}\n" in capsys.readouterr().out


def test_a_dry_run_prints_what_would_be_sent(out: Path, capsys: Capture) -> None:
    flash(out, dry_run=True)
    assert not (out / "firmware").exists()
    output = capsys.readouterr().out
    assert re.search(r"build: .*arm-none-eabi-gcc.*\nload:  send: open serial:board=lp-mspm0g5187", output, re.DOTALL)
    assert re.search(r"program at most [12]\d packets \(20\), 0x00000000\.\.0x0000[0-9a-f]{4}\n", output)
    image = out / "fw.bin"
    image.write_bytes(bytes(3_000))
    flash(out, image=image, dry_run=True)
    output = capsys.readouterr().out
    assert "load:  send: open serial:board=lp-mspm0g5187 with 9600 baud" in output
    assert "program at most 3 packets (20), 0x00000000..0x00000bff" in output


def test_a_dry_run_prints_what_would_be_run(out: Path, capsys: Capture) -> None:
    image = out / "fw.hex"
    image.write_text(":020000040800F2\n:0400000001020304F2\n:00000001FF\n")
    flash(out, board=NUCLEO, dry_run=True)
    (elf,) = re.findall(rf"program {{(\S+/{NUCLEO}\.elf)}} verify reset exit", capsys.readouterr().out)
    assert Path(elf).is_file() and not (out / "firmware").exists()
    flash(out, board=NUCLEO, image=image, dry_run=True)
    assert "load:  run: openocd -f board/st_nucleo_l4.cfg -c 'program {" in capsys.readouterr().out
    flash(out, board=NUCLEO, tool="pyocd", option=["target=stm32l4r5zitx"], image=image, dry_run=True)
    assert "pyocd flash --no-wait --target stm32l4r5zitx" in capsys.readouterr().out


@pytest.mark.parametrize("board", ["qemu-an386", "host"])
def test_the_lines_of_a_dry_run_make_the_image_and_start_it(out: Path, capsys: Capture, board: str) -> None:
    """As a user: each printed line into a shell, in order."""
    if shutil.which(boards.load(board).compiler) is None:
        pytest.skip("the firmware's compiler is not installed")
    flash(out, board=board, dry_run=True)
    assert not (out / "firmware").exists()
    lines = capsys.readouterr().out.splitlines()
    build, load = (
        [line.removeprefix(word) for line in lines if line.startswith(word)] for word in ("build: ", "load:  ")
    )
    (folder,) = (line.removeprefix("folder: ").partition(" ")[0] for line in lines if line.startswith("folder: "))
    for line in build:
        subprocess.run(line, shell=True, check=True, cwd=out)
    flash(out, board=board)
    image = Path(folder) / f"{board}.elf"
    assert image.read_bytes() == (out / "firmware" / f"{board}.elf").read_bytes()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}  # `host` ends with stdin
    with subprocess.Popen(["/bin/sh", "-c", f"exec {load[0]}"], **pipes) as started:
        try:
            assert re.search(rb"waiting for connection|/dev/", started.stdout.readline())
        finally:
            started.kill()


def test_the_firmware_of_energy_mode(out: Path, capsys: Capture) -> None:
    """Its line has another baud rate, its file another name."""
    flash(out, board=NUCLEO, energy=True, dry_run=True)
    output = capsys.readouterr().out
    assert re.search(rf"program {{\S+/{NUCLEO}-energy\.elf}} verify", output)
    assert "-DEKW_ENERGY_MODE=1u" in output and "-DEKW_BAUD=9600u" in output
    flash(out, board="host", energy=True)
    assert "edgekws-host answers" in (output := capsys.readouterr().out) and "energy mode" in output
    assert (out / "firmware" / "host-energy.elf").exists() and not (out / "firmware" / "host.elf").exists()


def test_a_board_in_energy_mode_is_identified_at_its_baud_rate(
    out: Path, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    board, urls = boards.load(NUCLEO), list[str]()
    elfs = [build.build(board, emit(graph), out / f"{energy}.elf", energy).elf for energy in (True, False)]
    monkeypatch.setattr(cli, "_print_identity", lambda board, transport, *_: urls.append(transport))
    monkeypatch.setattr(cli, "_is_connected", lambda device: True)
    for port in ("", "/dev/ttyACM1"):
        for elf in elfs:
            cli._identify_written(board, port, elf)
    own = f"serial:board={NUCLEO}"
    given = "serial:/dev/ttyACM1"
    assert urls == [f"{where}?baud={baud}" for where in (own, given) for baud in (9_600, 115_200)]


@pytest.mark.parametrize("port", ["/dev/ttyNONE7", "serial:/dev/ttyNONE7", "serial:/dev/ttyNONE7?baud=9600"])
def test_a_port_may_be_written_as_bench_writes_it(out: Path, port: str) -> None:
    image = out / "fw.bin"
    image.write_bytes(bytes(64))
    with pytest.raises(BoardError, match=r"^/dev/ttyNONE7 should be a port.*no such port"):
        flash(out, image=image, port=port)


@pytest.mark.parametrize("port", ["0451:bef3", "serial:0451:BEF3", "sn=M1", "serial:sn=M1", f"board={MSPM0}"])
def test_a_port_may_be_named_by_its_usb_id_serial_number_or_board(
    out: Path, port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = out / "fw.bin"
    image.write_bytes(bytes(64))
    listed = [Port("/dev/ttyNONE7", "0451:bef3", "M1", boards=(MSPM0,)), Port("/dev/ttyNONE8", "0483:374b")]
    monkeypatch.setattr(ports, "listed", lambda: listed)
    with pytest.raises(BoardError, match=r"^/dev/ttyNONE7 should be a port.*no such port"):
        flash(out, image=image, port=port)


def test_only_a_serial_port_can_be_written_to(out: Path) -> None:
    image = out / "fw.bin"
    image.write_bytes(bytes(64))
    with pytest.raises(ConfigError, match=r"should be a serial port.*tcp:localhost:1"):
        flash(out, image=image, port="tcp:localhost:1")


def test_a_given_image_over_another_tool_needs_no_board(out: Path, capsys: Capture) -> None:
    image, kernel = out / "app.txt", out / "kernel.txt"
    image.write_text(hex2000.text(boot_image(bytes(range(200))).stream()))
    kernel.write_text(hex2000.text(KERNEL.stream()))
    board = EmulatedSci(KERNEL.stream())
    with on_pty(board) as port:
        options = [*QUICK, f"kernel={kernel}", "settle_ms=0"]
        flash(out, board="qemu-an386", tool="c2000_sci", image=image, port=port, option=options)
    assert board.flash[:200] == bytes(range(200)) and "all verified" in capsys.readouterr().out


def test_an_absent_port_lists_the_others(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = out / "fw.bin"
    image.write_bytes(bytes(64))
    stlink = Port("/dev/ttyACM8", "0483:374b", title="ST-LINK")
    monkeypatch.setattr(ports, "listed", lambda: [stlink])
    with pytest.raises(BoardError, match=r"serial:board=lp-mspm0g5187 should be plugged in.*ttyACM8.*--port"):
        flash(out, image=image)
    with pytest.raises(BoardError, match=r"needs the serial port of the board.*ttyACM8.*--port"):
        flash(out, board="qemu-an386", tool="mspm0_bsl", image=image)
    monkeypatch.setattr(ports, "listed", list)
    with pytest.raises(BoardError, match="no serial port"):
        flash(out, image=image)


def test_the_two_ports_of_a_probe_are_not_guessed(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = out / "fw.bin"
    image.write_bytes(bytes(64))
    both = [Port(f"/dev/ttyACM{number}", "0451:bef3", boards=(MSPM0,)) for number in (2, 3)]
    monkeypatch.setattr(ports, "listed", lambda: both)
    with pytest.raises(BoardError, match=r"2 candidates.*ttyACM2.*ttyACM3.*--port"):
        flash(out, image=image)


def test_a_written_board_without_its_port_is_no_error(out: Path, graph: Graph, capsys: Capture) -> None:
    elf = build.build(boards.load(NUCLEO), emit(graph), out / "fw.elf").elf
    cli._identify_written(boards.load(NUCLEO), "/dev/no-such-port", elf)
    assert "but not identified: /dev/no-such-port is not connected" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"board": "qemu-an386", "tool": "mspm0_bsl"}, r"mspm0_bsl writes physical boards.*qemu-an386.*--image"),
        ({"board": "qemu-an386", "port": "/dev/ttyACM0"}, "boards that keep what is written.*Got: qemu"),
        (
            {"energy": True, "image": Path("fw.elf")},
            "--energy and --stream choose what is built.*Got: --energy and --image",
        ),
        ({"tool": "host"}, "boards that keep what is written.*Got: host"),
        ({"tool": "jlink"}, "--tool jlink is not known. There are: c2000_sci, dslite, host, mspm0_bsl, openocd"),
        ({"image": Path("fw.elf"), "option": ["baud"], "dry_run": True}, "NAME=VALUE"),
        ({"image": Path("fw.elf"), "option": ["bad=1"], "dry_run": True}, "mspm0_bsl has the options baud: "),
    ],
)
def test_contradictory_options_are_refused(out: Path, options: dict[str, object], message: str) -> None:
    (out / "fw.elf").touch()
    if "image" in options:
        options = {**options, "image": out / "fw.elf"}
    with pytest.raises(ConfigError, match=message):
        flash(out, **options)


def test_nothing_is_sent_when_the_image_is_bad(out: Path, graph: Graph) -> None:
    board = Board(graph)
    image = out / "fw.bin"
    image.write_bytes(bytes(128 * 1024 + 1))
    with on_pty(board) as port, pytest.raises(BoardError, match="nothing was written"):
        flash(out, image=image, port=port)
    assert board.bsl.packets == 0
