"""A session with a device that speaks the MLPerf Tiny protocol.

Where the device has the extension `check`, every exchange is verified: each public method ends with a `check`, and
retries a damaged exchange up to ATTEMPTS times. Each `check` also says which build answers: another one than at the
start ends the session. On a device without it (the reference firmware) only damage that breaks the protocol is noticed:
a lost byte, garbage, a refused command, and with `raw` a wrong input. A digit that turned into another digit is NOT
noticed there: in a probability, a score, a time stamp or, without `raw`, in the input.
"""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np

from edgekws.errors import BoardError, EdgeKwsError, ProtocolError
from firmware_io.protocol import commands
from firmware_io.protocol import parser as msg
from firmware_io.protocol.line import LONGEST_ANSWER, Line, RestartedError
from firmware_io.protocol.values import Answer, EnergyRun, Identity, Mode, Timeouts, Transfers, Window
from firmware_io.transport import Transport

__all__ = ["Answer", "EnergyRun", "Identity", "Mode", "Session", "Timeouts", "Transfers", "Window"]

PROBES = 3
ATTEMPTS = 3
_BANNER = re.compile(rb"(?:^|\n)m-(?:timestamp-mode-|init-done)")
_DAMAGE = (BoardError, ProtocolError)
"""What a lost or changed byte may look like. Any other error, such as a full disk, has another cause: no retry."""
T = TypeVar("T")


class Session:
    """The commands of the protocol as methods. Call `start` first.

    All methods raise BoardError when the device is silent, stops in the middle of an answer or restarts, and
    ProtocolError when it answers something that the protocol does not allow or when all attempts were damaged. Both
    name the command.
    """

    def __init__(
        self, transport: Transport, timeouts: Timeouts | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """clock: counts the seconds of the transport's time-outs."""
        self._timeouts = timeouts or Timeouts()
        self._line = Line(transport, self._timeouts, clock)
        self._clock = clock
        self._started = False
        self._retries = 0
        self._loaded: bytes | None = None
        self._seen_us = self._verified_us = 0  # on the device's clock
        self.has_raw: bool | None = None
        """Whether the device has the `raw` extension; None until the first classification."""
        self.has_check: bool | None = None
        """Whether the device has the `check` extension; None until the start."""
        self.build_id: str | None = None
        """Which build the device runs, 32 hexadecimal digits; "" when it does not say; None until the start."""
        self.mode: Mode | None = None
        """What kind of firmware it is; None until the start."""

    @property
    def transfers(self) -> Transfers:
        """How many commands were sent and retried so far."""
        return Transfers(bool(self.has_check), self._line.commands, self._retries)

    def start(self) -> Identity:
        """Synchronise with the device, whatever it was doing before; ask for its identity and its extensions."""
        self._started, self.has_check, self.mode, self._verified_us = False, None, None, 0
        self.build_id = None
        name = self._connect()
        identity, _ = self._verified(lambda _: self._identify("" if self.has_check else name))
        self._started = True
        return identity

    def identify(self) -> Identity:
        """Ask for the device's identity alone; `start` is for all that follows."""
        return commands.identity(self._line, self._find_name())

    def load(self, content: bytes) -> None:
        """Fill the device's input buffer with `content` (not empty)."""
        self._verified(lambda _: self._load(content))

    def infer(self, iterations: int, warmups: int, timeout_s: float | None = None) -> Window:
        """Run the network on the loaded input. timeout_s: longest silence, by default Timeouts.infer_s.

        Raises ProtocolError for a firmware in energy mode, which prints no time stamps.
        """
        self._refuse("energy", "infer")
        run, _ = self._run(iterations, warmups, timeout_s)
        return Window(iterations, run.laps_us[0], run.laps_us[1], run.permille, run.host_s)

    def infer_energy(self, iterations: int, warmups: int, timeout_s: float | None = None) -> EnergyRun:
        """Like `infer`, on a firmware in energy mode: it makes one edge before and one after the inferences.

        Raises ProtocolError for a firmware in performance mode, which makes none.
        """
        self._refuse("performance", "infer")
        run, attempts = self._run(iterations, warmups, timeout_s)
        return EnergyRun(iterations, run.permille, run.host_s, attempts)

    def mark(self) -> int:
        """Make one edge, in energy mode.

        Returns how many were requested: more than one when answers were damaged. Raises ProtocolError for a firmware
        in performance mode.
        """
        self._refuse("performance", "timestamp")
        return self._verified(lambda _: self._line.ask("timestamp", msg.Ready))[1]

    def results(self) -> tuple[int, ...]:
        """Probabilities of the last inference in thousandths."""
        return self._verified(lambda _: commands.results(self._line))[0]

    def timestamp_us(self) -> int:
        """Microseconds of the device's clock. Raises ProtocolError for a firmware in energy mode."""
        self._refuse("energy", "timestamp")
        return self._verified(lambda _: self._lap_us())[0]

    def raw(self) -> tuple[tuple[int, ...], int] | None:
        """(scores, CRC-32 of the input) of the last inference; None when the device does not know `raw`."""
        return self._verified(lambda _: commands.raw(self._line))[0]

    def flash_crc32(self) -> int | None:
        """CRC-32 of the firmware in the device's flash; None when it has no flash or does not know `image`."""
        return self._verified(lambda _: commands.flash_crc32(self._line, self._timeouts.infer_s))[0]

    def stack(self) -> msg.StackUse | None:
        """Peak use of the device's stack since its reset; None when it cannot tell or does not know `memory`."""
        return self._verified(lambda _: commands.stack(self._line))[0]

    def layers(self, iterations: int, timeout_s: float | None = None) -> tuple[float, ...] | None:
        """Microseconds of each layer per inference; None when the device does not know `layers`.

        timeout_s: longest silence, by default Timeouts.infer_s. An input must have been loaded.
        """
        wait_s = self._timeouts.infer_s if timeout_s is None else timeout_s

        def exchange(attempt: int) -> tuple[float, ...] | None:
            self._reload(attempt)
            return commands.layers(self._line, iterations, wait_s)

        return self._verified(exchange)[0]

    def exchange(self, command: Callable[[Line], T]) -> T:
        """What `command` gives, which asks something of the device, verified and retried as all commands are."""
        return self._verified(lambda _: command(self._line))[0]

    def streamed(self, conversation: Callable[[Line], Iterator[T]]) -> Iterator[T]:
        """What `conversation` gives, as it goes; verified at its end. Not retried: damage raises ProtocolError."""
        yield from conversation(self._line)
        self._verify()
        self._verify_build()

    def classify(self, features: np.ndarray) -> Answer:
        """Load int8 features [frames, coefficients], infer once, read the answer; all of it again after damage.

        Raises ProtocolError when that fails ATTEMPTS times although the device still answers, and the first error
        when it does not.
        """
        content = np.ascontiguousarray(features, np.int8).tobytes()
        answer, _ = self._verified(lambda attempt: self._classify(content, attempt))
        self.has_raw = answer.scores is not None
        return answer

    def _refuse(self, mode: Mode, command: str) -> None:
        """Raises ProtocolError when the device is in `mode`, which answers `command` in another way."""
        if self.mode == mode:
            needed = {"energy": "performance", "performance": "energy"}[mode]
            raise ProtocolError(
                f"`{command}` needs a firmware in {needed} mode here",
                got=f"one in {mode} mode",
                hint=f"flash the firmware that was built for {needed} mode",
            )

    def _identify(self, name: str) -> Identity:
        identity = commands.identity(self._line, name)
        lap_us = commands.lap_us(self._line)
        self.mode = "energy" if lap_us is None else "performance"
        self._seen_us = lap_us or 0
        self.build_id = commands.build_id(self._line) if self._line.build else ""
        return identity

    def _lap_us(self) -> int:
        lap_us = commands.lap_us(self._line)
        if lap_us is None:
            self._line.unexpected("timestamp", "its time", "only m-ready")
        self._seen_us = lap_us
        return lap_us

    def _load(self, content: bytes) -> None:
        self._loaded = content
        commands.load(self._line, content)

    def _reload(self, attempt: int) -> None:
        """Before a retry: the damaged command may have changed the input buffer."""
        if attempt > 1 and self._loaded is not None:
            commands.load(self._line, self._loaded)

    def _run(self, iterations: int, warmups: int, timeout_s: float | None) -> tuple[commands.Run, int]:
        wait_s = self._timeouts.infer_s if timeout_s is None else timeout_s

        def exchange(attempt: int) -> commands.Run:
            self._reload(attempt)
            return self._infer(iterations, warmups, wait_s)

        return self._verified(exchange)

    def _infer(self, iterations: int, warmups: int, wait_s: float) -> commands.Run:
        run = commands.infer(self._line, iterations, warmups, wait_s, self.mode != "energy", self._clock)
        self._seen_us = run.laps_us[-1] if run.laps_us else 0
        return run

    def _classify(self, content: bytes, attempt: int) -> Answer:
        self._load(content)
        run = self._infer(1, 0, self._timeouts.infer_s)
        raw = None if self.has_raw is False else commands.raw(self._line)
        if raw is None and self.has_raw:  # it knew the command before
            self._line.unexpected("raw", "the scores", "the error that it is unknown")
        scores, crc = raw or (None, None)
        sent = zlib.crc32(content)
        if crc not in (sent, None):
            expected = f"the input that was sent, CRC-32 {sent:08x}"
            self._line.unexpected("raw", expected, f"CRC-32 {crc:08x} instead of {sent:08x}")
        return Answer(run.permille, scores, attempt)

    def _verified(self, exchange: Callable[[int], T]) -> tuple[T, int]:
        """(value of `exchange`, attempts), once an attempt was undamaged as far as the device can tell.

        `exchange` takes the number of the attempt, from 1.
        """
        errors: list[EdgeKwsError] = []
        for attempt in range(1, ATTEMPTS + 1):
            try:
                value = exchange(attempt)
                self._verify()
                self._verify_build()
                self._verified_us = self._seen_us
                return value, attempt
            except RestartedError:
                raise
            except _DAMAGE as error:
                errors.append(error)
            self._recover(errors[-1])
            self._retries += 1  # only now: a port that is gone lost no bytes
        if len(set(map(str, errors))) == 1:  # damage never looks the same each time: this is the device's own answer
            raise errors[0]
        raise ProtocolError(
            "the device should receive commands and answer them undamaged",
            got=f"damage in {ATTEMPTS} of {ATTEMPTS} attempts; the last: {errors[-1]}",
            hint="use a shorter cable or a lower baud rate, and check the device's receive buffer",
        )

    def _verify(self) -> None:
        """Raises ProtocolError unless both sides have seen the same bytes since the last `check`."""
        if not self.has_check:
            return
        damage = self._line.check()
        if damage is None:
            damage = "the error that it is unknown"
        if damage:
            self._line.unexpected("check", "the same checksums", damage)

    def _verify_build(self) -> None:
        """Raises ChangedError for another firmware than at the start, ProtocolError for a damaged build id.

        No checksum covers the answer to `check`. Damage is never the same twice, another firmware is.
        """
        expected, got = (self.build_id or "")[: msg.BUILD_DIGITS], self._line.build
        if not self.has_check or got == expected:
            return
        if self._started and self._line.check() == "" and self._line.build == got:
            self._line.changed(_build(expected), _build(got))
        self._line.unexpected("check", _build(expected), _build(got))

    def _recover(self, cause: EdgeKwsError) -> None:
        """Synchronise again, for a lost byte leaves device and host waiting for each other; else raise `cause`.

        After a damaged line the device may still be busy; after silence its time-out has passed already.
        """
        busy = isinstance(cause, ProtocolError) and self._line.busy_s > self._timeouts.line_s
        patience_s = self._line.busy_s if busy else self._patience_s
        for _ in range(PROBES):
            try:
                self._probe(patience_s)
                if self.has_check:
                    self._synchronise()
                return
            except RestartedError:
                raise
            except _DAMAGE:
                patience_s = self._patience_s
        raise cause from None

    @property
    def _patience_s(self) -> float:
        return self._timeouts.line_s / 2

    def _synchronise(self) -> None:
        """After damage: restart both checksums, and see by the device's clock whether it was reset meanwhile."""
        self._line.check()
        if self.mode == "performance":
            lap_us = self._lap_us()
            self._verify()
            if lap_us < self._verified_us:
                self._line.restarted("timestamp", f"{lap_us} us after {self._verified_us} us: it was reset")

    def _connect(self) -> str:
        """The device's name; sets `has_check`."""
        last_error: EdgeKwsError = BoardError("the device should answer")
        for _ in range(PROBES):
            name = self._find_name()
            try:
                self.has_check = self._line.check() is not None
                return name
            except _DAMAGE as error:
                last_error = error
        raise last_error

    def _find_name(self) -> str:
        """The device's name, from the first clean answer; lines of a boot banner may come before it."""
        last_error: EdgeKwsError = BoardError("the device should answer")
        for _ in range(PROBES):
            try:
                return self._probe(self._patience_s)
            except _DAMAGE as error:
                last_error = error
        raise last_error

    def _probe(self, wait_s: float) -> str:
        self._drain()
        name = self._probe_once(wait_s)
        self._drain()  # the answer to an earlier probe may still come
        return name

    def _drain(self) -> None:
        content = self._line.drain()
        if self._started and _BANNER.search(content):
            self._line.restarted("name")

    def _probe_once(self, wait_s: float) -> str:
        self._line.write("name")
        name: msg.Name | None = None
        for _ in range(LONGEST_ANSWER):
            message = self._line.next("name", wait_s)
            if isinstance(message, msg.Name):
                name = message
            elif isinstance(message, msg.Ready) and name is not None:
                return name.vendor
            elif isinstance(message, msg.TimestampMode | msg.InitDone) and self._started:
                self._line.restarted("name")
            elif isinstance(message, msg.DeviceError):
                self._line.unexpected("name", "its name", f"e-[{message.text}]")
        return self._line.unexpected("name", "its name", f"{LONGEST_ANSWER} other lines")


def _build(digits: str) -> str:
    return f"the build id {digits}..." if digits else "no build id"
