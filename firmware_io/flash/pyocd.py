"""pyOCD: writes and resets over a CMSIS-DAP or ST-LINK probe, then compares the flash with the image.

`pyocd flash` does not read back what it wrote; `pyocd commander -c "compare ..."` does.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from edgekws.errors import BoardError, ConfigError
from edgekws.types import Progress
from firmware_io.flash import Capabilities, Job
from firmware_io.flash._external import KnownError, Program, Stage, line, run
from firmware_io.flash._image import Image, check_range, read

CAPABILITIES = Capabilities(emulated=False, persistent=True, sees_banner=False, takes=("elf", "axf", "hex"))
OPTIONS = {
    "target": "pyOCD's name of the chip, e.g. stm32l4r5zitx",
    "probe": "unique id of the probe, when several are plugged in",
}
BESIDE_PYTHON = str(Path(sys.executable).parent)
"""Where pip puts the pyocd of this environment."""
_PROGRAM = Program(
    "pyocd",
    (
        Stage("connect", re.compile(r"Loading |Target type is")),
        Stage("write", re.compile(r"Erased \d+ bytes|programmed \d+ bytes")),
        Stage("verify", re.compile(r"Comparing \d+ bytes|bytes match")),
    ),
    (
        KnownError(
            re.compile(r"Target type \S+ not recognized|No matching devices|unknown target", re.IGNORECASE),
            "pyOCD does not know this chip",
            "run `pyocd pack install TARGET`, and see `pyocd list --targets`",
        ),
        KnownError(
            re.compile(r"No available debug probes|No target device available|Probe \S+ not found|No connected debug"),
            "no probe answers",
            "plug the board in; when several are, name one with --option probe=ID (`pyocd list`)",
        ),
        KnownError(
            re.compile(r"Access denied|insufficient permissions|Permission denied"),
            "the probe is connected, but this user may not open it",
            "install the udev rules of pyOCD (folder udev of its repository), then plug the board in again",
        ),
        KnownError(
            re.compile(r"Mismatched byte at 0x[0-9a-fA-F]+"),
            "what is in the flash differs from the image",
            "run it again; if the error persists, another program writes the flash or it is worn out",
        ),
        KnownError(
            re.compile(r"No ACK received|SWD/JTAG communication failure|Memory transfer fault|Unexpected ACK"),
            "the probe cannot reach the chip",
            "hold the reset button while it starts; check power and jumpers",
        ),
        KnownError(
            re.compile(r"flash (program|erase)\w* failure|FlashEraseFailure|FlashProgramFailure", re.IGNORECASE),
            "the flash refused the image",
            "erase the chip with `pyocd erase --chip`, then run it again",
        ),
    ),
)


def require(job: Job) -> str:  # noqa: ARG001
    """Path of pyocd, preferably of this Python environment. Raises BoardError with an install hint."""
    path = shutil.which("pyocd", path=BESIDE_PYTHON) or shutil.which("pyocd")
    if path is None:
        hint = f"run `{sys.executable} -m pip install 'edgekws[flash]'`"
        raise BoardError("flashing with pyOCD needs pyocd", got="no such program", hint=hint)
    return path


def plan(job: Job) -> list[str]:
    """The command lines. Raises ConfigError without a chip name, BoardError for an image outside of the flash."""
    image = _checked(job)
    lines = [line(_write(["pyocd"], job))]
    if job.verify:
        lines.append(
            line(_compare(["pyocd"], job, image, [Path(f"SEGMENT{i}.bin") for i in range(len(image.segments))]))
        )
    return lines


def flash(job: Job, progress: Progress) -> str:
    """Write the image. Raises BoardError unless pyOCD wrote it and, if requested, every byte in the flash is equal."""
    image = _checked(job)
    program = require(job)
    run(_PROGRAM, _write([program], job), [], progress)
    if not job.verify:
        return "written and started by pyocd, not verified"
    with tempfile.TemporaryDirectory(prefix="edgekws-flash-") as folder:
        files = [Path(folder) / f"segment{index}.bin" for index in range(len(image.segments))]
        for file, segment in zip(files, image.segments, strict=True):
            file.write_bytes(segment.content)
        proofs = [re.compile(rf"All {len(segment.content)} bytes match") for segment in image.segments]
        output = run(_PROGRAM, _compare([program], job, image, files), proofs, progress)
    if output.count("bytes match") != len(image.segments):
        raise BoardError(f"pyocd should compare {len(image.segments)} segments", got=output[-200:], hint="update pyocd")
    return "written, verified and started by pyocd"


def _checked(job: Job) -> Image:
    image = read(job.image, job.origin)
    if job.size:
        check_range(image, job.origin, job.size, "the flash of this board")
    return image


def _write(program: list[str], job: Job) -> list[str]:
    return [*program, "flash", "--no-wait", *_chip(job), str(job.image)]


def _compare(program: list[str], job: Job, image: Image, files: list[Path]) -> list[str]:
    pairs = zip(image.segments, files, strict=True)
    commands = [f"compare 0x{s.address:08x} {len(s.content)} {shlex.quote(str(file))}" for s, file in pairs]
    quoted = [word for text in (*commands, "reset") for word in ("-c", text)]
    return [*program, "commander", "--no-wait", *_chip(job), *quoted]


def _chip(job: Job) -> list[str]:
    """Raises ConfigError without the name of the chip."""
    target = job.options.get("target", "")
    if not target:
        raise ConfigError("pyocd needs its name of the chip", got="none", hint="--option target=... (`pyocd list -t`)")
    probe = job.options.get("probe", "")
    return ["--target", target, *(("--uid", probe) if probe else ())]
