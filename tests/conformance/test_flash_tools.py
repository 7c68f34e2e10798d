"""Every flash tool says what it can do, and what it would do, without a board."""

from pathlib import Path

import pytest

from edgekws import plugins
from edgekws.errors import EdgeKwsError
from firmware_io import board, flash, tools

LAUNCHERS = [name for name in plugins.names("flash_tools") if not flash.capabilities(name).persistent]
FLASHERS = [name for name in plugins.names("flash_tools") if flash.capabilities(name).persistent]


@pytest.mark.parametrize("name", LAUNCHERS)
def test_the_dry_run_of_a_launcher_names_the_firmware(name, monkeypatch):
    monkeypatch.setattr(tools.shutil, "which", lambda program: f"/bin/{program}")
    boards = [board.load(each) for each in board.names() if board.load(each).flash_tool == name]
    assert boards
    for each in boards:
        command = flash.load(name).command(each, Path("fw.elf"))
        assert command[-1].endswith("fw.elf") and all(isinstance(word, str) for word in command)


@pytest.mark.parametrize("name", FLASHERS)
def test_a_flasher_has_options_and_refuses_a_missing_image_before_it_touches_a_board(name, tmp_path):
    tool = flash.flasher(name)
    assert all(len(meaning) > 5 for meaning in tool.OPTIONS.values())
    ending = (tool.CAPABILITIES.takes or ("elf",))[0]
    job = flash.Job(tmp_path / f"missing.{ending}", port=str(tmp_path / "no-port"))
    with pytest.raises(EdgeKwsError):
        tool.plan(job)
    with pytest.raises(EdgeKwsError):
        tool.flash(job, lambda *_: None)
