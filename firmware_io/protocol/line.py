"""Commands and answers on a transport, and the two checksums that prove them.

The device keeps a CRC-32 of what it received and one of what it sent; the host keeps the same two of what it
sent and received. `check N` brings them together: when both pairs agree, every byte since the last `check`
arrived as it was sent, in both directions. N is another number each time, so that a late answer to an
earlier `check` proves nothing.
"""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Callable
from typing import NoReturn, TypeVar

from edgekws.errors import BoardError, ProtocolError
from firmware_io.protocol import parser as msg
from firmware_io.protocol.parser import Message, Parser, shown
from firmware_io.protocol.values import Timeouts
from firmware_io.transport import Transport

LONGEST_ANSWER = 32
COMMAND_CHARACTERS = 80
"""The device's command buffer, and that of the reference firmware; the `%` does not count."""
M = TypeVar("M", bound=Message)


class RestartedError(BoardError):
    """The device was reset; repeating the exchange would hide it."""


class Line:
    """The host sends a command ended by `%` and nothing more until `m-ready` came.

    Every line of an answer has a time-out of its own, so that a long inference may take its time while silence
    is noticed. `clock` counts the seconds of the transport's time-outs.
    """

    def __init__(self, transport: Transport, timeouts: Timeouts, clock: Callable[[], float] = time.monotonic) -> None:
        self._transport = transport
        self._timeouts = timeouts
        self._clock = clock
        self._parser = Parser()
        self._sent = b""  # since the last `check`
        self._received = 0  # CRC-32 since the last `check`
        self._pending = bytearray()  # has come and is no message yet
        self._checks = 0
        self._answers = 0  # of checks, since the last that was waited for
        self._proving = False  # there was a `check`: both sides know since when they count
        self.commands = 0
        self.busy_s = 0.0
        """How long the device may be busy with the last command: its time-out."""

    def ask(self, command: str, *kinds: type[Message], timeout_s: float | None = None) -> list[Message]:
        """Send a command; its answer must be messages of these kinds in this order."""
        answer = self.command(command, timeout_s)
        self.verify(command, answer, kinds)
        return answer

    def command(self, command: str, timeout_s: float | None = None, longest: int = LONGEST_ANSWER) -> list[Message]:
        """Send a command and collect its answer up to and with `m-ready`."""
        wait_s = self._timeouts.line_s if timeout_s is None else timeout_s
        self.write(command)
        self.busy_s = wait_s
        answer: list[Message] = []
        while not answer or not isinstance(answer[-1], msg.Ready):
            answer.append(self.next(command, wait_s))
            if isinstance(answer[-1], msg.TimestampMode | msg.InitDone):
                self.restarted(command)
            if len(answer) > longest:
                self.unexpected(command, "m-ready in the end", f"{len(answer)} lines without it")
        return answer

    def verify(self, command: str, answer: list[Message], kinds: tuple[type[Message], ...]) -> None:
        refusal = next((message for message in answer if isinstance(message, msg.DeviceError)), None)
        if refusal is not None:
            self.unexpected(command, "no error", f"e-[{refusal.text}]")
        if [type(message) for message in answer] != list(kinds):
            wanted = ", ".join(kind.__name__ for kind in kinds)
            self.unexpected(command, wanted, ", ".join(type(message).__name__ for message in answer))

    def check(self) -> str | None:
        """Prove all bytes since the last `check`: "", or what was damaged. None: the device knows no `check`."""
        self._checks += 1
        command = f"check {self._checks}"
        self.write(command)
        sent, received = self._sent, self._received
        message = self.next(command, self._timeouts.line_s)
        if isinstance(message, msg.DeviceError) and message.unknown(command):
            self._end_of_check(command)
            return None
        if not isinstance(message, msg.Check):
            if isinstance(message, msg.TimestampMode | msg.InitDone):
                self.restarted(command)
            self.unexpected(command, "m-check-[...]", type(message).__name__)
        only = self._proving and self._answers == 1  # half a `check` and the next command are a `check` as well
        self._end_of_check(command)
        self._proving = True
        damage = _damage(message, sent, received)
        if only and message.sent != received and _is_end_of(sent, message.received):
            self.restarted(command, "checksums as after a reset, whose banner was lost")
        return damage

    def _end_of_check(self, command: str) -> None:
        ready = self.next(command, self._timeouts.line_s)
        if not isinstance(ready, msg.Ready):
            self.unexpected(command, "m-ready in the end", type(ready).__name__)
        self._sent, self._received, self._answers = b"", 0, 0

    def write(self, command: str) -> None:
        content = f"{command}%".encode("ascii")
        self._sent += content if self._proving else b""
        self.commands += 1
        self.busy_s = 0.0
        self._transport.write(content)

    def next(self, command: str, timeout_s: float) -> Message:
        """The next message; the time-out counts for the whole line."""
        deadline = self._clock() + timeout_s
        while True:
            try:
                message = self._parser.take()
            except ProtocolError as error:
                raise ProtocolError(
                    f"after `{short(command)}`: {error.expected}", got=error.got, hint=error.hint
                ) from error
            if message is not None:
                self._count(len(self._parser.line))
                self._answers += isinstance(message, msg.Check)
                return message
            content = self._transport.read(max(0.0, deadline - self._clock()))
            if not content:
                self._silent(command, timeout_s)
            self._pending += content
            self._parser.feed(content)

    def drain(self) -> bytes:
        """Forget what arrives until it is quiet; give it, in case it says something."""
        deadline = self._clock() + self._timeouts.line_s
        while (part := self._transport.read(self._timeouts.quiet_s)) and self._clock() < deadline:
            self._pending += part
        self._parser, content = Parser(), bytes(self._pending)
        self._count(len(content))
        return content

    def _count(self, size: int) -> None:
        self._received = zlib.crc32(self._pending[:size], self._received)
        del self._pending[:size]

    def _silent(self, command: str, timeout_s: float) -> NoReturn:
        rest = self._parser.unfinished
        self._refuse_echo(command, rest)
        got = f"it stopped in the middle of a line: {shown(rest)}" if rest else f"silence for {timeout_s:g} s"
        raise BoardError(
            f"the device should answer `{short(command)}`",
            got=got,
            hint="check power, port and baud rate (`edgekws ports PORT --probe` tries several), reset the board, "
            "and flash the firmware again if it stays silent",
        )

    def _refuse_echo(self, command: str, content: bytes) -> None:
        """The protocol has no echo: a port that sends a command back is a console, or a loop in the cable."""
        if f"{command}%".encode("ascii") in content:
            raise ProtocolError(
                f"the port should be a device's, which answers `{short(command)}` and does not repeat it",
                got=f"an echo: {shown(content)}",
                hint="choose the port of the board (`edgekws ports`), or switch the echo off: stty -F PORT raw -echo",
            )

    def restarted(self, command: str, got: str = "its start-up banner: it was reset") -> NoReturn:
        raise RestartedError(
            f"the device should finish `{short(command)}`",
            got=got,
            hint="look for a weak supply, a watchdog or a crash of the firmware, then start the bench again",
        )

    def unexpected(self, command: str, wanted: str, got: str) -> NoReturn:
        raise ProtocolError(
            f"the device should answer `{short(command)}` with {wanted}",
            got=got,
            hint="reset the device; if it happens again its firmware breaks the MLPerf Tiny protocol",
        )


def _damage(message: msg.Check, sent: bytes, received: int) -> str:
    if message.received != zlib.crc32(sent):
        return (
            f"CRC-32 {message.received:08x} of what the device received, {zlib.crc32(sent):08x} of what was sent to it"
        )
    if message.sent != received:
        return f"CRC-32 {message.sent:08x} of what the device sent, {received:08x} of what came from it"
    return ""


def _is_end_of(sent: bytes, crc: int) -> bool:
    """Whether `crc` is that of the last bytes of `sent` alone, because the device has forgotten those before.

    It does so at a reset; and after a `check`, whose answer may have been lost.
    """
    checks = {found.end() for found in re.finditer(rb"check \d+%", sent)}
    return any(zlib.crc32(sent[at:]) == crc for at in range(1, len(sent)) if at not in checks)


def first(answer: list[Message], kind: type[M]) -> M:
    return next(message for message in answer if isinstance(message, kind))


def short(command: str) -> str:
    return command if len(command) <= 24 else f"{command[:24]}..."
