"""The SCI boot loader in the ROM of a C2000, and TI's flash kernel for F28004x, which it loads.

As TI SPRABV4 and the kernel's source describe them: the loader echoes; the kernel has no time-outs, a
receiver of one byte (what arrives during a pause overwrites itself), sums instead of CRCs, and erases
a sector when the first word of a transfer falls into it. Flash has ECC: four words are programmed at
once, after an erase.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field

from tests.firmware_io.devices.emulated_line import Noise

ACK, NAK = 0x2D, 0xA5
NO_ERROR, VERIFY_ERROR, PROGRAM_ERROR, COMMAND_ERROR = 0x1000, 0x3000, 0x4000, 0x5000
DFU, VERIFY, RUN, RESET = 0x0100, 0x0500, 0x000E, 0x000F
SECTOR_WORDS = 0x1000
CHUNK_WORDS = 0x80

READ, PAUSE = object(), object()
Steps = Generator[object, int, None]
Value = Generator[object, int, int]


@dataclass
class EmulatedSci:
    """kernel: the stream that is loaded properly; another one crashes. stuck: sector that is never programmed.

    erase_s: for each sector. reset_after: chunks until the power fails, once.
    naks: packets that are refused although they are sound. entry: where it was told to run.
    """

    kernel: bytes
    origin: int = 0x80000
    words: int = 0x20000
    noise: Noise = field(default_factory=Noise)
    stuck: int = -1
    naks: int = 0
    pause_s: float = 0.001
    erase_s: float = 0.0
    reset_after: int = 0
    entry: int | None = None
    resets: int = 0
    transfers: int = 0
    chunks: int = 0

    def __post_init__(self) -> None:
        self.flash = bytearray(b"\xff" * (2 * self.words))
        self.press_reset()

    def press_reset(self) -> None:
        """With the boot pins set to SCI boot."""
        self.pending = bytearray()
        self.out = bytearray()
        self.loading = True
        self.steps = self._boot()
        self.waiting = next(self.steps)

    def receive(self, content: bytes, baud: int) -> list[bytes]:
        self.pending += self.noise(content, self._share(content))
        self.out.clear()
        while self.waiting is not None and self.pending:
            byte = self.pending.pop(0)
            self.waiting = self._advanced(byte)
            if self.reset_after and self.chunks >= self.reset_after:
                self.reset_after = 0
                self.press_reset()
        return [self.noise(bytes(self.out), self._share(self.out))]

    def _share(self, content: bytes | bytearray) -> float:
        """Of a packet: the kernel is echoed byte by byte, an answer of 16 bytes is acknowledged so."""
        return min(1.0, len(content) / (256 if self.loading else 16))

    def _advanced(self, byte: int) -> object:
        try:
            answer = self.steps.send(byte)
            while answer is PAUSE:
                time.sleep(self.pause_s)
                del self.pending[:-1]  # a receiver of one byte
                answer = self.steps.send(0)
        except StopIteration:
            return None
        return answer

    def _byte(self) -> Value:
        return (yield READ)

    def _word(self) -> Value:
        low = yield READ
        high = yield READ
        self.sum += low + high
        return low | high << 8

    def _long(self) -> Value:
        high = yield from self._word()
        low = yield from self._word()
        return high << 16 | low

    def _boot(self) -> Steps:
        while (yield READ) != ord("A"):
            pass
        self.out += b"A"
        received = bytearray()
        while len(received) < len(self.kernel):
            byte = yield READ
            received.append(byte)
            self.out.append(byte)
        self.loading = False
        if received == self.kernel:
            yield from self._run_kernel()

    def _run_kernel(self) -> Steps:
        while (yield READ) != ord("A"):
            pass
        self.out += b"A"
        self.sum = 0
        while True:
            command, data = yield from self._packet()
            self.status, self.address, self.sum = NO_ERROR, 0x12345678, 0
            if command == RESET:
                self.resets += 1
                return
            if command == RUN:
                self.entry = int.from_bytes(data, "little")
                return
            if command in (DFU, VERIFY):
                self.transfers += 1
                yield from self._transfer(command)
            else:
                self.status = COMMAND_ERROR
            while (yield from self._answer(command)) != ACK:
                pass

    def _packet(self) -> Generator[object, int, tuple[int, bytes]]:
        if (yield from self._word()) != 0x1BE4:
            return (yield from self._nak(100))
        length = yield from self._word()
        self.sum, data = 0, b""
        command = yield from self._word()
        for _ in range(length // 2):
            data += (yield from self._word()).to_bytes(2, "little")
        expected = self.sum & 0xFFFF
        if (yield from self._word()) != expected:
            return (yield from self._nak(101))
        if (yield from self._word()) != 0xE41B:
            return (yield from self._nak(102))
        if self.naks:
            self.naks -= 1
            return (yield from self._nak(101))
        self.out.append(ACK)
        return command, data

    def _nak(self, code: int) -> Generator[object, int, tuple[int, bytes]]:
        self.out.append(NAK)
        return code, b""
        yield

    def _answer(self, command: int) -> Value:
        yield PAUSE
        body = command.to_bytes(2, "little") + self.status.to_bytes(2, "little") + self.address.to_bytes(4, "little")
        content = b"\xe4\x1b\x06\x00" + body + (sum(body) & 0xFFFF).to_bytes(2, "little") + b"\x1b\xe4"
        for byte in content:
            self.out.append(byte)
            yield READ
        return (yield READ)

    def _give_sum(self) -> Steps:
        for byte in (self.sum & 0xFFFF).to_bytes(2, "little"):
            self.out.append(byte)
            yield READ

    def _transfer(self, command: int) -> Steps:
        if (yield from self._word()) != 0x08AA:
            self.status = VERIFY_ERROR
        for _ in range(8):
            yield from self._word()
        entry = yield from self._long()
        yield from self._give_sum()
        self.erased: set[int] = set()
        while count := (yield from self._word()):
            address = yield from self._long()
            for start in range(0, count, CHUNK_WORDS):
                chunk = b""
                for _ in range(min(CHUNK_WORDS, count - start)):
                    chunk += (yield from self._word()).to_bytes(2, "little")
                self.chunks += 1
                self._use(command, address + start, chunk + b"\xff" * (-len(chunk) % 8))
                yield from self._give_sum()
        if command == DFU and self.status == NO_ERROR:
            self.address = entry

    def _use(self, command: int, address: int, chunk: bytes) -> None:
        """Program or compare, eight bytes at a time; blank ones are passed over."""
        for offset in range(0, len(chunk), 8):
            group, at = chunk[offset : offset + 8], address + offset // 2
            where = 2 * (at - self.origin)
            if group == b"\xff" * 8:
                continue
            if not 0 <= where <= len(self.flash) - 8:
                self._fail(PROGRAM_ERROR if command == DFU else VERIFY_ERROR, at)
                continue
            if command == DFU:
                self._program(at, where, group)
            if self.flash[where : where + 8] != group:
                self._fail(VERIFY_ERROR, at)

    def _program(self, at: int, where: int, group: bytes) -> None:
        sector = (at - self.origin) // SECTOR_WORDS
        if sector not in self.erased:
            self.erased.add(sector)
            time.sleep(self.erase_s)
            self.flash[sector * SECTOR_WORDS * 2 : (sector + 1) * SECTOR_WORDS * 2] = b"\xff" * (SECTOR_WORDS * 2)
        if self.flash[where : where + 8] != b"\xff" * 8 or sector == self.stuck:
            self._fail(PROGRAM_ERROR, at)
            return
        self.flash[where : where + 8] = group

    def _fail(self, status: int, address: int) -> None:
        if self.status == NO_ERROR:
            self.status, self.address = status, address
