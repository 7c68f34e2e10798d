"""The boot loader in the ROM of an MSPM0, as TI SLAU887 and TI's flash plug-in describe it.

It has no time-out within a packet, drops nothing, complains of the first wrong header byte, and knows
8-byte flash words that must be erased before they are programmed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.firmware_io.devices.emulated_line import Noise

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

    erase_s: for each sector. protected: sectors that cannot be written. application: the boot loader is
    not invoked; silence.
    """

    size: int = 128 * 1024
    buffer: int = 0x6C0
    password: bytes = b"\xff" * 32
    noise: Noise = field(default_factory=Noise)
    wrong_first_crc: bool = False
    reset_after: int = 0
    erase_s: float = 0.0
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

    def receive(self, content: bytes, baud: int) -> Iterator[bytes]:
        if self.application:
            return
        if baud != self.baud:
            yield b"\xf8"  # noise at another rate
            return
        for byte in self.noise(content):
            self.received.append(byte)
            yield from map(self.noise, self._parsed())

    def _parsed(self) -> Iterator[bytes]:
        """Acknowledgment and answer, when the last byte ended a packet or broke it."""
        got = self.received
        length = int.from_bytes(got[1:3], "little")
        if got[0] != 0x80:
            yield self._complaint(HEADER_WRONG)
        elif len(got) == 3 and length == 0:
            yield self._complaint(SIZE_ZERO)
        elif len(got) == 3 and length + 7 > self.buffer:
            yield self._complaint(TOO_BIG)
        elif len(got) > 3 and len(got) == length + 7:
            payload, checksum = bytes(got[3 : 3 + length]), bytes(got[3 + length :])
            if checksum != crc32(payload):
                yield self._complaint(CHECKSUM_WRONG)
                return
            self.received.clear()
            yield from self._obeyed(payload)

    def _complaint(self, code: int) -> bytes:
        self.received.clear()
        return bytes([code])

    def _obeyed(self, payload: bytes) -> Iterator[bytes]:
        self.packets += 1
        if self.packets == self.reset_after:
            self.invoke()
            self.application = True
            return
        if payload[0] == 0x52:
            yield bytes([ACK if payload[1] in BAUDS else BAUD_UNKNOWN])
            self.baud = BAUDS.get(payload[1], self.baud)
            return
        if payload[0] == 0x40:  # before the acknowledgment: who reads that may invoke the loader again at once
            self.started = self.application = True
            yield bytes([ACK])
            return
        yield bytes([ACK])
        answer = self._command(payload[0], payload[1:])
        if answer:
            yield b"\x08" + len(answer).to_bytes(2, "little") + answer + crc32(answer)

    def _command(self, command: int, data: bytes) -> bytes:
        if command == 0x12:
            return b""
        if command == 0x19:
            rest = self.buffer.to_bytes(2, "little") + b"\x60\x01\x00\x20" + b"\x01\0\0\0" * 2
            return b"\x31\x00\x01\x00\x01\0\0\0\0\x01\x00" + rest
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
            time.sleep(self.erase_s)
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
