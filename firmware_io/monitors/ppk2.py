"""ppk2:[PORT][?mode=source|ampere&volts=3.0&pin=0&rate_hz=N]: Nordic Power Profiler Kit II, over ppk2-api (GPL-2).

PORT may be omitted when one kit is connected. mode: `source` supplies the board (default); `ampere` is in series with
another supply, whose voltage is `volts`. pin: the logic input (0 to 7) with the board's timestamp pin; connect the VCC
of the logic port to the board's supply.

The kit sends one word of four bytes per 10 us (source: ppk2-api 0.9):
    bits  0-13  reading of the converter
    bits 14-16  measuring range
    bits 18-23  counter, incremented with every word: shows a lost word or byte, except a loss of a multiple of 64
                words (0.64 ms)
    bits 24-31  logic inputs D0 to D7 at that moment
The package converts readings to amperes by the kit's own calibration, and smooths the three words after a change of
range.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from edgekws.errors import BoardError, ConfigError
from firmware_io.monitors import Capabilities
from firmware_io.monitors._url import number, split
from firmware_io.monitors._vendor import Decimator, Inbox, decimation_factor, drain, package

SAMPLE_HZ = 100_000.0  # fixed in the instrument
CAPABILITIES = Capabilities(
    title="Nordic PPK2",
    kind="live",
    rates_hz=(1_000.0, 10_000.0, SAMPLE_HZ),
    default_rate_hz=SAMPLE_HZ,
    max_current_a=1.0,
    supplies_v=(0.8, 5.0),
    edges=True,
    extra="ppk2",
)
_WORD_BYTES = 4
_COUNTER_BIT, _COUNTERS = 18, 64
_POLL_S, _QUIET_S, _DRAIN_S = 0.001, 0.1, 1.0
_GREETINGS = 8  # an answer that arrives in two parts is dropped by the package
_MODES = ("source", "ampere")


@contextmanager
def connect(rest: str) -> Iterator[Ppk2]:
    """Open the kit for a `with` block.

    Raises ConfigError for a missing package or a wrong option, BoardError for a kit that cannot be opened.
    """
    path, options = split("ppk2", rest, ("mode", "volts", "pin", "rate_hz"))
    api = package("ppk2_api.ppk2_api", "ppk2-api", "ppk2").PPK2_API
    pin, supply_v = _pin(options), _supply_v(options)
    kit = _open(api, path or _only_port(api))
    try:
        _calibrate(kit)
        meter = Ppk2(kit, pin, supply_v)
        try:
            yield meter
        finally:
            meter.stop()
    finally:
        kit.ser.close()


class Ppk2:
    """The Monitor of one kit. kit: an open PPK2_API; pin: logic input 0 to 7.

    supply_v: volts of the other supply in ampere mode; None when the kit supplies the board.
    """

    def __init__(self, kit: Any, pin: int, supply_v: float | None) -> None:  # noqa: ANN401
        self._kit, self._pin, self._supply_v = kit, pin, supply_v
        self._volts = 0.0
        self._reader: threading.Thread | None = None
        self._stopping = threading.Event()
        self._reset(1)
        if supply_v is None:
            kit.use_source_meter()
        else:
            kit.use_ampere_meter()
            self.set_voltage(supply_v)

    def set_voltage(self, volts: float) -> None:
        """Supply the board; 0 switches it off. Raises ConfigError outside 0.8 to 5 V, BoardError on failure."""
        if volts == 0:
            with _connected(self._kit):
                self._kit.toggle_DUT_power("OFF")
            return
        if self._supply_v is not None and abs(volts - self._supply_v) > 0.0005:
            raise ConfigError(
                f"ppk2: in ampere mode another supply powers the board, with {self._supply_v:g} V according to the URL",
                got=f"{volts:g} V",
                hint="omit mode=ampere, or give the same voltage in both places",
            )
        _check_volts(volts)
        with _connected(self._kit):
            self._kit.set_source_voltage(round(volts * 1000))
            self._kit.toggle_DUT_power("ON")
        self._volts = volts

    def start(self, rate_hz: float) -> None:
        """Start sampling. Raises ConfigError for an unsupported rate or without a voltage, BoardError on failure."""
        factor = decimation_factor("ppk2", CAPABILITIES, SAMPLE_HZ, rate_hz)
        if not self._volts:
            raise ConfigError("ppk2: needs the voltage of the board before it measures", hint="set a voltage")
        self.stop()
        self._reset(factor)
        with _connected(self._kit):
            self._kit.get_data()  # discards data of an earlier run
            self._kit.start_measuring()
        self._reader = threading.Thread(target=self._read, args=(self._inbox,), name="ppk2", daemon=True)
        self._reader.start()

    def samples(self, timeout_s: float) -> np.ndarray:
        """As Monitor.samples: joules float64 [n]. Raises BoardError for lost words or a lost connection."""
        deadline = time.monotonic() + timeout_s
        while True:
            if self._loss is not None:
                raise self._loss
            content = self._inbox.take(max(0.0, deadline - time.monotonic()))
            if content is None:
                return np.empty(0)
            joules = self._decimator.add(self._decoded(content))
            if joules.size:
                return joules

    def edges(self) -> tuple[int, ...]:
        """As Monitor.edges: sample numbers of new falling edges, in order."""
        return tuple(drain(self._edges))

    def stop(self) -> None:
        """Stop sampling; what was measured can still be read."""
        if self._reader is None:
            return
        if not self._inbox.failed:
            self._kit.stop_measuring()
            self._wait_until_quiet()
        self._stopping.set()
        self._reader.join()
        self._reader = None

    def _reset(self, factor: int) -> None:
        self._stopping.clear()
        self._inbox: Inbox[bytes] = Inbox()
        self._decimator, self._factor = Decimator(factor), factor
        self._rest = b""
        self._words = 0  # of this run
        self._counter: int | None = None
        self._level = 1  # the pin idles high
        self._edges: deque[int] = deque()
        self._loss: BoardError | None = None
        self._last_data_s = time.monotonic()

    def _read(self, inbox: Inbox[bytes]) -> None:
        """The thread: empties the port before the operating system's buffer is full."""
        try:
            while not self._stopping.is_set():
                with _connected(self._kit):
                    content = self._kit.get_data()
                if content:
                    self._last_data_s = time.monotonic()
                    inbox.put(content)
                else:
                    time.sleep(_POLL_S)
        except BoardError as error:
            inbox.fail(error)

    def _wait_until_quiet(self) -> None:
        """Wait for samples that were measured before the stop."""
        stopped_s = time.monotonic()
        while time.monotonic() < min(stopped_s + _DRAIN_S, max(stopped_s, self._last_data_s) + _QUIET_S):
            time.sleep(_POLL_S)

    def _decoded(self, content: bytes) -> np.ndarray:
        """Joules float64 [n] of the complete words received; a missing word ends the measurement."""
        content = self._rest + content
        size = len(content) // _WORD_BYTES * _WORD_BYTES
        self._rest = content[size:]
        words = np.frombuffer(content[:size], "<u4")
        words = words[: self._unbroken(words)]
        if not words.size:
            return np.empty(0)
        microamperes, logic = self._kit.get_samples(words.tobytes())
        if len(microamperes) != words.size:
            raise BoardError("ppk2: every word should give one sample", got=f"{len(microamperes)} of {words.size}")
        self._find_edges(np.array(logic, np.uint8))
        self._words += words.size
        return np.asarray(microamperes, np.float64) * (1e-6 * self._volts / SAMPLE_HZ)

    def _unbroken(self, words: np.ndarray) -> int:
        """Number of words before the first gap in their counter."""
        if not words.size:
            return 0
        counters = (words >> _COUNTER_BIT) % _COUNTERS
        first = int(counters[0]) if self._counter is None else (self._counter + 1) % _COUNTERS
        wrong = np.flatnonzero(counters != (first + np.arange(words.size)) % _COUNTERS)
        self._counter = int(counters[-1])
        if not wrong.size:
            return int(words.size)
        at = self._words + int(wrong[0])
        self._loss = BoardError(
            "ppk2: the counter in its words should go up by one",
            got=f"a gap after {at} samples ({at / SAMPLE_HZ:.3f} s): the computer or the cable lost some",
            hint="connect the kit without a hub and close what else reads from it; measure again",
        )
        return int(wrong[0])

    def _find_edges(self, logic: np.ndarray) -> None:
        levels = (logic >> self._pin) & 1
        before = np.concatenate([[self._level], levels[:-1]])
        fell = self._words + np.flatnonzero((before == 1) & (levels == 0))
        self._level = int(levels[-1])
        self._edges.extend(int(word) // self._factor for word in fell)


@contextmanager
def _connected(kit: Any) -> Iterator[None]:  # noqa: ANN401
    """Raises BoardError when the connection is lost. The package only logs a failed command; in_waiting raises."""
    try:
        yield
        _ = kit.ser.in_waiting
    except (OSError, TypeError) as error:  # TypeError: pyserial on a port whose file is gone
        raise BoardError(
            f"ppk2: the kit at {kit.ser.port} should stay connected",
            got=f"the connection ended ({error})",
            hint="check its cable; what was measured before is kept",
        ) from error


def _open(api: Any, path: str) -> Any:  # noqa: ANN401
    try:
        return api(path, timeout=1, write_timeout=1, exclusive=True)
    except (OSError, ValueError) as error:
        raise BoardError(
            f"ppk2: {path} should be a port that can be opened",
            got=str(error),
            hint="check the name, the cable and that no other program (nRF Connect) holds it; on Linux your user must "
            "be in the group dialout",
        ) from error


def _only_port(api: Any) -> str:  # noqa: ANN401
    ports = [str(port) for port in api.list_devices()]
    if len(ports) != 1:
        raise BoardError(
            "ppk2: without a port in the URL there should be one kit",
            got=", ".join(ports) or "none",
            hint="connect it, or name its port: ppk2:/dev/ttyACM1. Newer kits have two ports; it is the first",
        )
    return ports[0]


def _calibrate(kit: Any) -> None:  # noqa: ANN401
    """Read the kit's calibration. Raises BoardError when the device is no PPK2."""
    for _ in range(_GREETINGS):
        with _connected(kit):
            kit.stop_measuring()  # a run that was killed leaves it streaming
            time.sleep(_QUIET_S)
            kit.get_data()
            try:
                done = kit.get_modifiers()
            except UnicodeDecodeError:
                done = None
        if done and kit.modifiers["Calibrated"] is not None:
            return
    raise BoardError(
        f"ppk2: {kit.ser.port} should send the calibration of a PPK2",
        got="no answer, or no calibration",
        hint="check that the port is the kit's; unplug it and plug it in again",
    )


def _pin(options: dict[str, str]) -> int:
    text = options.get("pin", "0")
    if text not in tuple("01234567"):
        raise ConfigError("ppk2: pin should be the number of a logic input, 0 to 7", got=text)
    return int(text)


def _supply_v(options: dict[str, str]) -> float | None:
    mode, volts = options.get("mode", "source"), number("ppk2", options, "volts")
    if mode not in _MODES:
        raise ConfigError(f"ppk2: mode should be one of {', '.join(_MODES)}", got=mode)
    if (mode == "ampere") != (volts is not None):
        raise ConfigError("ppk2: mode=ampere and volts=N belong together", got=f"mode={mode}, volts={volts}")
    if volts is not None:
        _check_volts(volts)
    return volts


def _check_volts(volts: float) -> None:
    low, high = CAPABILITIES.supplies_v or (0.0, 0.0)
    if not low <= volts <= high:
        raise ConfigError(f"ppk2: the voltage should be {low:g} to {high:g} V", got=f"{volts:g} V")
