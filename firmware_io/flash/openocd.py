"""OpenOCD: writes, verifies and resets over a debug probe (on a NUCLEO board, its ST-LINK)."""

from __future__ import annotations

import re

from edgekws.errors import ConfigError
from edgekws.types import Progress
from firmware_io import tools
from firmware_io.flash import Capabilities, Job
from firmware_io.flash._external import KnownError, Program, Stage, line, run
from firmware_io.flash._image import check_range, read

CAPABILITIES = Capabilities(emulated=False, persistent=True, sees_banner=False, takes=("elf", "axf", "out", "hex"))
OPTIONS = {
    "config": "OpenOCD's script of the board, e.g. board/st_nucleo_l4.cfg",
    "probe": "serial number of the probe, when several are plugged in",
}
_WRITTEN = re.compile(r"\*\* Programming Finished \*\*")
_VERIFIED = re.compile(r"\*\* Verified OK \*\*")
_PROGRAM = Program(
    "openocd",
    (
        Stage("connect", re.compile(r"Open On-Chip Debugger")),
        Stage("write", re.compile(r"\*\* Programming Started \*\*")),
        Stage("verify", re.compile(r"\*\* Verify Started \*\*")),
        Stage("reset", re.compile(r"\*\* Resetting Target \*\*")),
    ),
    (
        KnownError(
            re.compile(r"LIBUSB_ERROR_ACCESS|libusb_open\(\) failed|Permission denied|insufficient permissions"),
            "the probe is connected, but this user may not open it",
            "install OpenOCD's udev rules (60-openocd.rules, in its package), then plug the board in again",
        ),
        KnownError(
            re.compile(r"Error: open failed|no device found|unable to find a matching|No J-Link device found"),
            "no probe answers",
            "plug the board in; when several are, name one with --option probe=SERIAL",
        ),
        KnownError(
            re.compile(r"Can't find \S+\.cfg|couldn't read file"),
            "OpenOCD has no such script",
            "update OpenOCD (0.11 or newer), or name another with --option config=FILE",
        ),
        KnownError(
            re.compile(r"target voltage may be too low|Target voltage: 0\.0"),
            "the board has no power",
            "check the jumpers and the cable",
        ),
        KnownError(
            re.compile(r"unable to connect to the target|init mode failed|Examination failed|Could not initialize"),
            "the probe cannot reach the chip",
            "hold the reset button while it starts; check the jumpers between probe and chip",
        ),
        KnownError(
            re.compile(r"Address already in use|couldn't bind"),
            "another OpenOCD is running",
            "close it, or the debugger that started it",
        ),
        KnownError(
            re.compile(r"\*\* Verify Failed \*\*|checksum mismatch|contents differ"),
            "what is in the flash differs from the image",
            "run it again; if the error persists, another program writes the flash or it is worn out",
        ),
        KnownError(
            re.compile(r"\*\* Programming Failed \*\*|failed erasing sectors|stm32x.*protected"),
            "the flash refused the image",
            "lift its protection (`openocd ... -c 'stm32l4x unlock 0'`), then run it again",
        ),
    ),
)


def require(job: Job) -> str:  # noqa: ARG001
    """Path of openocd. Raises BoardError with an install hint."""
    return tools.require("openocd", "flashing over a debug probe")


def plan(job: Job) -> list[str]:
    """The command line. Raises ConfigError without a script, BoardError for an image outside of the flash."""
    _check(job)
    return [line(_command("openocd", job))]


def flash(job: Job, progress: Progress) -> str:
    """Write the image. Raises BoardError unless OpenOCD reports that it is written and, if requested, verified."""
    _check(job)
    proofs = [_WRITTEN, _VERIFIED] if job.verify else [_WRITTEN]
    run(_PROGRAM, _command(require(job), job), proofs, progress)
    return "written, verified and started by openocd" if job.verify else "written and started by openocd, not verified"


def _check(job: Job) -> None:
    if job.size:
        check_range(read(job.image, job.origin), job.origin, job.size, "the flash of this board")


def _command(program: str, job: Job) -> list[str]:
    """Raises ConfigError without a script, or for a path that Tcl would not parse as one word."""
    config = job.options.get("config", "")
    if not config:
        raise ConfigError("openocd needs the script of the board", got="none", hint="--option config=board/....cfg")
    image = str(job.image)
    if set(image) & set("{}\\\n"):
        raise ConfigError("openocd takes paths without braces and backslashes", got=image, hint="copy the image")
    probe = job.options.get("probe", "")
    return [
        program,
        *("-f", config),
        *(("-c", f"adapter serial {{{probe}}}") if probe else ()),
        *("-c", f"program {{{image}}} {'verify ' if job.verify else ''}reset exit"),
    ]
