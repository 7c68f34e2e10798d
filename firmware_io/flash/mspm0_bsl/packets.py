"""Packets of the boot loader (BSL) in the ROM of TI's MSPM0, over a UART. Source: TI SLAU887, chapter 4.

    host   80 | length (2, LE) | command, data | CRC-32 (4, LE)
    device 00, or what is wrong with the packet (one byte); then for most commands
           08 | length (2, LE) | response, data | CRC-32 (4, LE)
length and CRC-32 cover command and data; the CRC starts at ff..ff and is not inverted at the end.
"""

from __future__ import annotations

import zlib
from typing import Final

HEADER, RESPONSE_HEADER, ACK = 0x80, 0x08, 0x00
WRAPPING = 7
"""Bytes of a packet without command and data."""

CONNECT, MASS_ERASE, INFO, PROGRAM, UNLOCK = 0x12, 0x15, 0x19, 0x20, 0x21
RANGE_ERASE, VERIFY, START, CHANGE_BAUD = 0x23, 0x26, 0x40, 0x52

INFO_RESPONSE, VERIFY_RESPONSE, DETAILED_ERROR, MESSAGE = 0x31, 0x32, 0x3A, 0x3B
INFO_BYTES = 24

BAUDS: Final = {
    4_800: 1,
    9_600: 2,
    19_200: 3,
    38_400: 4,
    57_600: 5,
    115_200: 6,
    1_000_000: 7,
    2_000_000: 8,
    3_000_000: 9,
}
"""Baud rate -> its code in CHANGE_BAUD."""

ACKS: Final = {
    0x51: "header incorrect",
    0x52: "checksum incorrect",
    0x53: "packet size zero",
    0x54: "packet size too big for its buffer",
    0x55: "unknown error",
    0x56: "unknown baud rate",
}
LOCKED, WRONG_PASSWORD, SECURITY_ALERT = 0x01, 0x02, 0x03
MESSAGES: Final = {
    0x00: ("operation successful", ""),
    LOCKED: ("it is locked", "it locks itself after 10 s without a command: invoke it and run the same command again"),
    WRONG_PASSWORD: ("wrong password", "give the one of its BSL configuration: --option password=<64 hex digits>"),
    SECURITY_ALERT: (
        "three wrong passwords: it took the action that its configuration prescribes (a factory reset or a lock)",
        "look up the security alert in the chip's BSL configuration; after a factory reset the password is 32 x ff",
    ),
    0x04: ("unknown command", "this boot loader has another command set: use --tool dslite"),
    0x05: ("invalid memory range", "build the image for this chip"),
    0x06: ("a command that is not possible now", "reset the board into its boot loader and run it again"),
    0x07: ("factory reset is disabled", "enable it in the chip's boot configuration"),
    0x08: ("wrong password for the factory reset", "give the one of its boot configuration"),
    0x09: ("reading memory is disabled", "enable it in the chip's BSL configuration"),
    0x0A: ("address or length not a multiple of 8 bytes", "report this: it is a fault of edgekws"),
    0x0B: ("fewer than 1024 bytes to verify", "report this: it is a fault of edgekws"),
}
"""Message -> (meaning, what to do)."""

FLASH_ERROR = 0xF0


def crc32(content: bytes) -> int:
    """CRC-32 as the boot loader computes it: polynomial EDB88320, initial value ff..ff, no final inversion."""
    return zlib.crc32(content) ^ 0xFFFF_FFFF


def packet(payload: bytes) -> bytes:
    """A command with its data as a packet of the host."""
    return _wrapped(HEADER, payload)


def response(payload: bytes) -> bytes:
    """A response with its data as a packet of the device."""
    return _wrapped(RESPONSE_HEADER, payload)


def words(*values: int) -> bytes:
    """32-bit numbers, lowest byte first."""
    return b"".join(value.to_bytes(4, "little") for value in values)


def _wrapped(header: int, payload: bytes) -> bytes:
    return bytes([header]) + len(payload).to_bytes(2, "little") + payload + words(crc32(payload))
