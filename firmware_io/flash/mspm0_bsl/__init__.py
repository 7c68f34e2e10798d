"""TI MSPM0: writes over the UART boot loader (BSL) in its ROM. Source: TI SLAU887. NOT RUN ON HARDWARE yet.

The unit is a sector of 1 KB. The boot loader first sends the CRC-32 of the present contents, and only sectors that
differ are erased and programmed. So the same command resumes after a kill, a lost cable or a reset without stored
state: the chip itself shows what was done before. Success is reported after a final comparison of all sectors with
nothing written since. Only the main flash is written, never the boot configuration (NONMAIN). Programming uses command
20, which is answered, and not the faster command 24, which is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby

from edgekws.errors import BoardError, ConfigError
from edgekws.types import Progress
from firmware_io.flash import Capabilities, Job
from firmware_io.flash._image import check_range, read, sectors
from firmware_io.flash._line import number, opened
from firmware_io.flash.mspm0_bsl import packets as bsl
from firmware_io.flash.mspm0_bsl.session import FIRST_BAUD, Session, UnclearError

CAPABILITIES = Capabilities(emulated=False, persistent=True, sees_banner=False, port=True)
OPTIONS = {
    "baud": f"baud rate after the connection, one of {', '.join(map(str, bsl.BAUDS))}; default 115200",
    "password": "64 hex digits; default 32 x ff, that of an unchanged configuration",
    "erase": "`changed` (default): sectors that differ; `all`: the whole main flash first",
    "patience_ms": "how long an answer may take beyond its transmission time; default 1000",
}
SECTOR_BYTES = 1024
WORD_BYTES = 8
"""Flash words: the unit of programming and of the ECC."""
_MAIN_BYTES = 128 * 1024
_NONMAIN = 0x41C0_0000
_COMPARED_BYTES = 16 * 1024
_SECTOR_ATTEMPTS = 8
_ROUNDS = 5
_DEFAULT_BAUD = "115200"


def require(job: Job) -> str:  # noqa: ARG001
    """Nothing but pyserial is needed."""
    return ""


def plan(job: Job) -> list[str]:
    """The steps. Raises ConfigError, ArtifactError or BoardError for wrong options, files or addresses."""
    content, baud, _ = _checked(job)
    packets = len(content) * -(-SECTOR_BYTES // _part_bytes(0x6C0))
    first, last = min(content), max(content) + SECTOR_BYTES - 1
    whole = job.options.get("erase") == "all"
    lines = [
        f"open {job.port or 'the port of the board'} with {FIRST_BAUD} baud, connect (packet 12)",
        f"go over to {baud} baud (packet 52), ask for its buffer (19), unlock it (21)",
        "erase the whole main flash (15)" if whole else f"compare {len(content)} sectors by CRC-32 (26)",
        "" if whole else "erase those that differ (23)",
        f"program at most {packets} packets (20), 0x{first:08x}..0x{last:08x}",
        f"verify {len(content)} sectors by CRC-32 (26)" if job.verify else "",
        "start the application (40)",
    ]
    return [f"send: {line}" for line in lines if line]


def flash(job: Job, progress: Progress) -> str:
    """Write the image. Raises BoardError, which names the address, unless the CRCs of all sectors equal the image's."""
    content, baud, password = _checked(job)
    with opened(job.port, FIRST_BAUD, job.options.get("patience_ms", "1000")) as line:
        session = Session(line)
        session.connect(FIRST_BAUD, baud)
        if line.baud != baud:
            session.change_baud(baud)
        session.unlock(password)
        written = _write(session, job, content, progress)
        started = session.start()
    verified = "all verified" if job.verify else "none verified"
    end = "application started" if started else "start not acknowledged: reset the board if it does not answer"
    return f"{written} of {len(content)} sectors written, {verified}, {session.repeated} packets repeated, {end}"


def _checked(job: Job) -> tuple[dict[int, bytes], int, bytes]:
    """Sectors, rate and password. Raises ConfigError, BoardError or ArtifactError before anything is sent."""
    baud = number("baud", job.options.get("baud", _DEFAULT_BAUD), min(bsl.BAUDS), max(bsl.BAUDS))
    if baud not in bsl.BAUDS:
        raise ConfigError(f"option baud should be one of {', '.join(map(str, bsl.BAUDS))}", got=str(baud))
    if job.options.get("erase", "changed") not in ("changed", "all"):
        raise ConfigError("option erase should be `changed` or `all`", got=job.options["erase"])
    try:
        password = bytes.fromhex(job.options.get("password", "ff" * 32))
    except ValueError:
        password = b""
    if len(password) != 32:
        raise ConfigError("option password should be 64 hex digits", got="something else", hint="that is 32 bytes")
    image = read(job.image, job.origin)
    if any(segment.end > _NONMAIN for segment in image.segments):
        raise BoardError(
            "only the main flash is written, never the boot configuration (NONMAIN)",
            got=image.describe(),
            hint="remove its sections from the image; a wrong boot configuration locks the chip permanently",
        )
    check_range(image, job.origin, job.size or _MAIN_BYTES, "the main flash of this chip")
    return sectors(image, SECTOR_BYTES), baud, password


def _write(session: Session, job: Job, content: Mapping[int, bytes], progress: Progress) -> int:
    """Write differing sectors until none differs; returns the number of sectors written."""
    if job.options.get("erase") == "all":
        session.mass_erase((job.size or _MAIN_BYTES) // SECTOR_BYTES)
        differing = [address for address, sector in content.items() if sector != b"\xff" * SECTOR_BYTES]
    else:
        differing = _differing(session, content, progress, "compare") if job.verify else list(content)
        _erase(session, differing)
    written = 0
    for _ in range(_ROUNDS):
        for done, address in enumerate(differing):
            progress(f"write (0x{address:08x})", done, len(differing))
            _program(session, address, content[address])
        progress("write", len(differing), len(differing))
        written += len(differing)
        differing = _differing(session, content, progress, "verify") if job.verify else []
        if not differing:
            return written
        _erase(session, differing)
    raise BoardError(
        "the flash should hold the image after it was written",
        got=f"0x{differing[0]:08x} and {len(differing) - 1} more sectors still differ after {_ROUNDS} rounds",
        hint="the flash is write-protected or worn out; try --option erase=all",
    )


def _differing(session: Session, content: Mapping[int, bytes], progress: Progress, what: str) -> list[int]:
    """Addresses of the sectors that differ: large pieces are compared first, then the sectors of those that differ."""
    differing: list[int] = []
    done = 0
    for run in _runs(content):
        for start in range(0, len(run), _COMPARED_BYTES // SECTOR_BYTES):
            piece = run[start : start + _COMPARED_BYTES // SECTOR_BYTES]
            progress(f"{what} (0x{piece[0]:08x})", done, len(content))
            if not _holds(session, piece, content):
                differing += [address for address in piece if not _holds(session, [address], content)]
            done += len(piece)
    progress(what, len(content), len(content))
    return differing


def _holds(session: Session, addresses: list[int], content: Mapping[int, bytes]) -> bool:
    """Whether the chip holds these sectors. Asks twice, for users report a wrong first CRC after programming."""
    expected = bsl.crc32(b"".join(content[address] for address in addresses))
    count = len(addresses) * SECTOR_BYTES
    return any(session.crc(addresses[0], count) == expected for _ in range(2))


def _erase(session: Session, addresses: Iterable[int]) -> None:
    for run in _runs(addresses):
        session.erase(run[0], run[-1] + SECTOR_BYTES - 1, len(run))


def _program(session: Session, address: int, sector: bytes) -> None:
    """Program an erased sector; blank parts are skipped. Raises BoardError with the address."""
    size, held = _part_bytes(session.buffer), bytearray(b"\xff") * SECTOR_BYTES
    parts = [offset for offset in range(0, SECTOR_BYTES, size) if sector[offset : offset + size].strip(b"\xff")]
    pending, left = list(parts), _SECTOR_ATTEMPTS + len(parts)
    while pending and left:
        part = slice(pending[0], pending[0] + size)
        before, after = bytes(held), bytes(held[: part.start] + sector[part] + held[part.stop :])
        state = _programmed(session, address, part, before, after[:SECTOR_BYTES])
        left -= 1
        if state is None:
            session.erase(address, address + SECTOR_BYTES - 1, 1)
            pending, held = list(parts), bytearray(b"\xff") * SECTOR_BYTES
        elif state != before:
            held = bytearray(state)
            pending.pop(0)
    if pending:
        raise BoardError(
            f"the sector at 0x{address:08x} should be programmed",
            got=f"too many damaged answers; at last: {session.complaint}",
            hint=f"check cable and ground, try --option baud={FIRST_BAUD}; the same command continues",
        )


def _programmed(session: Session, address: int, part: slice, before: bytes, after: bytes) -> bytes | None:
    """The contents of the sector after a part of it was sent: `before` or `after`; None for anything else.

    Flash with ECC must not be programmed twice, so a packet is retried only when the CRC of the sector shows that it
    was not executed.
    """
    try:
        session.program(address + part.start, after[part])
    except UnclearError:
        for _ in range(2):  # as in _holds
            value = session.crc(address, SECTOR_BYTES)
            for state in (after, before):
                if value == bsl.crc32(state):
                    return state
        return None
    return after


def _part_bytes(buffer: int) -> int:
    """Data bytes per packet: the largest multiple of a flash word that fits in the boot loader's buffer."""
    room = buffer - bsl.WRAPPING - 5
    return min(SECTOR_BYTES, room - room % WORD_BYTES)


def _runs(addresses: Iterable[int]) -> list[list[int]]:
    """Runs of adjacent sectors."""
    numbered = enumerate(sorted(addresses))
    grouped = groupby(numbered, key=lambda pair: pair[1] - pair[0] * SECTOR_BYTES)
    return [[address for _, address in group] for _, group in grouped]
