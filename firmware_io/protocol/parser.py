"""Bytes from a device -> messages of the MLPerf Tiny protocol. No I/O, no clock.

A device sends lines of printable ASCII ended by CR LF. A lone LF is accepted, for the reference firmware sends it
after some errors. The literals are those of mlcommons/tiny, benchmark/api/{internally,submitter}_implemented;
`m-raw-`, `m-input-crc32-`, `m-check-`, `m-build-`, `m-image-crc32-`, `m-layer`, `m-memory-stack-` and all of
stream_lines.py are extensions of our own firmware.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from edgekws.errors import ProtocolError
from firmware_io.protocol import stream_lines
from firmware_io.protocol.message import COUNT, INT8, Message

MAX_LINE_BYTES = 1024
"""Longest line, without its line ending; the scores of 128 labels need 650. stream_lines.LIST may be longer."""
BUILD_DIGITS = 8
"""Hexadecimal digits of the build id that the answer to `check` has."""
_SHOWN = 60


@dataclass(frozen=True)
class Echo(Message):
    """The command, as a firmware of the streaming wake word received it."""

    command: str


@dataclass(frozen=True)
class Ready(Message):
    """The device waits for the next command."""


@dataclass(frozen=True)
class TimestampMode(Message):
    """First line after a reset. mode: "performance" or "energy"."""

    mode: str


@dataclass(frozen=True)
class InitDone(Message):
    """Last line but one after a reset."""


@dataclass(frozen=True)
class Name(Message):
    """Answer to `name`: the vendor's part of the device's name."""

    vendor: str


@dataclass(frozen=True)
class Profile(Message):
    """First line of the answer to `profile`: which benchmark the firmware implements."""

    text: str


@dataclass(frozen=True)
class Model(Message):
    """Second line of the answer to `profile`: the benchmark's model, `kws01` for keyword spotting."""

    id: str


@dataclass(frozen=True)
class LapUs(Message):
    """Microseconds of the device's own clock since its reset."""

    us: int


@dataclass(frozen=True)
class Expecting(Message):
    """Answer to `db load`: how many bytes the device now expects."""

    size: int


@dataclass(frozen=True)
class LoadDone(Message):
    """The last byte of the input arrived."""


@dataclass(frozen=True)
class Buffer(Message):
    """One line of `db print`."""

    content: bytes


@dataclass(frozen=True)
class WarmupStart(Message):
    """So many warm-up inferences begin."""

    count: int


@dataclass(frozen=True)
class WarmupDone(Message):
    """The warm-up inferences are over."""


@dataclass(frozen=True)
class InferStart(Message):
    """So many timed inferences begin."""

    count: int


@dataclass(frozen=True)
class InferDone(Message):
    """The timed inferences are over."""


@dataclass(frozen=True)
class Results(Message):
    """Probabilities in thousandths, one per label."""

    permille: tuple[int, ...]


@dataclass(frozen=True)
class Raw(Message):
    """int8 scores of the last inference, one per label."""

    scores: tuple[int, ...]


@dataclass(frozen=True)
class InputCrc(Message):
    """CRC-32 (as zlib computes it) of the input of the last inference."""

    crc32: int


@dataclass(frozen=True)
class Check(Message):
    """CRC-32 of all bytes that the device received and sent since its last `check` or its reset.

    received: includes this `check`; sent: excludes this answer. build: the first 8 digits of the firmware's build id,
    "" for a firmware without one.
    """

    received: int
    sent: int
    build: str = ""


@dataclass(frozen=True)
class Build(Message):
    """Last line of the answer to `help`: the build id of the firmware, 32 hexadecimal digits."""

    id: str


@dataclass(frozen=True)
class ImageCrc(Message):
    """CRC-32 (as zlib computes it) of the firmware as it lies in the flash of the device."""

    crc32: int


@dataclass(frozen=True)
class ImageUnknown(Message):
    """The firmware is no image in flash memory, but a program of a computer."""


@dataclass(frozen=True)
class Text(Message):
    """Any other line of the answer to `help`."""

    text: str


@dataclass(frozen=True)
class Layers(Message):
    """First line of the answer to `layers`: `count` lines follow. ticks_per_s: rate of the device's clock."""

    count: int
    iterations: int
    ticks_per_s: int


@dataclass(frozen=True)
class Layer(Message):
    """Clock ticks of one layer, summed over all iterations."""

    number: int
    ticks: int


@dataclass(frozen=True)
class StackUse(Message):
    """The device's stack in bytes. used: at its peak since the reset. size: of the whole stack."""

    used: int
    size: int


@dataclass(frozen=True)
class StackUnknown(Message):
    """The device cannot measure the peak use of its stack."""


@dataclass(frozen=True)
class DeviceError(Message):
    """The device refuses a command."""

    text: str

    def unknown(self, command: str) -> bool:
        """Whether the device does not know the first word of `command`; a damaged word comes back damaged."""
        return self.text == f"Unknown command: {command.split(' ', maxsplit=1)[0]}"


def _thousandths(text: str) -> tuple[int, ...]:
    return tuple(int(value.replace(".", "")) for value in text.split(","))


def _scores(text: str) -> tuple[int, ...]:
    return tuple(int(value) for value in text.split(","))


def _check(received: str, sent: str, build: str | None) -> Check:
    return Check(int(received, 16), int(sent, 16), _said(build or ""))


def _said(build: str) -> str:
    """A build id; "" for zeros, which a firmware has that was linked by other means than firmware_io.build."""
    return build if build.strip("0") else ""


_PROBABILITY = r"(?:0\.\d{3}|1\.000)"
_SOURCES: tuple[tuple[str, Callable[..., Message]], ...] = (
    (r"m-ready", Ready),
    (r"Received command: (.*)", Echo),
    (r"m-timestamp-mode-(performance|energy)", TimestampMode),
    (r"m-init-done", InitDone),
    (r"m-name-dut-\[([^\]]+)\]", Name),
    (r"m-profile-\[([^\]]+)\]", Profile),
    (r"m-model-\[([^\]]+)\]", Model),
    (rf"m-lap-us-{COUNT}", lambda text: LapUs(int(text))),
    (rf"m-\[Expecting {COUNT} bytes\]", lambda text: Expecting(int(text))),
    (r"m-load-done", LoadDone),
    (r"m-buffer-([0-9a-fA-F]{2}(?:-[0-9a-fA-F]{2})*)", lambda text: Buffer(bytes.fromhex(text.replace("-", "")))),
    (rf"m-warmup-start-{COUNT}", lambda text: WarmupStart(int(text))),
    (r"m-warmup-done", WarmupDone),
    (rf"m-infer-start-{COUNT}", lambda text: InferStart(int(text))),
    (r"m-infer-done", InferDone),
    (rf"m-results-\[({_PROBABILITY}(?:,{_PROBABILITY})*)\]", lambda text: Results(_thousandths(text))),
    (rf"m-raw-\[({INT8}(?:,{INT8})*)\]", lambda text: Raw(_scores(text))),
    (r"m-input-crc32-\[([0-9a-fA-F]{8})\]", lambda text: InputCrc(int(text, 16))),
    (r"m-check-\[([0-9a-f]{8}),([0-9a-f]{8})(?:,([0-9a-f]{8}))?\]", _check),
    (r"m-build-\[([0-9a-f]{32})\]", lambda number: Build(_said(number))),
    (r"m-image-crc32-\[([0-9a-f]{8})\]", lambda text: ImageCrc(int(text, 16))),
    (r"m-image-crc32-\[unknown\]", ImageUnknown),
    (rf"m-layers-\[{COUNT},{COUNT},{COUNT}\]", lambda *counts: Layers(*map(int, counts))),
    (rf"m-layer-\[{COUNT},{COUNT}\]", lambda number, ticks: Layer(int(number), int(ticks))),
    (rf"m-memory-stack-\[{COUNT},{COUNT}\]", lambda used, size: StackUse(int(used), int(size))),
    (r"m-memory-stack-\[unknown\]", StackUnknown),
    (r"e-\[(.*)\]", DeviceError),
    (r"(Supplied buffer size .*|Input db has .*)", DeviceError),  # the reference forgets the e-[]
    *stream_lines.LINES,
)
_LINES = tuple((re.compile(pattern), build) for pattern, build in _SOURCES)


class Parser:
    """Feed bytes as they arrive, take messages one by one; how the bytes were split makes no difference.

    After a ProtocolError the position in the stream is lost: every further `take` raises it again.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._error: ProtocolError | None = None
        self.line = b""
        """The bytes of the last message as received, with the line ending."""

    def feed(self, content: bytes) -> None:
        """Add received bytes; nothing is parsed yet."""
        self._buffer += content

    @property
    def unfinished(self) -> bytes:
        """The bytes received after the last message that was taken."""
        return bytes(self._buffer)

    def take(self, prose: bool = False) -> Message | None:
        """The next message; None while its line is incomplete. Raises ProtocolError for a line that is no message.

        prose: take any other line of printable ASCII as Text.
        """
        if self._error is not None:
            raise self._error
        try:
            return self._take(prose)
        except ProtocolError as error:
            self._error = error
            raise

    def _take(self, prose: bool) -> Message | None:
        end = self._buffer.find(b"\n")
        most = stream_lines.MAX_LIST_BYTES if self._buffer.startswith(stream_lines.LIST) else MAX_LINE_BYTES
        if (end if end >= 0 else len(self._buffer)) > most:
            got = f"{most} bytes without a line ending: {shown(bytes(self._buffer))}"
            raise ProtocolError(f"lines should have at most {most} bytes", got=got, hint=_BAUD_HINT)
        if end < 0:
            return None
        self.line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        return parse_line(self.line[:-1].removesuffix(b"\r"), prose)


_BAUD_HINT = "check the baud rate, the cable and that the firmware speaks the MLPerf Tiny protocol"


def parse_line(line: bytes, prose: bool = False) -> Message:
    """One line, without its line ending, as a message. Raises ProtocolError. prose: as for Parser.take."""
    if any(not 0x20 <= byte <= 0x7E for byte in line):
        raise ProtocolError("lines should be printable ASCII", got=shown(line), hint=_BAUD_HINT)
    text = line.decode("ascii")
    for pattern, build in _LINES:
        match = pattern.fullmatch(text)
        if match:
            return build(*match.groups())
    if prose:
        return Text(text)
    raise ProtocolError("a line of the MLPerf Tiny protocol (m-... or e-[...])", got=shown(line), hint=_BAUD_HINT)


def shown(content: bytes) -> str:
    """Bytes as errors quote them, at most 60."""
    cut = content[:_SHOWN]
    return ascii(cut.decode("latin-1")) + ("..." if len(content) > _SHOWN else "")
