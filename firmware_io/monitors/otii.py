"""otii:[HOST[:PORT]][?device=NAME&pin=1&rate_hz=N]: Qoitech Otii Arc or Ace, over otii_tcp_client (MIT).

The package connects to the Otii application (enable its server; HOST:PORT is 127.0.0.1:1905 by default), which needs a
free Automation license: log in there, or set OTII_USERNAME and OTII_PASSWORD. device: name or id, when several
instruments are connected. pin: 1 or 2, the GPI of the expansion port with the board's timestamp pin.

Power is main current times main voltage; an Arc samples them at 4000 and 1000 Hz, an Ace both at 50 kHz. The recording
is read in slices by index while it runs, and stays in the application's project. Edges carry a time stamp.
Source: the requests of otii_tcp_client 1.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from edgekws.errors import BoardError, ConfigError, EdgeKwsError
from firmware_io.monitors import Capabilities
from firmware_io.monitors._url import split
from firmware_io.monitors._vendor import Decimator, decimation_factor, drain, package

CAPABILITIES = Capabilities(
    title="Qoitech Otii",
    kind="live",
    rates_hz=(1_000.0, 4_000.0, 10_000.0, 50_000.0),
    default_rate_hz=1_000.0,  # the highest that both instruments have
    max_current_a=2.5,
    supplies_v=(0.5, 5.0),
    edges=True,
    extra="otii",
)
HOST, PORT = "127.0.0.1", 1905
CURRENT, VOLTAGE = "mc", "mv"
_NATIVE_HZ = {"Arc": 4_000, "Simulator": 4_000, "Ace": 50_000}
_LOWEST_PORT_V = 1.2  # of the expansion port
_SLICE = 40_000  # values per request: what the package itself asks for at most
_FIND_S, _POLL_S = 3, 0.01
_NEAR = 1e-6  # of a sample: times are written as decimals


class Otii:
    """The Monitor of one instrument. app: a connected OtiiClient; device: its Arc or Ace; pin: GPI 1 or 2.

    answer_s: time-out of the application's answers.
    """

    def __init__(self, app: Any, project: Any, device: Any, pin: int, answer_s: float = 10.0) -> None:  # noqa: ANN401
        self._app, self._project, self._device, self._pin, self._answer_s = app, project, device, pin, answer_s
        self._recording: Any = None
        self._line = threading.RLock()  # one thread reads while another stops: requests must not interleave
        self._running = False
        self.gone = False
        self._reset(1)

    def set_voltage(self, volts: float) -> None:
        """Supply the board; 0 switches it off. Raises ConfigError outside 0.5 to 5 V, BoardError on failure."""
        low, high = CAPABILITIES.supplies_v or (0.0, 0.0)
        if volts and not low <= volts <= high:
            raise ConfigError(f"otii: the voltage should be {low:g} to {high:g} V", got=f"{volts:g} V")
        with self._driver_errors(f"{self._device.name} should feed the board with {volts:g} V"):
            if volts:
                self._device.set_main_voltage(volts)
            self._device.set_main(bool(volts))

    def start(self, rate_hz: float) -> None:
        """Start a recording. Raises ConfigError for an unsupported rate, BoardError on failure."""
        native_hz = _NATIVE_HZ[self._device.type]
        factor = decimation_factor("otii", CAPABILITIES, native_hz, rate_hz)
        self.stop()
        self._reset(factor)
        with self._driver_errors(f"{self._device.name} should start a recording"):
            self._configure(native_hz)
            self._level = bool(self._device.get_gpi(self._pin))
            self._project.start_recording()
            self._recording = self._project.get_last_recording()
        if self._recording is None:
            raise BoardError("otii: a started recording should be in the project", got="none")
        self._running = True

    def samples(self, timeout_s: float) -> np.ndarray:
        """As Monitor.samples: joules float64 [n]. Raises BoardError for lost samples or a lost connection."""
        deadline = time.monotonic() + timeout_s
        while self._recording is not None:
            with self._driver_errors("the application should give what was recorded"):
                new = self._fetch()
            if (joules := self._decimator.add(new)).size:
                return joules
            if new.size:
                continue
            if not self._running or time.monotonic() >= deadline:
                break
            self._check_connected()
            time.sleep(_POLL_S)
        return np.empty(0)

    def edges(self) -> tuple[int, ...]:
        """As Monitor.edges: sample numbers of new falling edges, in order."""
        start_s, interval_s = self._current.start_s, self._current.interval_s * self._factor
        if start_s is None:
            return ()
        return tuple(int((at_s - start_s) / interval_s + _NEAR) for at_s in drain(self._edges_s))

    def stop(self) -> None:
        """Stop the recording; the rest of it can still be read. Raises BoardError on failure."""
        if not self._running:
            return
        self._running = False
        if not self.gone:
            with self._driver_errors("the recording should stop"):
                self._project.stop_recording()

    def _reset(self, factor: int) -> None:
        self._decimator, self._factor = Decimator(factor), factor
        self._current, self._voltage = _Channel(CURRENT), _Channel(VOLTAGE)
        self._events = 0
        self._level = True  # the pin idles high
        self._edges_s: deque[float] = deque()

    def _configure(self, native_hz: int) -> None:
        device = self._device
        device.add_to_project()
        for channel in (CURRENT, VOLTAGE):
            device.enable_channel(channel, True)
            if device.type == "Ace":
                device.set_channel_samplerate(channel, native_hz)
        device.set_exp_voltage(max(_LOWEST_PORT_V, device.get_main_voltage()))
        device.enable_exp_port(True)
        device.enable_channel(f"i{self._pin}", True)

    def _fetch(self) -> np.ndarray:
        """Joules float64 [n] since the last call, for currents whose voltage has arrived as well."""
        self._fetch_edges()
        for channel in (self._current, self._voltage):
            channel.add(self._slice(channel.name, channel.end))
        return _joules(self._current, self._voltage)

    def _fetch_edges(self) -> None:
        values = self._slice(f"i{self._pin}", self._events).get("values", [])
        self._events += len(values)
        for event in values:
            if self._level and not event["value"]:
                self._edges_s.append(event["timestamp"])
            self._level = bool(event["value"])

    def _slice(self, channel: str, index: int) -> dict[str, Any]:
        """New values of `channel` from `index` on; {} when there are none. The package itself would wait for ever."""
        count = min(_SLICE, self._recording.get_channel_data_count(self._device.id, channel) - index)
        if count <= 0:
            return {}
        where = {"device_id": self._device.id, "recording_id": self._recording.id, "channel": channel}
        request = {
            "type": "request",
            "cmd": "recording_get_channel_data",
            "data": {**where, "index": index, "count": count},
        }
        answer = self._app.connection.send_and_receive(request, self._answer_s)
        if answer["type"] == "error":
            raise BoardError(f"otii: channel {channel} should be readable", got=str(answer.get("errorcode")))
        data: dict[str, Any] = answer["data"]
        return data

    def _check_connected(self) -> None:
        with self._driver_errors(f"{self._device.name} should stay connected"):
            connected = self._device.is_connected()
        if not connected:
            self.gone = True
            raise BoardError(
                f"otii: {self._device.name} should stay connected",
                got="the application reports that it is not",
                hint="check its cable; what was measured before is kept, here and in the application's project",
            )

    @contextmanager
    def _driver_errors(self, expected: str) -> Iterator[None]:
        if self.gone:
            raise BoardError(f"otii: {expected}", got="the instrument is gone", hint="connect again")
        try:
            with self._line:
                yield
        except EdgeKwsError:
            raise
        except Exception as error:
            self.gone = not hasattr(
                error, "type"
            )  # only an error sent by the application has one: then it still answers
            raise _failure(expected, error) from error


class _Channel:
    """Values of one channel that were read but not used yet. begin, end: index of the first, and after the last."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.begin = self.end = 0
        self.values = np.empty(0)
        self.start_s: float | None = None
        self.interval_s = 0.0

    def add(self, data: dict[str, Any]) -> None:
        if not data:
            return
        if self.start_s is None:
            self.start_s, self.interval_s = data["timestamp"], data["interval"]
        late = (data["timestamp"] - self.start_s) / self.interval_s - self.end
        if abs(late) > 0.5:
            raise BoardError(
                f"otii: channel {self.name} should have every sample",
                got=f"{late:.0f} are missing after {self.end * self.interval_s:.6f} s",
                hint="connect the instrument without a hub; measure again",
            )
        values = np.array(data["values"], np.float64)
        self.end += values.size
        self.values = np.concatenate([self.values, values])

    def drop(self, until: int) -> None:
        self.values = self.values[until - self.begin :]
        self.begin = until


def _joules(current: _Channel, voltage: _Channel) -> np.ndarray:
    """Energy of the currents that have a voltage; each voltage applies to `ratio` currents."""
    if not current.values.size or not voltage.values.size:
        return np.empty(0)
    ratio = round(voltage.interval_s / current.interval_s)
    end = min(current.end, voltage.end * ratio)
    numbers = np.arange(current.begin, end)
    volts = voltage.values[numbers // ratio - voltage.begin]
    joules = current.values[: numbers.size] * volts * current.interval_s
    current.drop(end)
    voltage.drop(min(end // ratio, voltage.end))
    return np.asarray(joules)


@contextmanager
def connect(rest: str) -> Iterator[Otii]:
    """Connect to the application for a `with` block.

    Raises ConfigError for a missing package or a wrong option, BoardError when application or instrument is missing.
    """
    address, options = split("otii", rest, ("device", "pin", "rate_hz"))
    host, port = _address(address)
    pin = options.get("pin", "1")
    if pin not in ("1", "2"):
        raise ConfigError("otii: pin should be 1 or 2, for GPI1 or GPI2", got=pin)
    client = package("otii_tcp_client.otii_client", "otii_tcp_client", "otii").OtiiClient()
    none_open = package("otii_tcp_client.otii", "otii_tcp_client", "otii").OtiiException
    with _driver_errors(f"the application at {host}:{port} should answer and lend an Automation license"):
        app = client.connect(host=host, port=port, try_for_seconds=0)
    meter = None
    try:
        with _driver_errors("the application should know one instrument and a project"):
            device = _device(app, options.get("device", ""))
            meter = Otii(app, _project(app, none_open), device, int(pin))
        yield meter
        meter.stop()
    finally:
        _disconnect(app, gone=meter is not None and meter.gone)


def _disconnect(app: Any, gone: bool) -> None:  # noqa: ANN401
    """Returns the license, unless the application is gone."""
    if gone:
        app.connection.close_connection()
        return
    with _driver_errors("the application should take the license back"):
        app.disconnect()


def _project(app: Any, none_open: type[Exception]) -> Any:  # noqa: ANN401
    try:
        return app.get_active_project()
    except none_open:
        return app.create_project()


def _device(app: Any, name: str) -> Any:  # noqa: ANN401
    devices = [device for device in app.get_devices(_FIND_S) if device.type in _NATIVE_HZ]
    chosen = [device for device in devices if not name or name in (device.name, device.id)]
    if len(chosen) != 1:
        raise BoardError(
            f"otii: {name or 'without device= in the URL there'} should be one Arc or Ace",
            got=", ".join(f"{device.name} ({device.id})" for device in devices) or "none is connected",
            hint="connect it to the computer of the application, or name it: otii:?device=NAME",
        )
    return chosen[0]


def _address(address: str) -> tuple[str, int]:
    host, _, port = address.partition(":")
    if port and not port.isdigit():
        raise ConfigError("otii: the address should be HOST or HOST:PORT", got=address)
    return host or HOST, int(port or PORT)


@contextmanager
def _driver_errors(expected: str) -> Iterator[None]:
    """Turns errors into BoardError: the package raises its own, plain Exception, KeyError and those of the socket."""
    try:
        yield
    except EdgeKwsError:
        raise
    except Exception as error:
        raise _failure(expected, error) from error


def _failure(expected: str, error: Exception) -> BoardError:
    return BoardError(
        f"otii: {expected}",
        got=str(getattr(error, "message", "") or error) or type(error).__name__,
        hint="start the Otii application with its server switched on, log in there and keep an Automation license "
        "free; check the instrument's cable",
    )
