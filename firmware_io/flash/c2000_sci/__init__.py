"""TI C2000: writes over the SCI boot loader in its ROM and TI's flash kernel. NOT RUN ON HARDWARE yet.

Source: TI SPRABV4 (serial flash programming) and the flash kernel of C2000Ware. Image and kernel are text files of
`hex2000 -boot -sci8 -a`. Each sector is a transfer of its own, because the kernel erases a sector at the first word of
a transfer that lies in it; so damage on the wire costs one sector and not the image. Success is reported only after a
comparison of all sectors with nothing written since. The kernel can neither abort a transfer nor report its contents,
so a killed flash cannot be resumed: reset the board into SCI boot mode and run the command again.
Sectors that are blank in the image are not erased, because the kernel skips blank words; the summary counts them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from edgekws.errors import ArtifactError, BoardError, ConfigError
from edgekws.types import Progress
from firmware_io.flash import Capabilities, Job
from firmware_io.flash._image import check_range, sectors
from firmware_io.flash._line import number, opened
from firmware_io.flash.c2000_sci import session as sci
from firmware_io.flash.c2000_sci.hex2000 import WORD_BYTES, BootImage, read

CAPABILITIES = Capabilities(emulated=False, persistent=True, sees_banner=False, port=True)
OPTIONS = {
    "kernel": "TI's flash kernel for this chip, as text of hex2000 -boot -sci8 -a; needed",
    "baud": "baud rate for the boot loader's autobaud; default 9600",
    "sector_words": "a multiple of the chip's largest sector, in words; default 4096 (F28004x, F28P55x)",
    "origin": "first word of the flash; default 0x80000",
    "words": "size of the flash; default 0x88000 (F28P55x: 1088 KB)",
    "settle_ms": "pause between the kernel's last byte and its start; default 2000",
    "patience_ms": "how long an answer may take beyond its transmission time; default 1000",
    "finish": "`run` (default): jump to the image; `reset`: let the watchdog reset the chip",
}
_DEFAULTS = {
    "baud": "9600",
    "sector_words": "4096",
    "origin": "0x80000",
    "words": "0x88000",
    "settle_ms": "2000",
    "finish": "run",
}
_SECTOR_ATTEMPTS = 16
_ROUNDS = 4
_BLANK = b"\xff\xff" * 4
_Action = Callable[[bytes, int, bytes], sci.Status]


def require(job: Job) -> str:
    """Path of the flash kernel. Raises ConfigError without the option `kernel`."""
    return str(_kernel_path(job))


def plan(job: Job) -> list[str]:
    """The steps. Raises ConfigError, ArtifactError or BoardError for wrong options, files or addresses."""
    image, kernel, content = _checked(job)
    first, last = min(content), max(address + len(sector) for address, sector in content.items())
    words = f"0x{first // WORD_BYTES:06x}..0x{last // WORD_BYTES - 1:06x}"
    lines = [
        f"open {job.port or 'the port of the board'} with {_option(job, 'baud')} baud, `A` until it is echoed",
        f"the kernel {_kernel_path(job).name}, {len(kernel.stream())} bytes, each echoed; `A` again",
        f"{len(content)} transfers (packet 0100), words {words}: each erases its sector and programs it",
        f"{len(content)} comparisons (packet 0500)" if job.verify else "",
        f"run at 0x{image.entry:06x} (packet 000e)" if _option(job, "finish") == "run" else "reset (packet 000f)",
    ]
    return [f"send: {line}" for line in lines if line]


def flash(job: Job, progress: Progress) -> str:
    """Write the image. Raises BoardError, which names the word address, unless all sectors equal the image."""
    image, kernel, content = _checked(job)
    baud = number("baud", _option(job, "baud"), 300, 3_000_000)
    with opened(job.port, baud, job.options.get("patience_ms", "1000")) as line:
        session = sci.Session(line)
        session.lock_baud("the boot loader in ROM")
        session.load_kernel(kernel, lambda done, total: progress("kernel", done, total))
        time.sleep(number("settle_ms", _option(job, "settle_ms"), 0, 60_000) / 1000)
        session.lock_baud("the flash kernel")
        written = _write(session, job, image.head, content, progress)
        started = session.run(image.entry) if _option(job, "finish") == "run" else session.reset()
    verified = "all verified" if job.verify else "none verified"
    if blank := _blank_sectors(job, image):
        verified += f", {blank} that are blank in the image were neither erased nor compared"
    end = "started" if started else "start not acknowledged: reset the board if it does not answer"
    return f"{len(content)} sectors, {written} transfers, {verified}, {session.repeated} exchanges repeated, {end}"


def _option(job: Job, name: str) -> str:
    return job.options.get(name, _DEFAULTS[name])


def _kernel_path(job: Job) -> Path:
    if not job.options.get("kernel"):
        raise ConfigError(
            "the SCI boot loader needs TI's flash kernel for the chip",
            got="none",
            hint="build it from C2000Ware, convert it with `hex2000 -boot -sci8 -a`, then --option kernel=FILE.txt",
        )
    return Path(job.options["kernel"])


def _checked(job: Job) -> tuple[BootImage, BootImage, dict[int, bytes]]:
    """Image, kernel, and what to send: byte address -> content, for each sector with something in it.

    Raises ConfigError, ArtifactError or BoardError before anything is sent.
    """
    if _option(job, "finish") not in ("run", "reset"):
        raise ConfigError("option finish should be `run` or `reset`", got=_option(job, "finish"))
    kernel, image = read(_kernel_path(job)), read(job.image)
    origin = number("origin", _option(job, "origin"), 0, 0x3F_FFFF)
    words = number("words", _option(job, "words"), 4, 0x40_0000)
    check_range(image.image, origin * WORD_BYTES, words * WORD_BYTES, "the flash (byte addresses, two per word)")
    whole = sectors(image.image, _sector_bytes(job))
    trimmed = dict(_trimmed(address, sector) for address, sector in whole.items() if sector.strip(b"\xff"))
    if not trimmed:
        raise ArtifactError(f"{job.image} should have something to write", got="only blank words")
    return image, kernel, trimmed


def _sector_bytes(job: Job) -> int:
    sector_words = number("sector_words", _option(job, "sector_words"), 0x80, 0x8000)
    if sector_words % 0x80:
        raise ConfigError("option sector_words should be a multiple of 128", got=str(sector_words))
    return sector_words * WORD_BYTES


def _blank_sectors(job: Job, image: BootImage) -> int:
    """Number of sectors that are blank in the image; the flash may still hold older data there."""
    return sum(not sector.strip(b"\xff") for sector in sectors(image.image, _sector_bytes(job)).values())


def _trimmed(address: int, sector: bytes) -> tuple[int, bytes]:
    """Without blank groups of four words (the unit of its ECC) at both ends."""
    first, last = 0, len(sector)
    while sector[first : first + 8] == _BLANK:
        first += 8
    while sector[last - 8 : last] == _BLANK:
        last -= 8
    return address + first, sector[first:last]


def _write(session: sci.Session, job: Job, head: bytes, content: Mapping[int, bytes], progress: Progress) -> int:
    """Write until nothing differs; returns the number of sector transfers."""
    pending, written = dict(content), 0
    for _ in range(_ROUNDS):
        for done, (address, sector) in enumerate(pending.items()):
            progress(f"write (0x{address // WORD_BYTES:06x})", done, len(pending))
            status = _retry(session.write, head, address, sector)
            if status.code != sci.OK:
                raise _status_error(address, status)
        progress("write", len(pending), len(pending))
        written += len(pending)
        pending = _differing(session, head, content, progress) if job.verify else {}
        if not pending:
            return written
    raise _status_error(next(iter(pending)), sci.Status(sci.VERIFY, sci.VERIFY_ERROR, 0))


def _differing(session: sci.Session, head: bytes, content: Mapping[int, bytes], progress: Progress) -> dict[int, bytes]:
    differing = {}
    for done, (address, sector) in enumerate(content.items()):
        progress(f"verify (0x{address // WORD_BYTES:06x})", done, len(content))
        status = _retry(session.compare, head, address, sector)
        if status.code == sci.VERIFY_ERROR:
            differing[address] = sector
        elif status.code != sci.OK:
            raise _status_error(address, status)
    progress("verify", len(content), len(content))
    return differing


def _retry(action: _Action, head: bytes, address: int, sector: bytes) -> sci.Status:
    for _ in range(_SECTOR_ATTEMPTS):
        try:
            return action(head, address // WORD_BYTES, sector)
        except sci.DamagedError:
            continue
    raise sci.lost_error(address // WORD_BYTES, f"{_SECTOR_ATTEMPTS} transfers were damaged on the wire")


def _status_error(address: int, status: sci.Status) -> BoardError:
    meaning, hint = status.describe()
    return BoardError(
        f"the flash kernel should write the sector of word 0x{address // WORD_BYTES:06x}",
        got=f"status {status.code:04x}, {meaning} (it names 0x{status.address:08x})",
        hint=f"{hint}; then {sci.BOOT}",
    )
