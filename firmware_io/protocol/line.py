"""Commands and answers on a transport, verified by two checksums.

The device keeps a CRC-32 of the bytes that it received and one of the bytes that it sent; the host keeps the same two
for its side. `check N` compares them: when both pairs agree, every byte since the last `check` arrived as it was sent,
in both directions. N changes each time, so a late answer to an earlier `check` cannot be mistaken for this one.
"""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Callable
from typing import NoReturn, TypeVar

from edgekws.errors import BoardError, ProtocolError
from firmware_io.protocol import parser as msg
from firmware_io.protocol.message import Message
from firmware_io.protocol.parser import Parser, shown
from firmware_io.protocol.values import Timeouts
from firmware_io.transport import Transport

LONGEST_ANSWER = 32
"""Lines of an answer, at most; `layers` has its own limit."""
COMMAND_CHARACTERS = 80
"""Size of the command buffer, here and in the reference firmware; the `%` does not count."""
M = TypeVar("M", bound=Message)


class RestartedError(BoardError):
    """The device was reset. The exchange is not repeated, for a retry would hide the reset."""


class ChangedError(RestartedError):
    """The device runs another firmware than before. A retry would give results of two firmwares as those of one."""


class Line:
    """One command at a time: the host sends it, ended by `%`, and then waits for `m-ready`.

    Each line of an answer has its own time-out, so that a long inference may take its time while silence is
    noticed. `clock` counts the seconds of the transport's time-outs.
    """

    def __init__(self, transport: Transport, timeouts: Timeouts, clock: Callable[[], float] = time.monotonic) -> None:
        self._transport = transport
        self._timeouts = timeouts
        self._clock = clock
        self._parser = Parser()
        self._sent = b""  # since the last `check`
        self._received = 0  # CRC-32 since the last `check`
        self._received_before = 0  # the same, without the last message
        self._pending = bytearray()  # received, not yet parsed as a message
        self._checks = 0
        self._answers = 0  # to `check`, since the last one that was waited for
        self._counting = False  # a `check` has succeeded: both checksums start at the same byte
        self.build = ""
        """The first digits of the build id in the last answer to `check`; "" when it had none."""
        self.commands = 0
        """Commands sent so far."""
        self.busy_s = 0.0
        """How long the device may be busy with the last command: its time-out."""

    def ask(self, command: str, *kinds: type[Message], timeout_s: float | None = None) -> list[Message]:
        """Send a command and return its answer: messages of exactly these kinds, in this order.

        timeout_s: longest silence, by default Timeouts.line_s. Raises ProtocolError for any other answer, BoardError
        for silence, RestartedError when the device was reset.
        """
        answer = self.command(command, timeout_s)
        self.verify(command, answer, kinds)
        return answer

    def command(
        self, command: str, timeout_s: float | None = None, longest: int = LONGEST_ANSWER, prose: bool = False
    ) -> list[Message]:
        """Send a command and collect its answer, up to and including `m-ready`; raises as `ask`.

        prose: the answer may have lines of any text.
        """
        wait_s = self._timeouts.line_s if timeout_s is None else timeout_s
        self.write(command)
        self.busy_s = wait_s
        answer: list[Message] = []
        while not answer or not isinstance(answer[-1], msg.Ready):
            answer.append(self.next(command, wait_s, prose))
            if isinstance(answer[-1], msg.TimestampMode | msg.InitDone):
                self.restarted(command)
            if len(answer) > longest:
                self.unexpected(command, "m-ready in the end", f"{len(answer)} lines without it")
        return answer

    def verify(self, command: str, answer: list[Message], kinds: tuple[type[Message], ...]) -> None:
        """Raises ProtocolError unless `answer` has messages of these kinds in this order."""
        refusal = next((message for message in answer if isinstance(message, msg.DeviceError)), None)
        if refusal is not None:
            self.unexpected(command, "no error", f"e-[{refusal.text}]")
        if [type(message) for message in answer] != list(kinds):
            expected = ", ".join(kind.__name__ for kind in kinds)
            self.unexpected(command, expected, ", ".join(type(message).__name__ for message in answer))

    def check(self) -> str | None:
        """Compare the checksums of all bytes since the last `check`.

        Returns "" when they agree, else what was damaged; None when the device does not know `check`.
        """
        self._checks += 1
        command = f"check {self._checks}"
        self.write(command)
        sent = self._sent
        message = self.next(command, self._timeouts.line_s)
        received = self._received_before
        if isinstance(message, msg.DeviceError) and message.unknown(command):
            self._end_of_check(command)
            return None
        if not isinstance(message, msg.Check):
            if isinstance(message, msg.TimestampMode | msg.InitDone):
                self.restarted(command)
            self.unexpected(command, "m-check-[...]", type(message).__name__)
        only = self._counting and self._answers == 1  # half a `check` and the next command can merge into another one
        self._end_of_check(command)
        self._counting, self.build = True, message.build
        damage = _damage(message, sent, received)
        if only and message.sent != received and _is_end_of(sent, message.received):
            self.restarted(command, "checksums as after a reset, whose banner was lost")
        return damage

    def _end_of_check(self, command: str) -> None:
        self.expect_ready(command)
        self._sent, self._received, self._answers = b"", 0, 0

    def write(self, command: str) -> None:
        """Send a command and wait for nothing."""
        content = f"{command}%".encode("ascii")
        self._sent += content if self._counting else b""
        self.commands += 1
        self.busy_s = 0.0
        self._transport.write(content)

    def poll(self, command: str, quiet_s: float) -> Message | None:
        """The next message; None when the line is quiet for `quiet_s` seconds."""
        message = self._parsed(command)
        while message is None:
            content = self._transport.read(quiet_s)
            if not content:
                return None
            self._take_in(content)
            message = self._parsed(command)
        return message

    def expect_ready(self, command: str) -> None:
        """Raises ProtocolError unless the next message is m-ready."""
        ready = self.next(command, self._timeouts.line_s)
        if not isinstance(ready, msg.Ready):
            self.unexpected(command, "m-ready in the end", type(ready).__name__)

    def send(self, content: bytes) -> None:
        """Send bytes that are no command, and that no checksum of `check` includes."""
        self._transport.write(content)

    def next(self, command: str, timeout_s: float, prose: bool = False) -> Message:
        """The next message; `timeout_s` is for its whole line. prose: it may be a line of any text.

        Raises BoardError for silence and ProtocolError for a line that is no message.
        """
        deadline = self._clock() + timeout_s
        while (message := self._parsed(command, prose)) is None:
            content = self._transport.read(max(0.0, deadline - self._clock()))
            if not content:
                self._silent(command, timeout_s)
            self._take_in(content)
        return message

    def _take_in(self, content: bytes) -> None:
        self._pending += content
        self._parser.feed(content)

    def _parsed(self, command: str, prose: bool = False) -> Message | None:
        """The next message of what has been received, without echoes of commands; None when it is not complete."""
        message = self._any_parsed(command, prose)
        while isinstance(message, msg.Echo):
            message = self._any_parsed(command, prose)
        return message

    def _any_parsed(self, command: str, prose: bool) -> Message | None:
        try:
            message = self._parser.take(prose)
        except ProtocolError as error:
            raise ProtocolError(
                f"after `{short(command)}`: {error.expected}", got=error.got, hint=error.hint
            ) from error
        if message is not None:
            self._received_before = self._received
            self._count(len(self._parser.line))
            self._answers += isinstance(message, msg.Check)
        return message

    def drain(self) -> bytes:
        """Discard what arrives until the line is quiet; return it for inspection."""
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
        """The protocol has no echo: a port that sends a command back is a console, or the cable has a loop."""
        if f"{command}%".encode("ascii") in content:
            raise ProtocolError(
                f"the port should belong to a device, which answers `{short(command)}` and does not echo it",
                got=f"an echo: {shown(content)}",
                hint="choose the port of the board (`edgekws ports`), or turn the echo off: stty -F PORT raw -echo",
            )

    def restarted(self, command: str, got: str = "its start-up banner: it was reset") -> NoReturn:
        """Raises RestartedError. got: how the reset was noticed."""
        raise RestartedError(
            f"the device should finish `{short(command)}`",
            got=got,
            hint="look for a weak supply, a watchdog or a firmware crash, then start the bench again",
        )

    def changed(self, expected: str, got: str) -> NoReturn:
        """Raises ChangedError. expected, got: which build the device ran at the start, and which one it runs now."""
        raise ChangedError(
            f"the device should run one firmware from start to end, the one with {expected}",
            got=f"one with {got}: it was flashed or exchanged in the middle of the run",
            hint="let nothing else use the board meanwhile, then start the bench again",
        )

    def unexpected(self, command: str, expected: str, got: str) -> NoReturn:
        """Raises ProtocolError: `command` should be answered with `expected`."""
        raise ProtocolError(
            f"the device should answer `{short(command)}` with {expected}",
            got=got,
            hint="reset the device; if it happens again, its firmware does not follow the MLPerf Tiny protocol",
        )


def _damage(message: msg.Check, sent: bytes, received: int) -> str:
    if message.received != zlib.crc32(sent):
        return (
            f"CRC-32 {message.received:08x} of what the device received, {zlib.crc32(sent):08x} of what was sent to it"
        )
    if message.sent != received:
        return f"CRC-32 {message.sent:08x} of what the device sent, {received:08x} of what was received from it"
    return ""


def _is_end_of(sent: bytes, crc: int) -> bool:
    """Whether `crc` covers only the last bytes of `sent`: the device has started its checksum again meanwhile.

    It does so at a reset; and after a `check`, whose answer may have been lost.
    """
    checks = {match.end() for match in re.finditer(rb"check \d+%", sent)}
    return any(zlib.crc32(sent[at:]) == crc for at in range(1, len(sent)) if at not in checks)


def first(answer: list[Message], kind: type[M]) -> M:
    """The first message of this kind; there must be one."""
    return next(message for message in answer if isinstance(message, kind))


def short(command: str) -> str:
    """A command as errors quote it, at most 24 characters."""
    return command if len(command) <= 24 else f"{command[:24]}..."
