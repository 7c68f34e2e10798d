"""One conversation with a device that speaks the MLPerf Tiny protocol.

The host sends a command ended by `%` and nothing more until `m-ready` came. Every line has a
time-out of its own, so that a long inference may take its time while silence is noticed.
"""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import numpy as np

from edgekws.errors import BoardError, EdgeKwsError, ProtocolError
from firmware_io.protocol import parser as msg
from firmware_io.protocol.parser import Message, Parser, shown
from firmware_io.transport import Transport

CHUNK_BYTES = 31
"""Input bytes in one `db` command: 67 characters, the device's command buffer holds 80."""
PROBES = 3
LOADS = 3
_LONGEST_ANSWER = 32
_INFER_ANSWER = (
    *(msg.WarmupStart, msg.WarmupDone, msg.InferStart, msg.LapUs, msg.LapUs),
    *(msg.InferDone, msg.Results, msg.Ready),
)
M = TypeVar("M", bound=Message)


class _RestartedError(BoardError):
    """The device was reset; sending the input again would hide it."""


@dataclass(frozen=True)
class Timeouts:
    """Seconds. line: until the next line; infer: until a line while it infers; quiet: end of a banner."""

    line_s: float = 5.0
    infer_s: float = 30.0
    quiet_s: float = 0.05


@dataclass(frozen=True)
class Identity:
    """What the device says of itself."""

    name: str
    profile: str
    model: str


@dataclass(frozen=True)
class Window:
    """One timed run of `iterations` inferences; times in microseconds of the device's clock."""

    iterations: int
    start_us: int
    end_us: int
    permille: tuple[int, ...]

    @property
    def device_us(self) -> int:
        return self.end_us - self.start_us


@dataclass(frozen=True)
class Answer:
    """The device's answer for one clip. scores: None when the device cannot give them.

    loads: how often the input was sent until it had arrived undamaged.
    """

    permille: tuple[int, ...]
    scores: tuple[int, ...] | None
    loads: int = 1


class Session:
    """Commands of the protocol as methods.

    BoardError: the device is silent, stops in the middle or restarts. ProtocolError: it says
    something else than the protocol allows here. Both name the command.
    """

    def __init__(self, transport: Transport, timeouts: Timeouts | None = None) -> None:
        self._transport = transport
        self._timeouts = timeouts or Timeouts()
        self._parser = Parser()
        self.has_raw: bool | None = None
        """Whether the device has the `raw` extension; None until the first classification."""

    def start(self) -> Identity:
        """Find the device's voice, whatever it was doing before, and ask who it is."""
        name = self._probe()
        answer = self._ask("profile", msg.Profile, msg.Model, msg.Ready)
        return Identity(name.vendor, _first(answer, msg.Profile).text, _first(answer, msg.Model).id)

    def load(self, content: bytes) -> None:
        """Fill the device's input buffer."""
        command = f"db load {len(content)}"
        expecting = _first(self._ask(command, msg.Expecting, msg.Ready), msg.Expecting)
        if expecting.size != len(content):
            self._unexpected(command, f"m-[Expecting {len(content)} bytes]", f"{expecting.size} bytes")
        *chunks, last = [content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES)]
        for chunk in chunks:
            self._ask(f"db {chunk.hex()}", msg.Ready)
        self._ask(f"db {last.hex()}", msg.LoadDone, msg.Ready)

    def infer(self, iterations: int, warmups: int, timeout_s: float | None = None) -> Window:
        """Run the network on what was loaded. timeout_s: longest silence, by default Timeouts.infer_s."""
        command = f"infer {iterations} {warmups}"
        wait_s = self._timeouts.infer_s if timeout_s is None else timeout_s
        answer = self._ask(command, *_INFER_ANSWER, timeout_s=wait_s)
        said = _first(answer, msg.InferStart).count, _first(answer, msg.WarmupStart).count
        if said != (iterations, warmups):
            self._unexpected(command, f"{iterations} inferences after {warmups} warm-ups", f"{said[0]} after {said[1]}")
        first, second = (message.us for message in answer if isinstance(message, msg.LapUs))
        return Window(iterations, first, second, _first(answer, msg.Results).permille)

    def results(self) -> tuple[int, ...]:
        """Probabilities of the last inference in thousandths."""
        return _first(self._ask("results", msg.Results, msg.Ready), msg.Results).permille

    def timestamp_us(self) -> int:
        return _first(self._ask("timestamp", msg.LapUs, msg.Ready), msg.LapUs).us

    def raw(self) -> tuple[tuple[int, ...], int] | None:
        """(scores, CRC-32 of the input) of the last inference; None when the device knows no `raw`."""
        answer = self._command("raw", self._timeouts.line_s)
        if isinstance(answer[0], msg.DeviceError) and answer[0].unknown_command:
            return None
        self._check("raw", answer, (msg.Raw, msg.InputCrc, msg.Ready))
        return _first(answer, msg.Raw).scores, _first(answer, msg.InputCrc).crc32

    def stack(self) -> msg.StackUse | None:
        """Use of the device's stack since its reset; None when it cannot tell or knows no `memory`.

        Asked once more when the answer was damaged on its way.
        """
        try:
            return self._stack()
        except _RestartedError:
            raise
        except EdgeKwsError as error:
            self._recover(error)
            return self._stack()

    def _stack(self) -> msg.StackUse | None:
        answer = self._command("memory", self._timeouts.line_s)
        if isinstance(answer[0], msg.DeviceError) and answer[0].unknown_command:
            return None
        if isinstance(answer[0], msg.StackUnknown):
            self._check("memory", answer, (msg.StackUnknown, msg.Ready))
            return None
        self._check("memory", answer, (msg.StackUse, msg.Ready))
        return _first(answer, msg.StackUse)

    def classify(self, features: np.ndarray) -> Answer:
        """Load int8 features (row-major), infer once, read everything; after damage, all of it again.

        Raises ProtocolError when that fails LOADS times although the device still answers, and the
        error that came first when it does not.
        """
        content = np.ascontiguousarray(features, np.int8).tobytes()
        for attempt in range(1, LOADS + 1):
            answer, damage = self._attempt(content, attempt)
            if answer is not None:
                return answer
        raise ProtocolError(
            f"the device should receive {len(content)} input bytes and answer undamaged",
            got=f"damage in {LOADS} of {LOADS} attempts; the last: {damage}",
            hint="use a shorter cable or a lower baud rate, and check the device's receive buffer",
        )

    def _attempt(self, content: bytes, attempt: int) -> tuple[Answer | None, str]:
        """(answer, "") or (None, what was damaged)."""
        try:
            self.load(content)
            window = self.infer(1, 0)
            raw = None if self.has_raw is False else self.raw()
        except _RestartedError:
            raise
        except EdgeKwsError as error:
            self._recover(error)
            return None, str(error)
        if raw is None and self.has_raw:  # it knew the command before: the command was damaged on its way
            return None, "the answer to `raw` is that it is unknown"
        self.has_raw = raw is not None
        if raw is None:
            return Answer(window.permille, None, attempt), ""
        scores, crc = raw
        sent = zlib.crc32(content)
        damage = "" if crc == sent else f"CRC-32 {crc:08x} instead of {sent:08x}"
        return (None if damage else Answer(window.permille, scores, attempt)), damage

    def _recover(self, cause: EdgeKwsError) -> None:
        """A lost byte leaves device and host waiting for each other: start over, or raise `cause`."""
        try:
            self._probe()
        except EdgeKwsError:
            raise cause from None

    def _probe(self) -> msg.Name:
        """Ask `name` until the answer is clean; lines of a boot banner may come before it."""
        trouble: EdgeKwsError = BoardError("the device should answer")
        for _ in range(PROBES):
            self._drain()
            try:
                name = self._probe_once()
                self._drain()  # the answer to an earlier probe may still come
                return name
            except EdgeKwsError as error:
                trouble = error
        raise trouble

    def _probe_once(self) -> msg.Name:
        self._transport.write(b"name%")
        name: msg.Name | None = None
        for _ in range(_LONGEST_ANSWER):
            message = self._next("name", self._timeouts.line_s / 2)
            if isinstance(message, msg.Name):
                name = message
            elif isinstance(message, msg.Ready) and name is not None:
                return name
            elif isinstance(message, msg.DeviceError):
                self._unexpected("name", "its name", f"e-[{message.text}]")
        return self._unexpected("name", "its name", f"{_LONGEST_ANSWER} other lines")

    def _drain(self) -> None:
        """Forget what arrives until it is quiet."""
        deadline = time.monotonic() + self._timeouts.line_s
        while self._transport.read(self._timeouts.quiet_s) and time.monotonic() < deadline:
            pass
        self._parser = Parser()

    def _ask(self, command: str, *kinds: type[Message], timeout_s: float | None = None) -> list[Message]:
        """Send a command; its answer must be messages of these kinds in this order."""
        answer = self._command(command, self._timeouts.line_s if timeout_s is None else timeout_s)
        self._check(command, answer, kinds)
        return answer

    def _command(self, command: str, timeout_s: float) -> list[Message]:
        """Send a command and collect its answer up to and with `m-ready`."""
        self._transport.write(f"{command}%".encode("ascii"))
        answer: list[Message] = []
        while not answer or not isinstance(answer[-1], msg.Ready):
            answer.append(self._next(command, timeout_s))
            if isinstance(answer[-1], msg.TimestampMode | msg.InitDone):
                self._restarted(command)
            if len(answer) > _LONGEST_ANSWER:
                self._unexpected(command, "m-ready in the end", f"{len(answer)} lines without it")
        return answer

    def _check(self, command: str, answer: list[Message], kinds: tuple[type[Message], ...]) -> None:
        refusal = next((message for message in answer if isinstance(message, msg.DeviceError)), None)
        if refusal is not None:
            self._unexpected(command, "no error", f"e-[{refusal.text}]")
        if [type(message) for message in answer] != list(kinds):
            wanted = ", ".join(kind.__name__ for kind in kinds)
            self._unexpected(command, wanted, ", ".join(type(message).__name__ for message in answer))

    def _next(self, command: str, timeout_s: float) -> Message:
        """The next message; the time-out counts for the whole line."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                message = self._parser.take()
            except ProtocolError as error:
                raise ProtocolError(
                    f"after `{_short(command)}`: {error.expected}", got=error.got, hint=error.hint
                ) from error
            if message is not None:
                return message
            content = self._transport.read(max(0.0, deadline - time.monotonic()))
            if not content:
                self._silent(command, timeout_s)
            self._parser.feed(content)

    def _silent(self, command: str, timeout_s: float) -> NoReturn:
        rest = self._parser.unfinished
        got = f"it stopped in the middle of a line: {shown(rest)}" if rest else f"silence for {timeout_s:g} s"
        raise BoardError(
            f"the device should answer `{_short(command)}`",
            got=got,
            hint="check power, port and baud rate, reset the board, and flash the firmware again if it stays silent",
        )

    def _restarted(self, command: str) -> NoReturn:
        raise _RestartedError(
            f"the device should finish `{_short(command)}`",
            got="its start-up banner: it was reset",
            hint="look for a weak supply, a watchdog or a crash of the firmware, then start the bench again",
        )

    def _unexpected(self, command: str, wanted: str, got: str) -> NoReturn:
        raise ProtocolError(
            f"the device should answer `{_short(command)}` with {wanted}",
            got=got,
            hint="reset the device; if it happens again its firmware breaks the MLPerf Tiny protocol",
        )


def _first(answer: list[Message], kind: type[M]) -> M:
    return next(message for message in answer if isinstance(message, kind))


def _short(command: str) -> str:
    return command if len(command) <= 24 else f"{command[:24]}..."
