"""Board files: what only some boards have; malformed files are refused. See tests/conformance for every board."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from edgekws.errors import BoardError, ConfigError
from firmware_io import board, flash, tools

EMULATED = [name for name in board.names() if board.load(name).flash_tool == "qemu"]
HOST = (Path(board.__file__).parent / "boards" / "host.toml").read_text()


@pytest.mark.parametrize("name", EMULATED)
def test_dry_run_of_qemu(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools.shutil, "which", lambda program: f"/bin/{program}")
    loaded = board.load(name)
    line = " ".join(flash.load("qemu").command(loaded, Path("fw.elf")))
    assert line.startswith(f"/bin/{loaded.qemu_program} -M {loaded.qemu_machine} ")
    assert f"-icount shift={loaded.icount_shift},sleep=on" in line and line.endswith("-kernel fw.elf")


def test_energy_mode_is_for_boards_that_show_their_time_stamps() -> None:
    edges = {name: board.load(name).energy_edge for name in board.names()}
    assert edges["qemu-riscv32"] == ""
    assert all("UART1" in edges[name] for name in EMULATED if edges[name])
    assert "PF13" in edges["nucleo-l4r5zi"] and "PA25" in edges["lp-mspm0g5187"]
    assert {board.load(name).energy_baud for name in board.names()} == {9600}  # the reference's


def test_titles_of_physical_boards_say_that_their_ports_are_untested() -> None:
    titles = [board.load(name).title for name in board.names() if board.load(name).how == "measured"]
    assert titles and all("port untested on hardware" in title for title in titles)


def test_tools_refuse_a_foreign_board() -> None:
    with pytest.raises(ConfigError, match=r"c2000_sci, .*openocd.*Got: qemu"):
        flash.flasher("qemu")
    with pytest.raises(ConfigError, match="qemu_machine"):
        flash.load("qemu").command(board.load("host"), Path("fw.elf"))
    with pytest.raises(ConfigError, match="of the board host"):
        flash.load("host").command(board.load("qemu-an386"), Path("fw.elf"))


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(ConfigError, match=r"host, .*qemu-an386"):
        board.load("nucleo")
    with pytest.raises(ConfigError, match=r"host, .*qemu"):
        flash.load("jlink")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('core = "host"', "core = 3", "core should be a string"),
        ("clock_hz = 0", "clock_hz = true", "clock_hz should be an integer"),
        ('how = "computed"', 'how = "guessed"', "measured, emulated, estimated, computed"),
        ('port = ["port/host"]', "port = [1]", "port should be a list of strings"),
        ('port = ["port/host"]', 'port = ["port/host"]\nsymbols = { A = "b" }', "table of integers"),
        ('port = ["port/host"]', 'port = ["port/host"]\nflash_options = { a = 1 }', "table of strings"),
        ("baud = 115_200", "", "missing baud"),
        ("baud = 115_200", "baud = 115_200\nenergy_baud = 9600.0", "energy_baud should be an integer"),
        ("baud = 115_200", "baud = 1\nbuad = 2", "unknown buad"),
        ('core = "host"', "core = ", "readable TOML"),
    ],
)
def test_malformed_files(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    assert old in HOST
    path.write_text(HOST.replace(old, new))
    with pytest.raises(ConfigError, match=message) as caught:
        board.read(path)
    assert "mine.toml" in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        board.read(tmp_path / "gone.toml")


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        ("apt-get", "sudo apt-get install --no-install-recommends qemu-system-arm"),
        ("dnf", "sudo dnf install qemu-system-arm"),
        ("zypper", "sudo zypper install qemu-arm"),
        ("brew", "brew install qemu"),
    ],
)
def test_a_missing_program_comes_with_the_command_of_this_system(
    manager: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(tools.shutil, "which", lambda program: f"/usr/bin/{manager}" if program == manager else None)
        with pytest.raises(BoardError, match=command):
            flash.load("qemu").require(board.load("qemu-an386"))
    assert "PATH" in tools.install_hint("no-such-tool")


def test_every_package_is_of_a_known_manager() -> None:
    known = tomllib.loads(tools.PACKAGES.read_text())
    managers = set(known.pop("managers"))
    assert all(set(packages) <= managers and "apt-get" in packages for packages in known.values())
    assert known["arm-none-eabi-gcc"]["apt-get"] == "gcc-arm-none-eabi"
