"""The boot loader in the ROM of an MSPM0, as TI SLAU887 and TI's flash plug-in describe it.

It has no time-out within a packet, drops nothing, complains of the first wrong header byte, and knows
8-byte flash words that must be erased before they are programmed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.firmware_io.emulated_line import Noise

ACK, HEADER_WRONG, CHECKSUM_WRONG, SIZE_ZERO, TOO_BIG, BAUD_UNKNOWN = 0x00, 0x51, 0x52, 0x53, 0x54, 0x56
OK, LOCKED, PASSWORD, ALERT, UNKNOWN, RANGE, ALIGNMENT, SHORT = 0, 1, 2, 3, 4, 5, 0x0A, 0x0B
BAUDS = {1: 4800, 2: 9600, 3: 19200, 4: 38400, 5: 57600, 6: 115200, 7: 1000000}
SECTOR = 1024


def crc32(content: bytes) -> bytes:
    """Bit by bit, from its polynomial: an independent witness of the host's."""
    value = 0xFFFFFFFF
    for byte in content:
        value = _TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    return value.to_bytes(4, "little")


def _row(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (0xEDB88320 if value & 1 else 0)
    return value


_TABLE = [_row(value) for value in range(256)]


@dataclass
class EmulatedBsl:
    """wrong_first_crc: users saw a wrong first CRC after programming. reset_after: packets until the power fails.

    protected: sectors that cannot be written. application: the boot loader is not invoked; silence.
    """

    size: int = 128 * 1024
    buffer: int = 0x6C0
    password: bytes = b"\xff" * 32
    noise: Noise = field(default_factory=Noise)
    wrong_first_crc: bool = False
    reset_after: int = 0
    protected: tuple[int, ...] = ()
    application: bool = False
    started: bool = False
    packets: int = 0
    erased: int = 0
    programmed: int = 0

    def __post_init__(self) -> None:
        self.flash = bytearray(b"\xff" * self.size)
        self.invoke()
        self.application = False

    def invoke(self) -> None:
        """BSL_invoke is high while the reset button is pressed."""
        self.application = False
        self.locked, self.wrong, self.baud = True, 0, 9600
        self.received = bytearray()
        self.dirty = False

    def receive(self, content: bytes, baud: int) -> bytes:
        if self.application:
            return b""
        if baud != self.baud:
            return b"\xf8" * bool(content)  # noise at another rate
        answers = []
        for byte in self.noise(content):
            self.received.append(byte)
            answers += self._parsed()
        return b"".join(self.noise(answer) for answer in answers)

    def _parsed(self) -> list[bytes]:
        """Acknowledgment and answer, when the last byte ended a packet or broke it."""
        got = self.received
        if got[0] != 0x80:
            return self._complaint(HEADER_WRONG)
        if len(got) < 3:
            return []
        length = int.from_bytes(got[1:3], "little")
        if length == 0:
            return self._complaint(SIZE_ZERO)
        if length + 7 > self.buffer:
            return self._complaint(TOO_BIG)
        if len(got) < length + 7:
            return []
        payload, checksum = bytes(got[3 : 3 + length]), bytes(got[3 + length :])
        if checksum != crc32(payload):
            return self._complaint(CHECKSUM_WRONG)
        self.received.clear()
        self.packets += 1
        if self.packets == self.reset_after:
            self.invoke()
            self.application = True
            return []
        return self._obeyed(payload)

    def _complaint(self, code: int) -> list[bytes]:
        self.received.clear()
        return [bytes([code])]

    def _obeyed(self, payload: bytes) -> list[bytes]:
        if payload[0] == 0x52:
            if payload[1] not in BAUDS:
                return [bytes([BAUD_UNKNOWN])]
            self.baud = BAUDS[payload[1]]
            return [bytes([ACK])]
        answer = self._command(payload[0], payload[1:])
        packet = b"\x08" + len(answer).to_bytes(2, "little") + answer + crc32(answer)
        return [bytes([ACK]), packet] if answer else [bytes([ACK])]

    def _command(self, command: int, data: bytes) -> bytes:
        if command == 0x12:
            return b""
        if command == 0x19:
            rest = self.buffer.to_bytes(2, "little") + b"\x60\x01\x00\x20" + b"\x01\0\0\0" * 2
            return b"\x31\x00\x01\x00\x01\0\0\0\0\x01\x00" + rest
        if command == 0x40:
            self.started = self.application = True
            return b""
        if command == 0x21:
            return self._unlock(data)
        if command not in (0x15, 0x20, 0x23, 0x26):
            return bytes([0x3B, UNKNOWN])
        if self.locked:
            return bytes([0x3B, LOCKED])
        first, second = int.from_bytes(data[:4], "little"), int.from_bytes(data[4:8], "little")
        if command == 0x15:
            return self._erase(0, self.size - 1)
        if command == 0x23:
            return self._erase(first, second)
        return self._program(first, data[4:]) if command == 0x20 else self._verify(first, second)

    def _unlock(self, password: bytes) -> bytes:
        if password == self.password:
            self.locked, self.wrong = False, 0
            return bytes([0x3B, OK])
        self.locked, self.wrong = True, self.wrong + 1
        return bytes([0x3B, ALERT if self.wrong >= 3 else PASSWORD])

    def _erase(self, first: int, last: int) -> bytes:
        if last < first or last >= self.size:
            return bytes([0x3B, RANGE])
        for sector in range(first // SECTOR, last // SECTOR + 1):
            if sector not in self.protected:
                self.flash[sector * SECTOR : (sector + 1) * SECTOR] = b"\xff" * SECTOR
                self.erased += 1
        return bytes([0x3B, OK])

    def _program(self, address: int, content: bytes) -> bytes:
        if address + len(content) > self.size:
            return bytes([0x3B, RANGE])
        if address % 8 or len(content) % 8:
            return bytes([0x3B, ALIGNMENT])
        if any(byte != 0xFF for byte in self.flash[address : address + len(content)]):
            return b"\x3a\xf0\x10\x00"  # ECC: a word is programmed once
        self.dirty = True
        self.programmed += 1
        if address // SECTOR in self.protected:
            return b"\x3a\xf0\x04\x00"
        self.flash[address : address + len(content)] = content
        return bytes([0x3B, OK])

    def _verify(self, address: int, count: int) -> bytes:
        if count < SECTOR:
            return bytes([0x3B, SHORT])
        if address + count > self.size:
            return bytes([0x3B, RANGE])
        value = crc32(bytes(self.flash[address : address + count]))
        if self.wrong_first_crc and self.dirty:
            value = b"\x60\x4a\x42\x68"
        self.dirty = False
        return b"\x32" + value
