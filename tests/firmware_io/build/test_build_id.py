"""The build id: what it covers, that builds repeat it in any folder, and that anybody can recompute it."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgekws.emit.c import emit
from edgekws.errors import ArtifactError
from edgekws.graph.ir import Graph
from firmware_io import board as boards
from firmware_io import build, tools
from firmware_io.build import build_id
from firmware_io.protocol.session import Session
from firmware_io.transport import open_transport
from tests.firmware_io.firmware.lines import HERE, Line, needs_for

KINDS = ["host", "lp-mspm0g5187", "qemu-an386", "qemu-riscv32"]
"""A program of this computer, a Cortex-M without and one with an emulator, and a RISC-V."""


def needs_compiler(name: str) -> boards.Board:
    board = boards.load(name)
    if shutil.which(board.compiler) is None:
        pytest.skip(f"{board.compiler} is missing: {tools.install_hint(board.compiler)}")
    return board


@pytest.mark.parametrize("name", KINDS)
def test_the_id_is_the_same_in_any_folder(
    name: str, graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the folder of the result nor that of the sources, nor that of temporary files."""
    board = needs_compiler(name)
    first = build.build(board, emit(graph), tmp_path / "a.elf")
    moved = tmp_path / "some where else" / "firmware"
    shutil.copytree(build.FIRMWARE, moved)
    monkeypatch.setattr(build, "FIRMWARE", moved)
    (tmp_path / "t").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "t"))
    monkeypatch.setattr("tempfile.tempdir", None)
    second = build.build(board, emit(graph), tmp_path / "b" / "other.elf")
    assert first.build_id == second.build_id and first.sha256 == second.sha256


@pytest.mark.parametrize("name", KINDS)
def test_anybody_can_recompute_it(name: str, graph: Graph, tmp_path: Path) -> None:
    """As docs/reference/build-id.md says it, in three lines."""
    firmware = build.build(needs_compiler(name), emit(graph), tmp_path / "firmware.elf")
    content = firmware.elf.read_bytes()
    at = content.index(b"edgekws-buildid\0") + 16
    again = hashlib.sha256(content[:at] + bytes(16) + content[at + 16 :]).hexdigest()[:32]
    assert again == firmware.build_id == content[at : at + 16].hex() == build_id.recomputed(content)
    plan = hashlib.sha256(emit(graph)["model.h"] + emit(graph)["model.c"]).hexdigest()
    assert content.count(plan.encode()) == 1


def test_each_choice_that_makes_another_firmware_makes_another_id(
    graph: Graph, graph_factory: Callable[..., Graph], tmp_path: Path
) -> None:
    board = needs_compiler("qemu-an386")
    other = replace(board, cflags=(*board.cflags, "-fno-inline"))
    choices = [
        build.build(board, emit(graph), tmp_path / "a.elf"),
        build.build(board, emit(graph, min_ram=True), tmp_path / "b.elf"),
        build.build(board, emit(graph), tmp_path / "c.elf", energy=True),
        build.build(board, emit(graph_factory(seed=1)), tmp_path / "d.elf"),
        build.build(other, emit(graph), tmp_path / "e.elf"),
    ]
    assert len({firmware.build_id for firmware in choices}) == len(choices)


def test_plans_that_give_the_same_code_have_ids_of_their_own(graph: Graph, tmp_path: Path) -> None:
    """A comment in the generated C is enough: the image holds the hash of its text."""
    board, model = needs_compiler("qemu-an386"), emit(graph)
    first = build.build(board, model, tmp_path / "a.elf")
    changed = {**model, "model.c": model["model.c"] + b"/* another plan */\n"}
    second = build.build(board, changed, tmp_path / "b.elf")
    assert first.build_id != second.build_id and first.flash_bytes == second.flash_bytes


@pytest.mark.parametrize("name", HERE)
def test_the_board_says_what_the_file_has(name: str, graph: Graph, tmp_path: Path) -> None:
    board = boards.load(name)
    needs_for(board)
    firmware = build.build(board, emit(graph), tmp_path / "firmware.elf")
    with open_transport(board.transport, firmware.elf) as opened:
        session = Session(opened)
        session.start()
        assert session.build_id == firmware.build_id == build.existing(board, firmware.elf).build_id


def test_help_and_check_say_it(line: Line) -> None:
    last = line.ask("help")[-1]
    assert last.startswith("m-build-[") and last.endswith("]") and len(last) == len("m-build-[]") + 32
    (check,) = line.ask("check")
    assert check.split(",")[2] == f"{last[9:17]}]" != "00000000]"


def test_a_file_that_was_changed_is_noticed(graph: Graph, tmp_path: Path) -> None:
    firmware = build.build(needs_compiler("qemu-an386"), emit(graph), tmp_path / "firmware.elf")
    content = firmware.elf.read_bytes()
    for at in (0x40, len(content) // 2, content.index(build_id.MARKER) + 16, len(content) - 1):
        changed = bytearray(content)
        changed[at] ^= 1
        firmware.elf.write_bytes(changed)
        with pytest.raises(ArtifactError, match=r"build id of its bytes.*was changed after it was built"):
            build_id.of_file(firmware.elf)


def test_the_marker_has_to_be_there_once(tmp_path: Path) -> None:
    image = tmp_path / "fw.elf"
    for content, got in [(b"nothing", "none"), (2 * (build_id.MARKER + bytes(16)), "more than one")]:
        image.write_bytes(content)
        with pytest.raises(ArtifactError, match=got):
            build_id.write(image)
        assert image.read_bytes() == content
    assert build_id.of_content(b"nothing") == build_id.recomputed(b"nothing") == ""
    with pytest.raises(ArtifactError, match="ends within it"):
        build_id.of_content(build_id.MARKER + b"123")


def test_a_firmware_linked_by_hand_has_no_id_until_it_is_written(graph: Graph, tmp_path: Path) -> None:
    """Nothing has written the id, and the firmware says zeros; the last line of a dry run writes it."""
    board = needs_compiler("host")
    build.write_model(emit(graph), tmp_path)
    for line in build.commands(board, tmp_path, tmp_path / "fw.elf"):
        tools.run(line, "it should compile", "")
    assert build_id.of_file(tmp_path / "fw.elf") == ""
    with open_transport("host:", tmp_path / "fw.elf") as opened:
        session = Session(opened)
        session.start()
        assert session.build_id == ""
    for _ in range(2):  # the second time it is the same
        stamp = [sys.executable, "-m", "firmware_io.build", str(tmp_path / "fw.elf")]
        printed = subprocess.run(stamp, check=True, capture_output=True, text=True).stdout
        assert printed == f"{build_id.of_file(tmp_path / 'fw.elf')}\n" != "\n"
    done = subprocess.run([*stamp[:-1], "none.elf"], check=False, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("there is no file none.elf") and "\n" not in done.stderr[:-1]
