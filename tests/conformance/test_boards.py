"""Every board's file is complete, and its flash tool says what it would do."""

import pytest

from edgekws import plugins
from firmware_io import board, flash
from firmware_io.build import FIRMWARE


@pytest.fixture(params=plugins.names("boards"))
def loaded(request):
    found = board.load(request.param)
    assert found.name == request.param
    return found


def test_names_what_is_there(loaded):
    tool = flash.capabilities(loaded.flash_tool)
    assert loaded.target in plugins.names("targets")
    assert loaded.transport.partition(":")[0] in plugins.names("transports")
    assert all((FIRMWARE / folder).is_dir() for folder in loaded.port)
    assert not loaded.linker_script or (FIRMWARE / loaded.linker_script).is_file()
    assert loaded.how == ("measured" if tool.persistent else "emulated" if tool.emulated else "computed")


def test_a_board_that_keeps_its_firmware_is_reached_over_a_line(loaded):
    if not flash.capabilities(loaded.flash_tool).persistent:
        return
    assert loaded.transport.partition(":")[0] in ("serial", "tcp") and loaded.usb
    assert set(loaded.flash_options) <= set(flash.flasher(loaded.flash_tool).OPTIONS)
