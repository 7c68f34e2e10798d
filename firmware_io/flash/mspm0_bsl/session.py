"""A session with the boot loader of an MSPM0: its commands, each retried until it is known to have arrived.

After a damaged or lost byte the boot loader waits for the rest of a packet, or for the next one. It has no time-out
within a packet, so after any damage zeros are sent until it reports an error: then it waits for a header.
"""

from __future__ import annotations

from edgekws.errors import BoardError, ProtocolError
from firmware_io.flash._line import BITS_PER_BYTE, Line
from firmware_io.flash.mspm0_bsl import packets as bsl

FIRST_BAUD = 9_600
INVOKE = (
    "invoke it: hold the BSL button (BSL_invoke, PA18 on most chips, high) while reset is pressed and released; "
    "a blank chip starts it by itself. It stops after 10 s of silence: then invoke it again"
)
ATTEMPTS = 12
_SILENCES = 3
"""Attempts without any answer before giving up."""
_UNLOCK_ATTEMPTS = 2
"""A third wrong password would trigger the security alert."""
_ERASE_S_PER_SECTOR = 0.05
_CRC_S_PER_BYTE = 2e-6
_FILLER_BYTES = 64
_SILENCE = "silence"
_USUAL_BUFFER = 2048
_AFTERTHOUGHT_S = 0.01
"""A boot loader that was connected before may send a message after its acknowledgement."""
_SMALLEST_BUFFER = bsl.WRAPPING + 5 + 8


class UnclearError(Exception):
    """A command that must not be sent twice was sent, and it is not known whether it was executed."""


class Session:
    """Call connect and unlock first. buffer: size of the longest packet in bytes. repeated: packets sent again.

    complaint: the error of the last packet that was not acknowledged.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self.buffer = 0
        self.repeated = 0
        self.complaint = _SILENCE

    def connect(self, *bauds: int) -> None:
        """Connect at one of `bauds` and read the size of its buffer.

        Raises BoardError, with how to invoke it, when it is silent; ProtocolError when its buffer is too small.
        """
        for baud in bauds:
            self._line.set_baud(baud)
            alive = True
            for _ in range(ATTEMPTS):
                if self._accepted(bytes([bsl.CONNECT])):
                    self._line.drain(_AFTERTHOUGHT_S)
                    if self._identified():
                        return
                if not alive and self.complaint == _SILENCE:
                    break
                alive = self._resynchronize()
        raise BoardError("the MSPM0's boot loader should answer", got=self.complaint, hint=INVOKE)

    def _identified(self) -> bool:
        """Read the buffer size: an acknowledgement alone may be a late one of an earlier session."""
        answer = self._response() if self._accepted(bytes([bsl.INFO])) else None
        if not answer or answer[0] != bsl.INFO_RESPONSE or len(answer) != 1 + bsl.INFO_BYTES:
            return False
        self.buffer = int.from_bytes(answer[11:13], "little")
        if self.buffer < _SMALLEST_BUFFER:
            raise ProtocolError("the boot loader should have a buffer for data", got=f"{self.buffer} bytes")
        return True

    def change_baud(self, baud: int) -> None:
        """Switch both sides to `baud`; continues at the old rate when there is no answer. Raises as `connect`."""
        self._accepted(bytes([bsl.CHANGE_BAUD, bsl.BAUDS[baud]]))  # acknowledged at the old rate
        self.connect(baud, FIRST_BAUD)

    def unlock(self, password: bytes) -> None:
        """Unlock with 32 bytes. Raises BoardError for a wrong password."""
        self._command(bytes([bsl.UNLOCK]) + password, attempts=_UNLOCK_ATTEMPTS)

    def mass_erase(self, sectors: int) -> None:
        """Erase the whole main flash. sectors: its size, for the time-out. Raises BoardError on failure."""
        self._command(bytes([bsl.MASS_ERASE]), sectors * _ERASE_S_PER_SECTOR)

    def erase(self, first: int, last: int, sectors: int) -> None:
        """Erase the sectors of the byte addresses `first` to `last`. Raises BoardError on failure."""
        self._command(bytes([bsl.RANGE_ERASE]) + bsl.words(first, last), sectors * _ERASE_S_PER_SECTOR)

    def crc(self, address: int, count: int) -> int:
        """CRC-32 (packets.crc32) of `count` bytes of memory, at least 1024. Raises BoardError or ProtocolError."""
        asked = bytes([bsl.VERIFY]) + bsl.words(address, count)
        return int.from_bytes(self._ask(asked, bsl.VERIFY_RESPONSE, 4, count * _CRC_S_PER_BYTE), "little")

    def program(self, address: int, content: bytes) -> None:
        """Program erased flash. Raises UnclearError when it may or may not have been written, BoardError on failure."""
        if self._accepted(bytes([bsl.PROGRAM]) + bsl.words(address) + content):
            answer = self._response()
            if answer is not None:
                _check(answer, f"programming 0x{address:08x}")
                return
        self._damaged()
        raise UnclearError

    def start(self) -> bool:
        """Start the application. False: not acknowledged, but it may have started nevertheless."""
        return self._accepted(bytes([bsl.START]))

    def _accepted(self, payload: bytes) -> bool:
        """Send a packet; True when it was acknowledged."""
        self._line.drain()
        packet = bsl.packet(payload)
        self._line.write(packet)
        ack = self._line.read(1, sent=len(packet))
        self.complaint = bsl.ACKS.get(ack[0], f"the unknown byte 0x{ack[0]:02x}") if ack else _SILENCE
        return ack == bytes([bsl.ACK])

    def _response(self, work_s: float = 0.0) -> bytes | None:
        """The payload of a response; None when none arrived undamaged."""
        head = self._line.read(3, work_s)
        if len(head) < 3 or head[0] != bsl.RESPONSE_HEADER:
            return None
        length = int.from_bytes(head[1:], "little")
        if not 0 < length <= max(self.buffer, 1 + bsl.INFO_BYTES):
            return None
        rest = self._line.read(length + 4)
        payload, checksum = rest[:length], rest[length:]
        return payload if checksum == bsl.words(bsl.crc32(payload)) else None

    def _exchange(self, payload: bytes, work_s: float, attempts: int, what: str) -> bytes:
        """Send a command that may be repeated; returns its response."""
        silences = 0
        for _ in range(attempts):
            if self._accepted(payload):
                answer = self._response(work_s)
                if answer is not None:
                    return answer
            silences = 0 if self._damaged() else silences + 1
            if silences == _SILENCES:
                break
        raise self._lost_error(what)

    def _ask(self, payload: bytes, kind: int, count: int, work_s: float = 0.0) -> bytes:
        what = _name(payload)
        answer = self._exchange(payload, work_s, ATTEMPTS, what)
        if answer[0] == kind and len(answer) == 1 + count:
            return answer[1:]
        _check(answer, what)
        raise ProtocolError(f"{what} should be answered with data", got=answer.hex(" "), hint=INVOKE)

    def _command(self, payload: bytes, work_s: float = 0.0, attempts: int = ATTEMPTS) -> None:
        what = _name(payload)
        _check(self._exchange(payload, work_s, attempts, what), what)

    def _damaged(self) -> bool:
        """Whether there is still somebody there, and now waits for a packet."""
        self.repeated += 1
        return self._resynchronize()

    def _resynchronize(self) -> bool:
        """Zeros until it complains, at most as many as the longest packet has bytes. False: it never did."""
        heard = self._line.drain(self._line.patience_s)
        self._line.write(b"\0")
        alive = bool(self._line.read(1))
        for _ in range(0, max(self.buffer, _USUAL_BUFFER), _FILLER_BYTES):
            if alive:
                break
            self._line.write(bytes(_FILLER_BYTES))
            alive = bool(self._line.drain(_FILLER_BYTES * BITS_PER_BYTE / self._line.baud))
        self._line.drain(self._line.patience_s)
        return alive or bool(heard)

    def _lost_error(self, what: str) -> BoardError:
        return BoardError(
            f"the boot loader should acknowledge and answer {what}",
            got=f"several attempts, none with an undamaged answer; at last: {self.complaint}",
            hint=f"check cable and ground, try --option baud={FIRST_BAUD}; the same command continues. Or {INVOKE}",
        )


def _name(payload: bytes) -> str:
    names = {
        bsl.UNLOCK: "the password",
        bsl.MASS_ERASE: "erasing all",
        bsl.RANGE_ERASE: "erasing",
        bsl.VERIFY: "the CRC",
    }
    address = f" 0x{int.from_bytes(payload[1:5], 'little'):08x}" if payload[0] in (bsl.RANGE_ERASE, bsl.VERIFY) else ""
    return names[payload[0]] + address


def _check(answer: bytes, what: str) -> None:
    """Raises BoardError for any message but success, ProtocolError for another response."""
    if answer[0] == bsl.MESSAGE and len(answer) == 2:
        meaning, hint = bsl.MESSAGES.get(answer[1], (f"the unknown message 0x{answer[1]:02x}", INVOKE))
        if answer[1]:
            raise BoardError(f"the boot loader should execute: {what}", got=meaning, hint=hint)
        return
    if answer[0] == bsl.DETAILED_ERROR:
        raise BoardError(
            f"the boot loader should execute: {what}",
            got=f"error 0x{answer[1:].hex()}" + (" of the flash controller" if answer[1:2] == b"\xf0" else ""),
            hint="the flash may be write-protected (its boot configuration says so) or worn out",
        )
    raise ProtocolError(f"{what} should be answered with a message", got=answer.hex(" "), hint=INVOKE)
