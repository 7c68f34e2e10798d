"""One conversation with a device that speaks the MLPerf Tiny protocol.

A device with the extension `check` proves every exchange: each public method ends with it, and repeats what was
damaged, a bounded number of times. Of a device without it (the reference firmware) only damage that breaks the
protocol is seen: a lost byte, garbage, a refused command, and with `raw` a wrong input. What is NOT proven then is
a digit that became another digit: in a probability, a score, a time stamp or, without `raw`, in the input.
"""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Callable
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
T = TypeVar("T")


class Session:
    """Commands of the protocol as methods; `start` comes first, before it nothing is proven.

    BoardError: the device is silent, stops in the middle or restarts. ProtocolError: it says something else than
    the protocol allows here, or damage does not end. Both name the command.
    """

    def __init__(
        self, transport: Transport, timeouts: Timeouts | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """clock: counts the seconds of the transport's time-outs."""
        self._timeouts = timeouts or Timeouts()
        self._line = Line(transport, self._timeouts, clock)
        self._clock = clock
        self._started = False
        self._repeated = 0
        self._loaded: bytes | None = None
        self._seen_us = self._proven_us = 0  # of the device's clock
        self.has_raw: bool | None = None
        """Whether the device has the `raw` extension; None until the first classification."""
        self.has_check: bool | None = None
        """Whether the device has the `check` extension; None until the start."""
        self.mode: Mode | None = None
        """What kind of firmware it is; None until the start."""

    @property
    def transfers(self) -> Transfers:
        """What was sent so far."""
        return Transfers(bool(self.has_check), self._line.commands, self._repeated)

    def start(self) -> Identity:
        """Find the device's voice, whatever it was doing before, and ask who it is and what it can."""
        self._started, self.has_check, self.mode = False, None, None
        name = self._find()
        identity, _ = self._proven(lambda _: self._introduce("" if self.has_check else name))
        self._started = True
        return identity

    def greet(self) -> Identity:
        """Ask no more than who it is. Use `start` for a conversation."""
        return commands.identity(self._line, self._voice())

    def load(self, content: bytes) -> None:
        """Fill the device's input buffer."""
        self._proven(lambda _: self._load(content))

    def infer(self, iterations: int, warmups: int, timeout_s: float | None = None) -> Window:
        """Run the network on what was loaded. timeout_s: longest silence, by default Timeouts.infer_s.

        Raises ProtocolError for a firmware in energy mode, which prints no time stamps.
        """
        self._refuse("energy", "infer")
        run, _ = self._run(iterations, warmups, timeout_s)
        return Window(iterations, run.laps_us[0], run.laps_us[1], run.permille, run.host_s)

    def infer_energy(self, iterations: int, warmups: int, timeout_s: float | None = None) -> EnergyRun:
        """As `infer`, on a firmware in energy mode: it makes an edge before and one after the inferences.

        Raises ProtocolError for a firmware in performance mode, which makes none.
        """
        self._refuse("performance", "infer")
        run, attempts = self._run(iterations, warmups, timeout_s)
        return EnergyRun(iterations, run.permille, run.host_s, attempts)

    def mark(self) -> int:
        """Make an edge, in energy mode. Gives how many were asked for: more than one when an answer was damaged."""
        self._refuse("performance", "timestamp")
        return self._proven(lambda _: self._line.ask("timestamp", msg.Ready))[1]

    def results(self) -> tuple[int, ...]:
        """Probabilities of the last inference in thousandths."""
        return self._proven(lambda _: commands.results(self._line))[0]

    def timestamp_us(self) -> int:
        """Microseconds of the device's clock. Raises ProtocolError for a firmware in energy mode."""
        self._refuse("energy", "timestamp")
        return self._proven(lambda _: self._lap_us())[0]

    def raw(self) -> tuple[tuple[int, ...], int] | None:
        """(scores, CRC-32 of the input) of the last inference; None when the device knows no `raw`."""
        return self._proven(lambda _: commands.raw(self._line))[0]

    def stack(self) -> msg.StackUse | None:
        """Use of the device's stack since its reset; None when it cannot tell or knows no `memory`."""
        return self._proven(lambda _: commands.stack(self._line))[0]

    def layers(self, iterations: int, timeout_s: float | None = None) -> tuple[float, ...] | None:
        """Microseconds of each layer, one inference; None when the device knows no `layers`.

        timeout_s: longest silence, by default Timeouts.infer_s. An input must have been loaded.
        """
        wait_s = self._timeouts.infer_s if timeout_s is None else timeout_s

        def once(attempt: int) -> tuple[float, ...] | None:
            self._reload(attempt)
            return commands.layers(self._line, iterations, wait_s)

        return self._proven(once)[0]

    def classify(self, features: np.ndarray) -> Answer:
        """Load int8 features (row-major), infer once, read everything; after damage, all of it again.

        Raises ProtocolError when that fails ATTEMPTS times although the device still answers, and the
        error that came first when it does not.
        """
        content = np.ascontiguousarray(features, np.int8).tobytes()
        answer, _ = self._proven(lambda attempt: self._classify(content, attempt))
        self.has_raw = answer.scores is not None
        return answer

    def _refuse(self, mode: Mode, command: str) -> None:
        """Raises ProtocolError when the device is in `mode`, whose answers are of the other kind."""
        if self.mode == mode:
            wanted = {"energy": "performance", "performance": "energy"}[mode]
            raise ProtocolError(
                f"`{command}` needs a firmware in {wanted} mode here",
                got=f"one in {mode} mode",
                hint=f"flash the firmware that was built for {wanted} mode",
            )

    def _introduce(self, name: str) -> Identity:
        identity = commands.identity(self._line, name)
        lap_us = commands.lap_us(self._line)
        self.mode = "energy" if lap_us is None else "performance"
        self._seen_us = lap_us or 0
        return identity

    def _lap_us(self) -> int:
        lap_us = commands.lap_us(self._line)
        if lap_us is None:
            self._line.unexpected("timestamp", "its time", "m-ready alone")
        self._seen_us = lap_us
        return lap_us

    def _load(self, content: bytes) -> None:
        self._loaded = content
        commands.load(self._line, content)

    def _reload(self, attempt: int) -> None:
        """Before a repetition: what was damaged may have been a command that changed the input."""
        if attempt > 1 and self._loaded is not None:
            commands.load(self._line, self._loaded)

    def _run(self, iterations: int, warmups: int, timeout_s: float | None) -> tuple[commands.Run, int]:
        wait_s = self._timeouts.infer_s if timeout_s is None else timeout_s

        def once(attempt: int) -> commands.Run:
            self._reload(attempt)
            return self._infer(iterations, warmups, wait_s)

        return self._proven(once)

    def _infer(self, iterations: int, warmups: int, wait_s: float) -> commands.Run:
        run = commands.infer(self._line, iterations, warmups, wait_s, self.mode != "energy", self._clock)
        self._seen_us = run.laps_us[-1] if run.laps_us else 0
        return run

    def _classify(self, content: bytes, attempt: int) -> Answer:
        self._load(content)
        run = self._infer(1, 0, self._timeouts.infer_s)
        raw = None if self.has_raw is False else commands.raw(self._line)
        if raw is None and self.has_raw:  # it knew the command before
            self._line.unexpected("raw", "the scores", "that it is unknown")
        scores, crc = raw or (None, None)
        sent = zlib.crc32(content)
        if crc not in (sent, None):
            wanted = f"the input that was sent, CRC-32 {sent:08x}"
            self._line.unexpected("raw", wanted, f"CRC-32 {crc:08x} instead of {sent:08x}")
        return Answer(run.permille, scores, attempt)

    def _proven(self, once: Callable[[int], T]) -> tuple[T, int]:
        """(what `once` gives, attempts) when its exchange is proven undamaged as far as the device can.

        `once` takes the number of the attempt.
        """
        troubles: list[EdgeKwsError] = []
        for attempt in range(1, ATTEMPTS + 1):
            try:
                value = once(attempt)
                self._prove()
                self._proven_us = self._seen_us
                return value, attempt
            except RestartedError:
                raise
            except EdgeKwsError as error:
                troubles.append(error)
            self._repeated += 1
            self._recover(troubles[-1])
        if len(set(map(str, troubles))) == 1:  # no damage looks the same again and again: it is what the device says
            raise troubles[0]
        raise ProtocolError(
            "the device should receive commands and answer them undamaged",
            got=f"damage in {ATTEMPTS} of {ATTEMPTS} attempts; the last: {troubles[-1]}",
            hint="use a shorter cable or a lower baud rate, and check the device's receive buffer",
        )

    def _prove(self) -> None:
        """Raises ProtocolError unless both sides have seen the same bytes since this was asked last."""
        if not self.has_check:
            return
        damage = self._line.check()
        if damage is None:
            damage = "that it is unknown"
        if damage:
            self._line.unexpected("check", "the same checksums", damage)

    def _recover(self, cause: EdgeKwsError) -> None:
        """A lost byte leaves device and host waiting for each other: start over, or raise `cause`.

        After a damaged line the device may still be busy; after silence, it has had its time.
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
            except EdgeKwsError:
                patience_s = self._patience_s
        raise cause from None

    @property
    def _patience_s(self) -> float:
        return self._timeouts.line_s / 2

    def _synchronise(self) -> None:
        """After damage: both checksums start again, and the device's clock shows whether it was reset meanwhile."""
        self._line.check()
        if self.mode == "performance":
            lap_us = self._lap_us()
            self._prove()
            if lap_us < self._proven_us:
                self._line.restarted("timestamp", f"{lap_us} us after {self._proven_us} us: it was reset")

    def _find(self) -> str:
        """The device's name; and whether it knows `check`."""
        trouble: EdgeKwsError = BoardError("the device should answer")
        for _ in range(PROBES):
            name = self._voice()
            try:
                self.has_check = self._line.check() is not None
                return name
            except EdgeKwsError as error:
                trouble = error
        raise trouble

    def _voice(self) -> str:
        """The device's name, from the first clean answer; lines of a boot banner may come before it."""
        trouble: EdgeKwsError = BoardError("the device should answer")
        for _ in range(PROBES):
            try:
                return self._probe(self._patience_s)
            except EdgeKwsError as error:
                trouble = error
        raise trouble

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
