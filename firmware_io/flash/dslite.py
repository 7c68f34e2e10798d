"""The command line of TI's UniFlash (dslite): writes and verifies over an XDS110 or another JTAG probe."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from edgekws.errors import BoardError, ConfigError
from edgekws.types import Progress
from firmware_io.flash import Capabilities, Job
from firmware_io.flash._external import KnownError, Program, Stage, line, run
from firmware_io.flash._image import check_range, read

CAPABILITIES = Capabilities(emulated=False, persistent=True, sees_banner=False, takes=("elf", "out", "hex"))
OPTIONS = {"config": "target configuration (.ccxml), written by UniFlash or Code Composer Studio"}
_SUCCESS = re.compile(r"^Success")
_VERIFIED = re.compile(r"[Vv]erification successful")
_PROGRAM = Program(
    "dslite",
    (
        Stage("connect", re.compile(r"Executing the following command|Connecting")),
        Stage("write", re.compile(r"Loading Program|Preparing|Erasing")),
        Stage("verify", re.compile(r"[Vv]erif")),
    ),
    (
        KnownError(
            re.compile(r"Error -260\b|Error -261\b|emulator was not found|An attempt to connect to the XDS110 failed"),
            "no probe answers",
            "plug the board in; install the probe's driver that UniFlash brings",
        ),
        KnownError(
            re.compile(r"Error -614\b|Error -1063\b|Error connecting to the target|Error -1170\b"),
            "the probe cannot reach the chip",
            "check power and jumpers; the .ccxml should name this very device and this probe",
        ),
        KnownError(
            re.compile(r"[Vv]erification failed|Verify failed|Data verification failed"),
            "what is in the flash differs from the image",
            "run it again; erase the whole flash with UniFlash when it stays so",
        ),
        KnownError(
            re.compile(r"(does not exist|[Cc]annot find|[Cc]ould not open).*ccxml|ccxml.*(does not exist|not found)"),
            "the target configuration cannot be read",
            "write one with UniFlash (New Configuration, then download ccxml)",
        ),
        KnownError(
            re.compile(r"[Ll]oad failed|[Ee]rror.*[Pp]rogram|[Ee]rror.*[Ee]ras"),
            "the flash refused the image",
            "check that the image is for this device and that the flash is not protected",
        ),
    ),
)


def program_name() -> str:
    """The script's name on this operating system."""
    return "dslite.bat" if sys.platform == "win32" else "dslite.sh"


def require(job: Job) -> str:  # noqa: ARG001
    """Path of the script, from the PATH or UniFlash's default folders. Raises BoardError when it is not installed."""
    folders = (Path("~/ti").expanduser(), Path("/opt/ti"), Path("C:/ti"))
    usual = sorted(path for folder in folders for path in folder.glob(f"uniflash_*/{program_name()}"))
    path = shutil.which(program_name()) or (str(usual[-1]) if usual else None)
    if path is None:
        raise BoardError(
            f"flashing with TI's UniFlash needs {program_name()}",
            got="no such program",
            hint="install UniFlash from https://www.ti.com/tool/UNIFLASH and put its folder into the PATH",
        )
    return path


def plan(job: Job) -> list[str]:
    """The command line. Raises ConfigError without a target configuration, BoardError for an image out of range."""
    if job.size:
        check_range(read(job.image, job.origin), job.origin, job.size, "the flash of this board")
    return [line(_command(program_name(), job))]


def flash(job: Job, progress: Progress) -> str:
    """Write the image. Raises BoardError unless UniFlash reports success, and of the verification if requested."""
    plan(job)
    command = _command(require(job), job)
    run(_PROGRAM, command, [_SUCCESS, _VERIFIED] if job.verify else [_SUCCESS], progress)
    return "written, verified and started by dslite" if job.verify else "written and started by dslite, not verified"


def _command(program: str, job: Job) -> list[str]:
    """Raises ConfigError without a target configuration."""
    config = job.options.get("config", "")
    if not config or not Path(config).suffix == ".ccxml":
        raise ConfigError(
            "dslite needs a target configuration",
            got=config or "none",
            hint="write one with UniFlash, then --option config=DEVICE.ccxml",
        )
    return [
        program,
        *("--mode", "flash"),
        *("--config", config),
        "--flash",
        *(("--verify",) if job.verify else ()),
        "--run",
        str(job.image),
    ]
