"""The Otii application's server with a virtual Arc or Ace, and a package `otii_tcp_client` for machines without it.

The protocol is JSON over TCP: a greeting, then one request and one answer a line, with transaction ids.
"""

from __future__ import annotations

import itertools
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

from tests.firmware_io.devices.profiles import EDGE_HOLD_S, Profile

RATES_HZ = {"Arc": {"mc": 4_000, "mv": 1_000}, "Ace": {"mc": 1_000, "mv": 1_000}}  # before they are set
_STEP_S = 0.4  # of instrument time per request, when it runs as fast as it is read
_RIPPLE, _RIPPLE_HZ = 0.004, 3.0  # of the supply


@dataclass
class Faults:
    """At seconds after the start: unplug_s: the instrument is not connected any more. hang_up_s: the application ends.
    silent_s: it does not answer. lose_s: samples are missing. licenses, devices: how many. logged_in, project: whether.
    """

    unplug_s: float | None = None
    hang_up_s: float | None = None
    silent_s: float | None = None
    lose_s: float | None = None
    licenses: int = 1
    devices: int = 1
    logged_in: bool = True
    project: bool = True


class ServerError(Exception):
    """An answer of type error: its code and data."""


class Application:
    """profile, edges: on the time since the start of a recording. speed: times real time; 0: as fast as it is read."""

    def __init__(
        self, profile: Profile, edges: tuple[float, ...], model: str, faults: Faults, speed: float, pin: int
    ) -> None:
        self.profile, self.edges, self.model, self.faults, self.speed = profile, edges, model, faults, speed
        self.rates = dict(RATES_HZ[model])
        self.channels: set[str] = set()
        self.pin = f"i{pin}"
        self.volts, self.powered, self.port_v, self.port_on = 3.3, False, 0.0, False
        self.reserved, self.recording, self.recordings = False, False, 0
        self._now_s, self._started_s = 0.0, 0.0

    @property
    def device_id(self) -> str:
        return f"{self.model}512031204843494E3130393033313036"

    @property
    def now_s(self) -> float:
        """Instrument time of the recording; stands still after the stop and when it is unplugged."""
        if self.recording and self.speed:
            self._now_s = (time.monotonic() - self._started_s) * self.speed
        unplug_s = self.faults.unplug_s
        return self._now_s if unplug_s is None else min(self._now_s, unplug_s)

    def reached(self, at_s: float | None) -> bool:
        return at_s is not None and self._now_s >= at_s

    def answer(self, command: str, data: dict[str, Any]) -> dict[str, Any]:
        method = getattr(self, f"do_{command}", None)
        if method is None:
            raise ServerError("Invalid command", {})
        if command.startswith("arc_") and data.get("device_id") != self.device_id:
            raise ServerError("Device not connected", {"device_id": data.get("device_id")})
        return method(**data) or {}

    def do_otii_is_logged_in(self) -> dict[str, Any]:
        return {"logged_in": self.faults.logged_in}

    def do_otii_get_licenses(self) -> dict[str, Any]:
        if not self.faults.logged_in:
            raise ServerError("Not logged in", {})
        license = {"type": "Automation", "available": True, "reserved_to": "", "hostname": ""}
        return {"licenses": [{"id": number, **license} for number in range(self.faults.licenses)]}

    def do_otii_reserve_license(self, license_id: int) -> None:
        self.reserved = True

    def do_otii_return_license(self, license_id: int) -> None:
        self.reserved = False

    def do_otii_get_devices(self, timeout: int) -> dict[str, Any]:
        names = [(self.device_id, "Bench"), *((f"Arc{number}", f"Other {number}") for number in range(1, 9))]
        rows = [{"device_id": key, "name": name, "type": self.model} for key, name in names[: self.faults.devices]]
        return {"devices": [*rows, {"device_id": "Uart1", "name": "log", "type": "Uart"}]}

    def do_otii_get_active_project(self) -> dict[str, Any]:
        return {"project_id": 1 if self.faults.project else -1}

    def do_otii_create_project(self) -> dict[str, Any]:
        self.faults.project = True
        return {"project_id": 1}

    def do_arc_add_to_project(self, device_id: str) -> None:
        assert self.faults.project

    def do_arc_enable_channel(self, device_id: str, channel: str, enable: bool) -> None:
        self.channels.add(channel)

    def do_arc_set_channel_samplerate(self, device_id: str, channel: str, value: int) -> None:
        if self.model != "Ace":
            raise ServerError("Command not valid for device type", {})
        self.rates[channel] = value

    def do_arc_set_main_voltage(self, device_id: str, value: float) -> None:
        self.volts = value

    def do_arc_get_main_voltage(self, device_id: str) -> dict[str, Any]:
        return {"value": self.volts}

    def do_arc_set_main(self, device_id: str, enable: bool) -> None:
        self.powered = enable

    def do_arc_set_exp_voltage(self, device_id: str, value: float) -> None:
        self.port_v = value

    def do_arc_enable_exp_port(self, device_id: str, enable: bool) -> None:
        self.port_on = enable

    def do_arc_get_gpi(self, device_id: str, pin: int) -> dict[str, Any]:
        return {"value": True}

    def do_arc_is_connected(self, device_id: str) -> dict[str, Any]:
        return {"connected": not self.reached(self.faults.unplug_s)}

    def do_project_start_recording(self, project_id: int) -> None:
        self.recording, self._now_s, self._started_s = True, 0.0, time.monotonic()
        self.recordings += 1

    def do_project_stop_recording(self, project_id: int) -> None:
        assert self.now_s >= 0
        self.recording = False

    def do_project_get_last_recording(self, project_id: int) -> dict[str, Any]:
        return {"recording_id": self.recordings or -1, "name": "Recording", "start-time": "2026-01-01T00:00:00Z"}

    def do_recording_get_channel_data_count(self, recording_id: int, device_id: str, channel: str) -> dict[str, Any]:
        if channel not in self.channels:
            raise ServerError("Invalid key value", {"key": "channel", "value": channel})
        if channel == "mc" and self.recording and not self.speed:
            self._now_s += _STEP_S
        if channel in ("i1", "i2"):
            return {"count": len(self._events(channel))}
        return {"count": int(self.now_s * self.rates[channel] + 1e-9)}

    def do_recording_get_channel_data(
        self, recording_id: int, device_id: str, channel: str, index: int, count: int
    ) -> dict[str, Any]:
        if channel in ("i1", "i2"):
            return {"data_type": "digital", "values": self._events(channel)[index : index + count]}
        interval_s, numbers = 1 / self.rates[channel], np.arange(index, index + count)
        if self.faults.lose_s is not None:
            numbers[numbers * interval_s >= self.faults.lose_s] += 7
        values = self._volts(numbers * interval_s) if channel == "mv" else self._amperes(numbers, interval_s)
        first_s = int(numbers[0]) * interval_s
        return {"data_type": "analog", "timestamp": first_s, "interval": interval_s, "values": values.tolist()}

    def _volts(self, seconds: np.ndarray) -> np.ndarray:
        return self.volts * (1 + _RIPPLE * np.sin(2 * np.pi * _RIPPLE_HZ * seconds))

    def _amperes(self, numbers: np.ndarray, interval_s: float) -> np.ndarray:
        middle_s = (numbers + 0.5) * interval_s
        return self.profile(middle_s) * self.powered / self._volts(middle_s)

    def _events(self, channel: str) -> list[dict[str, Any]]:
        if channel != self.pin or not self.port_on:
            return []
        moves = [(edge + late_s, late_s > 0) for edge in self.edges for late_s in (0.0, EDGE_HOLD_S)]
        return [{"timestamp": at_s, "value": high} for at_s, high in sorted(moves) if at_s <= self.now_s]


def _serve(app: Application, listener: socket.socket, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        with connection:
            connection.settimeout(0.02)
            _talk(app, connection, stop)


def _talk(app: Application, connection: socket.socket, stop: threading.Event) -> None:
    greeting = {"otii_version": "3.5.5", "protocol_version": "0.1", "server": "otii-server"}
    _send(connection, {"type": "information", "info": "connected", "data": greeting})
    waiting = b""
    while not stop.is_set() and not app.reached(app.faults.hang_up_s):
        try:
            content = connection.recv(65536)
        except TimeoutError:
            continue
        except ConnectionResetError:
            return
        if not content:
            return
        *lines, waiting = (waiting + content).split(b"\r\n")
        for line in lines:
            if not app.reached(app.faults.silent_s):
                _send(connection, _answer(app, json.loads(line)))


def _answer(app: Application, request: dict[str, Any]) -> dict[str, Any]:
    head = {"cmd": request["cmd"], "trans_id": request["trans_id"]}
    try:
        return {"type": "response", **head, "data": app.answer(request["cmd"], request.get("data", {}))}
    except ServerError as error:
        return {"type": "error", **head, "errorcode": error.args[0], "data": error.args[1]}


def _send(connection: socket.socket, message: dict[str, Any]) -> None:
    connection.settimeout(10)
    connection.sendall(json.dumps(message).encode() + b"\r\n")
    connection.settimeout(0.02)


@contextmanager
def virtual_otii(
    profile: Profile,
    edges: tuple[float, ...] = (),
    model: str = "Arc",
    speed: float = 0.0,
    pin: int = 1,
    **faults: object,
) -> Iterator[tuple[str, Application]]:
    """(URL, the application) while its server runs."""
    app = Application(profile, edges, model, Faults(**faults), speed, pin)  # type: ignore[arg-type]
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.02)
        thread = threading.Thread(target=_serve, args=(app, listener, stop))
        thread.start()
        try:
            yield f"otii:127.0.0.1:{listener.getsockname()[1]}", app
        finally:
            stop.set()
            thread.join()


@contextmanager
def package(real: bool | None = None) -> Iterator[None]:
    """`import otii_tcp_client` gives the real package, ours, or (None) the real one where it is installed."""
    if real if real is not None else find_spec("otii_tcp_client"):
        yield
        return
    outer, client, otii = (ModuleType(f"otii_tcp_client{name}") for name in ("", ".otii_client", ".otii"))
    client.OtiiClient = FakeClient  # type: ignore[attr-defined]
    otii.OtiiException = NoProjectError  # type: ignore[attr-defined]
    with mock.patch.dict(sys.modules, {module.__name__: module for module in (outer, client, otii)}):
        yield


class NoProjectError(Exception):
    pass


class AnswerError(Exception):
    def __init__(self, answer: dict[str, Any]) -> None:
        self.type, self.message = answer["errorcode"], answer


class _Connection:
    def __init__(self, host: str, port: int) -> None:
        self.sock = socket.create_connection((host, port), timeout=3)
        self.file = self.sock.makefile("rb")
        self.ids = map(str, itertools.count(1))
        assert json.loads(self.file.readline())["type"] == "information"

    def send_and_receive(self, request: dict[str, Any], timeout: float | None = 3) -> dict[str, Any]:
        request["trans_id"] = next(self.ids)
        self.sock.settimeout(timeout)
        self.sock.sendall(json.dumps(request).encode() + b"\r\n")
        line = self.file.readline()
        if not line:
            raise ConnectionError("the server closed the connection")
        return json.loads(line)

    def ask(self, cmd: str, **data: object) -> dict[str, Any]:
        answer = self.send_and_receive({"type": "request", "cmd": cmd, "data": data})
        if answer["type"] == "error":
            raise AnswerError(answer)
        return answer["data"]

    def close_connection(self) -> None:
        self.file.close()
        self.sock.close()


class FakeClient:
    """What the driver uses of OtiiClient and what it connects to."""

    def connect(self, host: str, port: int, try_for_seconds: int) -> FakeClient:
        self.connection = _Connection(host, port)
        try:
            free = self.connection.ask("otii_get_licenses")["licenses"]
            if not free:
                raise RuntimeError("Cannot reserve licenses")
            self.connection.ask("otii_reserve_license", license_id=free[0]["id"])
        except Exception:
            self.connection.close_connection()
            raise
        return self

    def disconnect(self) -> None:
        try:
            self.connection.ask("otii_return_license", license_id=0)
        finally:
            self.connection.close_connection()

    def get_active_project(self) -> _FakeProject:
        if self.connection.ask("otii_get_active_project")["project_id"] == -1:
            raise NoProjectError("Cannot get active project")
        return _FakeProject(self.connection)

    def create_project(self) -> _FakeProject:
        self.connection.ask("otii_create_project")
        return _FakeProject(self.connection)

    def get_devices(self, timeout: int) -> list[_FakeDevice]:
        rows = self.connection.ask("otii_get_devices", timeout=timeout)["devices"]
        return [_FakeDevice(self.connection, row) for row in rows if row["type"] in RATES_HZ]


class _FakeProject:
    def __init__(self, connection: _Connection) -> None:
        self.connection = connection

    def start_recording(self) -> None:
        self.connection.ask("project_start_recording", project_id=1)

    def stop_recording(self) -> None:
        self.connection.ask("project_stop_recording", project_id=1)

    def get_last_recording(self) -> SimpleNamespace:
        key = self.connection.ask("project_get_last_recording", project_id=1)["recording_id"]

        def count(device_id: str, channel: str) -> int:
            where = {"recording_id": key, "device_id": device_id, "channel": channel}
            return self.connection.ask("recording_get_channel_data_count", **where)["count"]

        return SimpleNamespace(id=key, get_channel_data_count=count)


class _FakeDevice:
    def __init__(self, connection: _Connection, row: dict[str, str]) -> None:
        self.connection = connection
        self.id, self.name, self.type = row["device_id"], row["name"], row["type"]

    def _ask(self, command: str, **data: object) -> dict[str, Any]:
        return self.connection.ask(f"arc_{command}", device_id=self.id, **data)

    def add_to_project(self) -> None:
        self._ask("add_to_project")

    def enable_channel(self, channel: str, enable: bool) -> None:
        self._ask("enable_channel", channel=channel, enable=enable)

    def set_channel_samplerate(self, channel: str, value: int) -> None:
        self._ask("set_channel_samplerate", channel=channel, value=value)

    def set_main_voltage(self, value: float) -> None:
        self._ask("set_main_voltage", value=value)

    def get_main_voltage(self) -> float:
        return self._ask("get_main_voltage")["value"]

    def set_main(self, enable: bool) -> None:
        self._ask("set_main", enable=enable)

    def set_exp_voltage(self, value: float) -> None:
        self._ask("set_exp_voltage", value=value)

    def enable_exp_port(self, enable: bool) -> None:
        self._ask("enable_exp_port", enable=enable)

    def get_gpi(self, pin: int) -> bool:
        return self._ask("get_gpi", pin=pin)["value"]

    def is_connected(self) -> bool:
        return self._ask("is_connected")["connected"]
