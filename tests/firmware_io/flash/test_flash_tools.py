"""OpenOCD, pyOCD, UniFlash: their command lines, their words on success and failure, by stand-ins on the PATH."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path

import intelhex
import pytest

from edgekws.errors import BoardError, ConfigError
from firmware_io import board, flash, tools
from firmware_io.flash import Job, _external, dslite, pyocd
from tests.firmware_io.devices.waiting import wait_until

OPENOCD_HEAD = "Open On-Chip Debugger 0.12.0\nLicensed under GNU GPL v2\nInfo : clock speed 500 kHz\n"
OPENOCD_OK = OPENOCD_HEAD + (
    "target halted due to debug-request, current mode: Thread\n** Programming Started **\n"
    "Info : flash size = 2048 KiB\n** Programming Finished **\n** Verify Started **\n** Verified OK **\n"
    "** Resetting Target **\nshutdown command invoked\n"
)
DSLITE_OK = (
    "Executing the following command:\n> DSLite flash\ninfo: CORTEX_M0P: Connecting\nLoading Program: fw.bin\n"
    "info: CORTEX_M0P: Program verification successful for fw.bin\nSuccess\n"
)
PYOCD_WRITE = (
    "0000512 I Loading fw.bin [load_cmd]\n[==================================================] 100%\n"
    "0001875 I Erased 4096 bytes (2 sectors), programmed 4096 bytes (2 pages), skipped 0 bytes [loader]\n"
)
Fake = Callable[..., Path]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Put a program on the PATH that notes its arguments and says one of `says` after another.

    It comes before the real pyOCD, which stands beside this Python where the extra is installed.
    """
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setattr(pyocd, "BESIDE_PYTHON", str(folder))
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def make(name: str, *says: str, status: int = 0, body: str = "") -> Path:
        record = tmp_path / f"{name}.calls"
        for index, text in enumerate(says, 1):
            (tmp_path / f"{name}.says{index}").write_text(text)
        program = folder / name
        program.write_text(
            f'#!/bin/sh\nfor word in "$@"; do printf \'%s\\n\' "$word" >> {record}; done\n'
            f"echo --- >> {record}\nn=$(grep -c '^---$' {record})\n{body}\n"
            f"cat {tmp_path}/{name}.says$n\nexit {status}\n"
        )
        program.chmod(0o755)
        return record

    return make


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "fw.hex"
    records = intelhex.IntelHex()
    records.puts(0x0800_0000, bytes(range(100)))
    records.write_hex_file(str(path))
    return path


def calls(record: Path) -> list[list[str]]:
    return [call.split("\n")[:-1] for call in record.read_text().split("---\n")[:-1]]


def openocd(image: Path, verify: bool = True, **options: str) -> Job:
    return Job(image, "", {"config": "board/st_nucleo_l4.cfg", **options}, verify, 0x0800_0000, 1 << 21)


def run(tool: str, job: Job) -> str:
    return flash.flasher(tool).flash(job, lambda *_: None)


def test_openocd_writes_verifies_and_resets(fake: Fake, image: Path) -> None:
    record, seen = fake("openocd", OPENOCD_OK), []
    summary = flash.flasher("openocd").flash(openocd(image), lambda *report: seen.append(report))
    assert summary == "written, verified and started by openocd"
    command = ["-f", "board/st_nucleo_l4.cfg", "-c", f"program {{{image}}} verify reset exit"]
    assert calls(record) == [command]
    assert [what for what, _, _ in seen] == [
        *(f"openocd ({stage})" for stage in ("connect", "write", "verify", "reset")),
        "openocd",
    ]
    assert flash.flasher("openocd").plan(openocd(image)) == ["run: " + shlex.join(["openocd", *command])]


def test_openocd_takes_the_probe_and_no_verification(fake: Fake, image: Path) -> None:
    record = fake("openocd", OPENOCD_OK.replace("** Verified OK **\n", ""))
    assert "not verified" in run("openocd", openocd(image, verify=False, probe="066B"))
    assert calls(record)[0][2:] == ["-c", "adapter serial {066B}", "-c", f"program {{{image}}} reset exit"]


OPENOCD_FAILURES = [
    ("Error: open failed\n** OpenOCD init failed **\nshutdown command invoked\n", 1, r"no probe answers.*probe=SERIAL"),
    (
        "Error: libusb_open() failed with LIBUSB_ERROR_ACCESS\nError: open failed\n",
        1,
        r"may not open it.*udev rules",
    ),
    ("embedded:startup.tcl:28: Error: Can't find board/st_nucleo_l4.cfg\n", 1, r"no such script.*config=FILE"),
    ("Info : Target voltage: 0.01\nError: target voltage may be too low for reliable debugging\n", 1, "no power"),
    ("Error: init mode failed (unable to connect to the target)\n", 1, r"cannot reach the chip.*reset button"),
    ("Error: couldn't bind tcl to socket on port 6666: Address already in use\n", 1, "another OpenOCD"),
    (
        "** Programming Finished **\n** Verify Started **\nError: checksum mismatch - attempting binary compare\n"
        "diff 0 address 0x08000000. Was 0x00 instead of 0x20\n** Verify Failed **\n",
        1,
        r"differs from the image.*checksum mismatch",
    ),
    ("** Programming Started **\nError: failed erasing sectors 0 to 3\n** Programming Failed **\n", 1, "refused"),
    ("Error: something new\n", 1, r"status 1; output: Error: something new.*by hand"),
    ("** Programming Started **\n** Programming Finished **\nshutdown\n", 0, r"never printed .*Verified OK"),
    ("", 0, "never printed .*output: Open On-Chip"),
]


@pytest.mark.parametrize(("says", "status", "message"), OPENOCD_FAILURES)
def test_openocd_fails_in_one_paragraph(fake: Fake, image: Path, says: str, status: int, message: str) -> None:
    fake("openocd", OPENOCD_HEAD + says, status=status)
    with pytest.raises(BoardError, match=f"(?s){message}") as caught:
        run("openocd", openocd(image))
    assert "\n" not in str(caught.value)


def test_openocd_refuses_paths_that_it_would_misread(image: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="script of the board"):
        flash.flasher("openocd").plan(Job(image))
    odd = tmp_path / "a}b.hex"
    odd.write_bytes(image.read_bytes())
    with pytest.raises(ConfigError, match="without braces"):
        flash.flasher("openocd").plan(openocd(odd))


def test_pyocd_compares_every_segment(fake: Fake, tmp_path: Path) -> None:
    image = tmp_path / "fw.hex"
    image.write_text(":020000040800F2\n:0400000001020304F2\n:0401000001020304F1\n:00000001FF\n")
    match = "Comparing 4 bytes @ 0x08000000\nAll 4 bytes match.\nComparing 4 bytes @ 0x08000100\nAll 4 bytes match.\n"
    record = fake("pyocd", PYOCD_WRITE, match)
    job = Job(image, "", {"target": "stm32l4r5zitx", "probe": "066D"}, True, 0x0800_0000, 1 << 21)
    assert run("pyocd", job) == "written, verified and started by pyocd"
    write, compare = calls(record)
    assert write == ["flash", "--no-wait", "--target", "stm32l4r5zitx", "--uid", "066D", str(image)]
    assert compare[:2] == ["commander", "--no-wait"] and compare[-2:] == ["-c", "reset"]
    texts = [text.split()[:3] for text in compare if text.startswith("compare")]
    assert texts == [["compare", "0x08000000", "4"], ["compare", "0x08000100", "4"]]
    plan = flash.flasher("pyocd").plan(job)
    assert len(plan) == 2 and "SEGMENT1.bin" in plan[1]


@pytest.mark.parametrize(
    ("says", "status", "message"),
    [
        (["0000711 C Target type stm32l4r5zitx not recognized. Use 'pyocd list --targets'"], 1, "pyocd pack install"),
        (["No available debug probes are connected\n"], 1, "no probe answers"),
        ([PYOCD_WRITE, "Mismatched byte at 0x08000003 (offset 0x3): 0x00 (memory) != 0x03 (file)\n"], 0, "differs.*03"),
        ([PYOCD_WRITE, "nothing\n"], 0, "never printed 'All 100 bytes match"),
        (["0000412 C Memory transfer fault (SWD/JTAG communication failure) [__main__]\n"], 1, "cannot reach the chip"),
    ],
)
def test_pyocd_fails_in_one_paragraph(fake: Fake, image: Path, says: list[str], status: int, message: str) -> None:
    fake("pyocd", *says, status=status)
    with pytest.raises(BoardError, match=message):
        run("pyocd", Job(image, "", {"target": "stm32l4r5zitx"}))


def test_dslite_writes_and_verifies(fake: Fake, image: Path) -> None:
    record = fake(dslite.program_name(), DSLITE_OK)
    job = Job(image, "", {"config": "MSPM0G5187.ccxml"})
    assert run("dslite", job) == "written, verified and started by dslite"
    command = ["--mode", "flash", "--config", "MSPM0G5187.ccxml", "--flash", "--verify", "--run", str(image)]
    assert calls(record) == [command]
    with pytest.raises(ConfigError, match=r"UniFlash, then --option config=DEVICE\.ccxml"):
        flash.flasher("dslite").plan(Job(image))


@pytest.mark.parametrize(
    ("says", "status", "message"),
    [
        (
            "fatal: XDS110: Error -260 @ 0x0: An attempt to connect to the XDS110 failed.\nFailed\n",
            1,
            "no probe answers",
        ),
        ("error: CORTEX_M0P: Error connecting to the target: (Error -614 @ 0x0)\nFailed\n", 0, "cannot reach the chip"),
        ("error: CORTEX_M0P: File Loader: Verification failed: Values at address 0x0 do not match\n", 1, "differs"),
        (
            "error: CORTEX_M0P: Flash Programmer: Error encountered when writing to flash memory\nFailed\n",
            1,
            "refused the image",
        ),
        ("error: CORTEX_M0P: File Loader: Memory write failed\nerror: fw.bin: Load failed\n", 1, "refused the image"),
        ("Loading Program: fw.bin\nSuccess\n", 0, "never printed .*erification"),
    ],
)
def test_dslite_fails_in_one_paragraph(fake: Fake, image: Path, says: str, status: int, message: str) -> None:
    fake(dslite.program_name(), says, status=status)
    with pytest.raises(BoardError, match=message):
        run("dslite", Job(image, "", {"config": "MSPM0G5187.ccxml"}))


def test_a_program_that_hangs_is_ended_with_what_it_started(
    fake: Fake, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake("openocd", "", body=f"echo Info : waiting\nsleep 60 & echo $! > {tmp_path}/pid\nwait")
    monkeypatch.setattr(_external.run, "__defaults__", (3.0,))
    start = time.monotonic()
    with pytest.raises(BoardError, match=r"no end after 3 s.*waiting"):
        run("openocd", openocd(image))
    assert time.monotonic() - start < 40
    child = int((tmp_path / "pid").read_text())
    wait_until(lambda: not runs(child), "the program's own child still runs")


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_missing_programs_come_with_the_hint_of_this_platform(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(BoardError, match="openocd"):
        flash.flasher("openocd").require(openocd(image))
    monkeypatch.setattr(tools.shutil, "which", lambda program, **_: "/usr/bin/x" if program == "apt-get" else None)
    monkeypatch.setattr(tools.sys, "platform", "linux")
    with pytest.raises(BoardError, match="sudo apt-get install --no-install-recommends openocd"):
        flash.flasher("openocd").require(openocd(image))
    monkeypatch.setattr(tools.shutil, "which", lambda program, **_: "/opt/brew" if program == "brew" else None)
    monkeypatch.setattr(tools.sys, "platform", "darwin")
    with pytest.raises(BoardError, match="brew install open-ocd"):
        flash.flasher("openocd").require(openocd(image))
    with pytest.raises(BoardError, match=r"pip install 'edgekws\[flash\]'"):
        flash.flasher("pyocd").require(Job(image))
    with pytest.raises(BoardError, match=r"ti\.com/tool/UNIFLASH"):
        flash.flasher("dslite").require(Job(image))
    installed = tmp_path / "ti" / "uniflash_9.2.0" / dslite.program_name()
    installed.parent.mkdir(parents=True)
    installed.touch()
    assert flash.flasher("dslite").require(Job(image)) == str(installed)


def test_options_are_those_of_the_tool(image: Path) -> None:
    nucleo = board.load("nucleo-l4r5zi")
    assert flash.job("openocd", nucleo, image, "", {"probe": "1"}).options == {
        "config": "board/st_nucleo_l4.cfg",
        "probe": "1",
    }
    assert flash.job("pyocd", nucleo, image, "", {}).options == {}
    with pytest.raises(ConfigError, match=r"openocd takes images that end in elf, axf, out, hex. Got: fw.bin"):
        flash.job("openocd", nucleo, image.with_suffix(".bin"), "", {})
    with pytest.raises(ConfigError, match=r"openocd has the options config: .*Got: serial"):
        flash.job("openocd", nucleo, image, "", {"serial": "1"})
