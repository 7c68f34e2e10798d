"""Every board's file is complete, a dry run shows how it is flashed, and too large an image is refused.

tests/firmware_io/build compiles and links the firmware of every board.
"""

import shutil

import intelhex
import pytest
from typer.testing import CliRunner

from edgekws import plugins
from edgekws.cli import app
from edgekws.errors import BoardError
from edgekws.graph import io
from firmware_io import board, flash, tools
from firmware_io.build import FIRMWARE

BOARDS = plugins.names("boards")
PERSISTENT = [name for name in BOARDS if flash.capabilities(board.load(name).flash_tool).persistent]


@pytest.fixture(params=BOARDS)
def loaded(request):
    entry = board.load(request.param)
    assert entry.name == request.param
    return entry


def test_refers_to_plugins_and_files_that_exist(loaded):
    tool = flash.capabilities(loaded.flash_tool)
    assert loaded.target in plugins.names("targets")
    assert loaded.transport.partition(":")[0] in plugins.names("transports")
    assert all((FIRMWARE / folder).is_dir() for folder in loaded.port)
    assert not loaded.linker_script or (FIRMWARE / loaded.linker_script).is_file()
    assert loaded.how == ("measured" if tool.persistent else "emulated" if tool.emulated else "computed")


def test_is_reached_over_a_line_or_started_by_its_tool(loaded):
    scheme = loaded.transport.partition(":")[0]
    if flash.capabilities(loaded.flash_tool).persistent:
        assert scheme in ("serial", "tcp") and loaded.usb
        assert set(loaded.flash_options) <= set(flash.flasher(loaded.flash_tool).OPTIONS)
    else:
        assert scheme == loaded.flash_tool


def test_a_dry_run_shows_how_it_is_flashed(loaded, graph, tmp_path):
    for program in filter(None, (loaded.compiler, loaded.qemu_program)):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing: {tools.install_hint(program)}")
    io.save(graph, tmp_path / "graph.npz")
    done = CliRunner().invoke(app, ["flash", "--board", loaded.name, "--out", str(tmp_path), "--dry-run"])
    assert done.exit_code == 0, (done.output, done.exception)
    printed = " ".join(done.output.split())
    assert loaded.compiler in printed and f"{loaded.name}.elf" in printed
    assert not (tmp_path / "firmware").exists()


@pytest.mark.parametrize("name", PERSISTENT)
@pytest.mark.parametrize("excess", [0, 1])
def test_an_image_larger_than_the_flash_is_refused(name, excess, tmp_path):
    entry = board.load(name)
    origin, image = entry.symbols["EKW_FLASH_ORIGIN"], tmp_path / "fw.hex"
    records = intelhex.IntelHex()
    records.puts(origin, bytes(1))
    records.puts(origin + entry.flash_bytes - 1 + excess, bytes(1))
    records.write_hex_file(str(image))
    job = flash.job(entry.flash_tool, entry, image, "", {})
    assert (job.origin, job.size) == (origin, entry.flash_bytes)
    if not excess:
        assert flash.flasher(entry.flash_tool).plan(job)
        return
    with pytest.raises(BoardError, match="nothing was written"):
        flash.flasher(entry.flash_tool).plan(job)
