"""A session with the SCI boot loader of a C2000 and with TI's flash kernel, which it loads into RAM.

The boot loader echoes each byte. The kernel then accepts packets
    E4 1B | length of data (2) | command (2) | data | sum of the bytes of command and data (2) | 1B E4
and acknowledges them with 2D or refuses them with A5; a refusal is followed by an answer. Answers have the same form;
the kernel waits for a 2D after each of their bytes, then for a 2D or A5 for the whole answer. All numbers are words,
low byte first. Flash data are not sent in packets but as a stream (hex2000.py): after the head, after every 128 words
and at the end of a block the kernel sends the sum of all bytes so far. It pauses for 0.1 s before an answer, has no
time-out and cannot abort a stream. Source: TI SPRABV4, and TI's kernel for F28004x in C2000Ware.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edgekws.errors import BoardError
from firmware_io.flash._line import Line
from firmware_io.flash.c2000_sci.hex2000 import BootImage, block

ACK, NAK = b"\x2d", b"\xa5"
START, END = b"\xe4\x1b", b"\x1b\xe4"
DFU, ERASE, VERIFY, RUN, RESET = 0x0100, 0x0300, 0x0500, 0x000E, 0x000F
OK, VERIFY_ERROR = 0x1000, 0x3000
STATUSES: Final = {
    OK: ("no error", ""),
    0x2000: ("a sector is not blank after its erase", "the flash is protected (DCSM) or worn out"),
    VERIFY_ERROR: ("the flash differs from the image", "write it again"),
    0x4000: ("the flash refused to be programmed", "it is protected (DCSM), or the image is for another chip"),
    0x5000: ("a command that this kernel does not know", "use the kernel of this chip, from C2000Ware"),
    0x6000: ("the security zone could not be unlocked", "give the kernel's unlock command the right password"),
    0xB000: ("a feature that this chip does not have", "use the kernel of this chip, from C2000Ware"),
    0xE000: ("a failure that it does not explain", "reset the board into SCI boot mode and run it again"),
    0xF000: ("a request that it does not recognize", "use the kernel of this chip, from C2000Ware"),
}
"""Status -> (meaning, what to do)."""
BOOT = (
    "set the boot pins to SCI boot (on a LAUNCHXL-F28P55X GPIO24 low, GPIO32 high), reset the board, "
    "then run the same command"
)
CHUNK_BYTES = 0x80 * 2
"""The kernel sends its sum after this many bytes of a block."""

_BAUD_ATTEMPTS = 5
_PACKET_ATTEMPTS = 8
_FILLERS = 4
_LONGEST_ANSWER = 64


class DamagedError(Exception):
    """Bytes were lost or changed on the wire; the kernel is ready for a command again."""


@dataclass(frozen=True)
class Status:
    """An answer of the kernel. command: the one answered. code: key of STATUSES. address: where, a word address."""

    command: int
    code: int
    address: int

    def describe(self) -> tuple[str, str]:
        """(meaning, what to do)."""
        return STATUSES.get(self.code, (f"the unknown status 0x{self.code:04x}", BOOT))


def packet(command: int, data: bytes = b"") -> bytes:
    """A command with its data as a packet."""
    body = _word(command) + data
    return START + _word(len(data)) + body + _word(sum(body)) + END


class Session:
    """Call lock_baud and load_kernel, then lock_baud again for the kernel. repeated: exchanges that were retried."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.repeated = 0

    def lock_baud(self, who: str) -> None:
        """Autobaud: the device measures the rate of an `A` and echoes it. Raises BoardError when it does not."""
        for _ in range(_BAUD_ATTEMPTS):
            self._line.drain()
            self._line.write(b"A")
            if self._line.read(1, sent=1) == b"A":
                return
        raise BoardError(f"{who} should echo an A", got="silence or noise", hint=BOOT)

    def load_kernel(self, kernel: BootImage, progress: Callable[[int, int], None]) -> None:
        """Send the kernel; each byte is echoed. Raises BoardError, with the offset, at the first wrong echo."""
        stream = kernel.stream()
        for offset, byte in enumerate(stream):
            if offset % 256 == 0:
                progress(offset, len(stream))
            self._line.write(bytes([byte]))
            echo = self._line.read(1, sent=1)
            if echo != bytes([byte]):
                raise BoardError(
                    "the boot loader should echo each byte of the kernel",
                    got=f"{echo.hex() or 'nothing'} instead of {byte:02x} at byte {offset} of {len(stream)}",
                    hint=f"nothing was written to the flash. Check cable and ground, then {BOOT}",
                )
        progress(len(stream), len(stream))

    def write(self, head: bytes, address: int, content: bytes) -> Status:
        """Erase the sectors of these words and program them. Raises DamagedError, BoardError as `_stream`."""
        return self._stream(DFU, head, address, content)

    def compare(self, head: bytes, address: int, content: bytes) -> Status:
        """Compare the flash with `content`; code VERIFY_ERROR when it differs. TI's kernel skips four blank words."""
        return self._stream(VERIFY, head, address, content)

    def run(self, entry: int) -> bool:
        """Jump to the image. False: not acknowledged, but it may have jumped nevertheless."""
        return self._command(RUN, _word(entry & 0xFFFF) + _word(entry >> 16), entry)

    def reset(self) -> bool:
        """Reset the chip by its watchdog; returns as `run`."""
        return self._command(RESET, b"", 0)

    def _stream(self, command: int, head: bytes, address: int, content: bytes) -> Status:
        """Raises DamagedError when it may be retried; BoardError, with the address, when the kernel does not answer."""
        if not self._command(command, b"", address):
            raise lost_error(address, f"packet {command:04x} was not acknowledged")
        sender = _Sender(self._line, address)
        sender.send(head, ask=True)
        whole = block(address, content)
        header = len(whole) - len(content)
        for start in range(0, len(content), CHUNK_BYTES):
            first = 0 if start == 0 else header + start
            sender.send(whole[first : header + min(start + CHUNK_BYTES, len(content))], ask=True)
        sender.send(b"\0\0", ask=False)
        status = self._status(address)
        if sender.damaged or status is None or status.command != command:
            self.repeated += 1
            raise DamagedError
        return status

    def _command(self, command: int, data: bytes, address: int) -> bool:
        """Send a packet until it is acknowledged; False when it never is."""
        content = packet(command, data)
        for _ in range(_PACKET_ATTEMPTS):
            self._line.drain()
            self._line.write(content)
            answer = self._line.read(1, sent=len(content))
            for _ in range(_FILLERS):  # a lost byte: the kernel waits for the end of the packet
                if not answer:
                    self._line.write(b"\0")
                    answer = self._line.read(1, sent=1)
            if not answer:
                return False
            if answer == ACK:
                return True
            if answer == START[:1]:  # the acknowledgement of its last answer was damaged: it sends it again
                self._line.push_back(answer)
            elif answer != NAK and not self._line.peek(self._line.patience_s):
                return True  # a damaged acknowledgement: a refusal would be followed by an answer
            self.repeated += 1
            self._status(address)
            self._realign(address)
        return False

    def _realign(self, address: int) -> None:
        """After a refusal the kernel may have received half a word of the rest of the packet.

        One zero completes that word, or two make a word; the kernel refuses it and then waits for a packet.
        """
        for _ in range(2):
            self._line.write(b"\0")
            if self._line.peek(self._line.patience_s):
                self._line.read(1)
                self._status(address)
                return

    def _status(self, address: int) -> Status | None:
        """The kernel's answer; None when it was lost and the kernel has continued."""
        for _ in range(_PACKET_ATTEMPTS):
            content = self._answer()
            if content is None:
                return None
            if len(content) >= 12 and content[:2] == START and content[-2:] == END:
                body = content[4:-4]
                if _word(sum(body)) == content[-4:-2]:
                    self._line.write(ACK)
                    return Status(_number(body[:2]), _number(body[2:4]), _number(body[4:8]))
            self._line.write(NAK)
            self.repeated += 1
        raise lost_error(address, "no answer came undamaged")

    def _answer(self) -> bytes | None:
        """The bytes of an answer, each acknowledged; after silence once more, in case the 2D was lost."""
        content, expected_bytes = b"", 4
        while len(content) < expected_bytes:
            byte = self._line.read(1)
            if not byte:
                self._line.write(ACK)
                byte = self._line.read(1)
                if not byte:
                    return None
            if not content and byte == NAK:
                continue  # for surplus bytes; its answer follows
            content += byte
            self._line.write(ACK)
            if len(content) == 4:
                length = _number(content[2:4])
                expected_bytes = 4 + 2 + (length if length <= _LONGEST_ANSWER else 6) + 4
        return content


class _Sender:
    """Sends a stream and compares the kernel's sums with its own. damaged: they differed at least once."""

    def __init__(self, line: Line, address: int) -> None:
        self._line = line
        self._address = address
        self._sum = 0
        self.damaged = False

    def send(self, content: bytes, ask: bool) -> None:
        self._line.write(content)
        self._sum = (self._sum + sum(content)) & 0xFFFF
        if not ask:
            return
        given = self._given(len(content))
        if given != self._sum:
            self.damaged = True
            self._sum = given

    def _given(self, sent: int) -> int:
        """The kernel's sum. A lost byte is replaced by a filler: the sum is wrong, but the kernel continues."""
        low, fillers = self._line.read(1, sent=sent), 0
        while not low and fillers < _FILLERS:
            fillers += 1
            self._line.write(b"\xff")
            low = self._line.read(1)
        if not low:
            raise lost_error(self._address, "the kernel gave no sum")
        late = fillers == 1 and low == _word(self._sum)[:1]  # nothing was lost; our filler acknowledged it
        self.damaged = self.damaged or (fillers > 0 and not late)
        if not late:
            self._line.write(ACK)
            if fillers == 1 and low == _word(self._sum)[1:]:
                return self._sum  # its low byte was lost, and our filler acknowledged that; this is the high one
        high = self._line.read(1)
        if not high:
            self.damaged = True
            self._line.write(ACK)
            high = self._line.read(1)
            if not high:
                return self._sum
        self._line.write(ACK)
        return _number(low + high)


def lost_error(address: int, what: str) -> BoardError:
    """The error for a kernel that does not answer any more. address: word address. what: what happened."""
    return BoardError(
        "the flash kernel should go on with the image",
        got=f"{what}; stopped at word 0x{address:06x}",
        hint=f"the kernel cannot abort, so {BOOT}; everything is written again",
    )


def _word(value: int) -> bytes:
    return (value & 0xFFFF).to_bytes(2, "little")


def _number(content: bytes) -> int:
    return int.from_bytes(content, "little")
