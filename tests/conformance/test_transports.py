"""Every transport says which board it starts, and refuses a device that is not there in words."""

import pytest

from edgekws import plugins
from edgekws.errors import EdgeKwsError
from firmware_io import board, transport


@pytest.mark.parametrize("scheme", plugins.names("transports"))
@pytest.mark.parametrize("rest", ["", "no-such-device", "no-such-device:1"])
def test_a_device_that_is_not_there_is_one_paragraph(scheme, rest, tmp_path):
    with pytest.raises(EdgeKwsError) as caught, transport.open_transport(f"{scheme}:{rest}", tmp_path / "missing.elf"):
        pass
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", plugins.names("boards"))
def test_the_transport_of_a_board_starts_this_board_or_none(name):
    assert transport.board_of(board.load(name).transport) in ("", name)
