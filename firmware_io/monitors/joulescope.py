"""joulescope:[SERIAL][?pin=0&io_v=3.3&rate_hz=N]: Joulescope JS110 or JS220, over pyjoulescope_driver (Apache-2).

SERIAL (or a path like u/js220/002557) may be left out when one instrument is connected. pin: the general-purpose input
with the board's timestamp pin (JS110: 0 or 1, JS220: 0 to 3). io_v: the level of that input: 3.3 (default), on a JS110
also 1.8, 2.1, 2.5, 2.7, 3.0, 3.6 and 5.0, on a JS220 also `external` (its Vref pin at the board's supply).

The instrument is in series with the board's own supply and has no output of its own. `set_voltage(0)` opens the
circuit, `start` closes it. It always samples at full rate (JS110 2 MHz, JS220 1 MHz); lower rates are sums of samples.

Source: topics and messages of pyjoulescope_driver 2. The driver's thread delivers messages with these keys:
    sample_id         number of the first sample, counted at `sample_rate` (2 MHz on both)
    decimate_factor   samples counted per sample delivered (JS220: 2 for power, 1 for inputs)
    data              power: float32 [n] watts; input: uint8 [n], eight levels each, the lowest bit first
A jump of sample_id, or a power of NaN (which the driver inserts for a lost packet of the JS110), means lost samples.
When a JS110 loses more than 32 ms the driver reports it in its log only, so the log is watched.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekws.errors import BoardError, ConfigError
from firmware_io.monitors import Capabilities
from firmware_io.monitors._url import split
from firmware_io.monitors._vendor import Decimator, Inbox, decimation_factor, drain, package

CAPABILITIES = Capabilities(
    title="Joulescope",
    kind="live",
    rates_hz=(1_000.0, 10_000.0, 100_000.0, 1_000_000.0, 2_000_000.0),
    default_rate_hz=100_000.0,
    max_current_a=3.0,
    edges=True,
    extra="joulescope",
)
COUNT_HZ = 2_000_000  # of sample_id, on both
_REMOVED = "@/!remove"
_LOG, _LOST_PACKETS = "jsdrv", "pkt_index skip"
_CATCH_UP_S = 0.5  # the inputs come in blocks of up to 50 ms, the power in shorter ones


@dataclass(frozen=True)
class _Model:
    """range_topic: what opens and closes the line. io_topic: the level of the inputs. pins: how many there are."""

    rate_hz: float
    range_topic: str
    io_topic: str
    io_levels: dict[str, int | str]
    pins: int


_MILLIVOLTS = (1800, 2100, 2500, 2700, 3000, 3300, 3600, 5000)
_MODELS = {
    "js110": _Model(
        2e6, "s/i/range/select", "s/extio/voltage", {f"{level / 1000:g}": level for level in _MILLIVOLTS}, 2
    ),
    "js220": _Model(1e6, "s/i/range/mode", "c/gpio/vref", {"3.3": "3v3", "external": "external"}, 4),
}
_LSB_TOPICS = ("s/i/lsb_src", "s/v/lsb_src")  # the JS110 sends an input in the lowest bit of current or voltage
_LSB_VALUES = ("gpi0", "gpi1")


@contextmanager
def connect(rest: str) -> Iterator[Joulescope]:
    """Open the instrument for a `with` block.

    Raises ConfigError for a missing package or a wrong option, BoardError for an instrument that cannot be opened.
    """
    name, options = split("joulescope", rest, ("pin", "io_v", "rate_hz"))
    driver_class = package("pyjoulescope_driver", "pyjoulescope_driver", "joulescope").Driver
    with _driver_errors("its driver should start"):
        driver = driver_class()
    with driver:
        path = _path(driver, name)
        model = _MODELS[path.split("/")[1]]
        pin, io_level = _options(path, model, options)
        with _driver_errors(f"{path} should open"):
            driver.open(path, "defaults")
        meter = Joulescope(driver, path, model, pin)
        driver.log_level, watch = "warning", _LogWatch(meter)
        logging.getLogger(_LOG).addHandler(watch)
        try:
            meter.configure(io_level)
            yield meter
        finally:
            logging.getLogger(_LOG).removeHandler(watch)
            meter.close()


class _LogWatch(logging.Handler):
    """Passes losses, which the vendor's driver only writes to its log, to the meter."""

    def __init__(self, meter: Joulescope) -> None:
        super().__init__(logging.WARNING)
        self._meter = meter

    def emit(self, record: logging.LogRecord) -> None:
        if _LOST_PACKETS in record.getMessage():
            self._meter.notice_loss(record.getMessage())


class Joulescope:
    """The Monitor of one instrument. driver: an open Driver; path: of the opened instrument, like u/js220/002557.

    pin: the general-purpose input with the timestamp pin.
    """

    def __init__(self, driver: Any, path: str, model: _Model, pin: int) -> None:  # noqa: ANN401
        self._driver, self._path, self._model, self._pin = driver, path, model, pin
        self._topics = {f"{path}/s/p/!data": "power", f"{path}/s/gpi/{pin}/!data": "pin"}
        self._on_data, self._on_removed = self._on_message, self._notice_removal  # unsubscribing needs the same objects
        self._running = self.removed = False
        self._inbox: Inbox[tuple[str, dict[str, Any]]] = Inbox()
        self._reset(1)

    def configure(self, io_level: int | str) -> None:
        """Set the sampling rate and the level of the inputs. Raises BoardError when the instrument refuses."""
        self._driver.subscribe(_REMOVED, "pub", self._on_removed)
        self._publish("h/fs", int(self._model.rate_hz))
        self._publish(self._model.io_topic, io_level)
        if "js110" in self._path:
            self._publish(_LSB_TOPICS[self._pin], _LSB_VALUES[self._pin])

    def set_voltage(self, volts: float) -> None:
        """0 opens the circuit. Raises ConfigError for any other voltage, BoardError when the instrument fails."""
        if volts != 0:
            raise ConfigError(
                "joulescope: it is in series with the board's own supply and has no output of its own",
                got=f"{volts:g} V",
                hint="set the voltage at that supply",
            )
        self._publish(self._model.range_topic, "off")

    def start(self, rate_hz: float) -> None:
        """Close the circuit and stream. Raises ConfigError for an unsupported rate, BoardError on failure."""
        factor = decimation_factor("joulescope", CAPABILITIES, self._model.rate_hz, rate_hz)
        self.stop()
        self._reset(factor)
        self._publish(self._model.range_topic, "auto")
        with _driver_errors(f"{self._path} should send samples"):
            for topic in self._topics:
                self._driver.subscribe(topic, "pub", self._on_data)
        self._running = True
        self._stream(1)

    def samples(self, timeout_s: float) -> np.ndarray:
        """As Monitor.samples: joules float64 [n]. Raises BoardError once samples were lost or it was unplugged."""
        deadline = time.monotonic() + timeout_s
        while True:
            if self._lost is not None:
                raise self._lost
            block = self._inbox.take(max(0.0, deadline - time.monotonic()))
            if block is None:
                return np.empty(0)
            kind, message = block
            if kind == "pin":
                self._find_edges(message)
            elif (joules := self._decimator.add(self._joules(message))).size:
                return joules

    def edges(self) -> tuple[int, ...]:
        """As Monitor.edges: sample numbers of new falling edges, in order."""
        if self._first_id is None:
            return ()
        known = [sample_id for sample_id in drain(self._edge_ids) if sample_id < self._lost_id]
        ids = np.array(known, np.int64) - self._first_id
        return tuple((ids[ids >= 0] // self._ids_per_sample).tolist())

    def stop(self) -> None:
        """Stop streaming; what was measured can still be read. Raises BoardError when the instrument fails."""
        if not self._running:
            return
        self._running = False
        if self.removed:
            return
        self._wait_for_the_pin()
        self._stream(0)
        with _driver_errors(f"{self._path} should stop"):
            for topic in self._topics:
                self._driver.unsubscribe(topic, self._on_data)

    def close(self) -> None:
        """Stop, and release the instrument. Raises BoardError when it fails."""
        self.stop()
        with _driver_errors(f"{self._path} should close"):
            self._driver.unsubscribe(_REMOVED, self._on_removed)
            if not self.removed:
                self._driver.close(self._path)

    def notice_loss(self, what: str) -> None:
        """Called in a thread of the driver. Before the first sample the driver synchronises, which loses nothing."""
        if self._running and self._received["power"]:
            self._inbox.fail(_loss(self._path, what))

    def _reset(self, factor: int) -> None:
        if not self.removed:
            self._inbox = Inbox()
        self._decimator, self._factor = Decimator(factor), factor
        self._received = dict.fromkeys(self._topics.values(), 0)  # sample_id after the last one received
        self._expected: dict[str, int] = {}
        self._first_id: int | None = None
        self._ids_per_sample = 1
        self._level: int | None = None
        self._edge_ids: deque[int] = deque()
        self._lost: BoardError | None = None
        self._lost_id = float("inf")  # the first missing sample

    def _publish(self, topic: str, value: int | str) -> None:
        with _driver_errors(f"{self._path} should take {topic} = {value}"):
            self._driver.publish(f"{self._path}/{topic}", value)

    def _stream(self, on: int) -> None:
        """At full rate the driver computes power from current and voltage, so both must be on."""
        for signal in ("i", "v", "p", f"gpi/{self._pin}"):
            self._publish(f"s/{signal}/ctrl", on)

    def _on_message(self, topic: str, message: dict[str, Any]) -> None:
        """Called in the driver's thread, so it only queues the message."""
        kind = self._topics[topic]
        self._received[kind] = message["sample_id"] + _levels(kind, message) * message["decimate_factor"]
        self._inbox.put((kind, message))

    def _notice_removal(self, _topic: str, path: str) -> None:
        if path == self._path:
            self.removed = True
            self._inbox.fail(
                BoardError(
                    f"joulescope: {self._path} should stay connected",
                    got="it was removed",
                    hint="check its cable; what was measured before is kept",
                )
            )

    def _wait_for_the_pin(self) -> None:
        """Wait for the inputs of all received power: stopping discards incomplete blocks."""
        until_id, deadline = self._received["power"], time.monotonic() + _CATCH_UP_S
        while self._received["pin"] < until_id and time.monotonic() < deadline and not self._inbox.failed:
            time.sleep(0.005)

    def _joules(self, message: dict[str, Any]) -> np.ndarray:
        """Joules float64 [n]; none from the first lost sample on."""
        if not self._follows("power", message):
            return np.empty(0)
        watts: np.ndarray = message["data"].astype(np.float64)
        factor, skipped = int(message["decimate_factor"]), 0
        missing = np.flatnonzero(np.isnan(watts))
        if self._first_id is None:  # the first samples of a JS110 are NaN until its filter is filled
            skipped = int(np.argmin(np.isnan(watts))) if missing.size < watts.size else watts.size
            watts, missing = watts[skipped:], missing[missing >= skipped] - skipped
            if not watts.size:
                return watts
            self._first_id = int(message["sample_id"]) + skipped * factor
            self._ids_per_sample = factor * self._factor
        if missing.size:
            at_id = int(message["sample_id"]) + (skipped + int(missing[0])) * factor
            self._set_loss(at_id, f"{missing.size} samples of power are NaN")
            watts = watts[: missing[0]]
        return np.asarray(watts * (factor / message["sample_rate"]))

    def _find_edges(self, message: dict[str, Any]) -> None:
        if not self._follows("pin", message):
            return
        levels = np.unpackbits(message["data"], bitorder="little").astype(np.int8)
        before = levels[0] if self._level is None else np.int8(self._level)
        fell = np.flatnonzero(np.diff(levels, prepend=before) < 0)
        self._level = int(levels[-1])
        first, factor = int(message["sample_id"]), int(message["decimate_factor"])
        self._edge_ids.extend((first + fell * factor).tolist())

    def _follows(self, kind: str, message: dict[str, Any]) -> bool:
        """Whether the message continues the one before, with data in it."""
        first = int(message["sample_id"])
        gap = first - self._expected.get(kind, first)
        self._expected[kind] = first + _levels(kind, message) * int(message["decimate_factor"])
        if gap:
            self._set_loss(first - gap, f"a jump of {gap} sample numbers ({kind})")
        return not gap and bool(message["data"].size)

    def _set_loss(self, sample_id: int, what: str) -> None:
        if self._lost is not None:
            return
        first_id = sample_id if self._first_id is None else self._first_id
        seconds, self._lost_id = (sample_id - first_id) / COUNT_HZ, sample_id
        self._lost = _loss(self._path, f"{what} after {seconds:.6f} s")


def _loss(path: str, what: str) -> BoardError:
    return BoardError(
        f"joulescope: {path} should deliver every sample",
        got=f"{what}: the computer or the cable lost some",
        hint="connect it without a hub and close what else reads from it; measure again",
    )


def _levels(kind: str, message: dict[str, Any]) -> int:
    return int(message["data"].size) * (8 if kind == "pin" else 1)


@contextmanager
def _driver_errors(expected: str) -> Iterator[None]:
    """Turns the driver's errors into BoardError: RuntimeError with its code, TimeoutError without an answer."""
    try:
        yield
    except (RuntimeError, TimeoutError) as error:
        raise BoardError(
            f"joulescope: {expected}",
            got=str(error),
            hint="check the cable and that no other program (the Joulescope UI) holds it; on Linux the vendor's udev "
            "rules give your user access",
        ) from error


def _path(driver: Any, name: str) -> str:  # noqa: ANN401
    with _driver_errors("its driver should list the instruments"):
        paths = [path for path in driver.device_paths() if path.split("/")[1] in _MODELS]
    chosen = [path for path in paths if not name or name in (path, path.split("/")[-1])]
    if len(chosen) != 1:
        raise BoardError(
            f"joulescope: {name or 'without a serial number in the URL there'} should be one JS110 or JS220",
            got=", ".join(paths) or "none is connected, or your user may not use it",
            hint="name it by its serial number: joulescope:002557; on Linux install the vendor's udev rules",
        )
    return str(chosen[0])


def _options(path: str, model: _Model, options: dict[str, str]) -> tuple[int, int | str]:
    """(pin, what io_topic takes). Raises ConfigError."""
    pin, level = options.get("pin", "0"), options.get("io_v", "3.3")
    if pin not in [str(number) for number in range(model.pins)]:
        raise ConfigError(f"joulescope: pin of {path} should be 0 to {model.pins - 1}", got=pin)
    level = level if level in model.io_levels else level.removesuffix("0").removesuffix(".")
    if level not in model.io_levels:
        raise ConfigError(f"joulescope: io_v of {path} should be one of {', '.join(model.io_levels)}", got=level)
    return int(pin), model.io_levels[level]
