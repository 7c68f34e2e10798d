"""Every transport carries a session to a device and back, says which board it starts, and reports a missing device."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from edgekws import plugins
from edgekws.emit.c import emit
from edgekws.errors import EdgeKwsError
from edgekws.graph import interp
from edgekws.graph.ir import Graph
from firmware_io import board, build, transport
from firmware_io.protocol.session import Session
from firmware_io.transport import open_transport
from tests.firmware_io.devices import virtual_io_manager
from tests.firmware_io.devices.fake_device import FakeDevice, on_pty
from tests.firmware_io.firmware.lines import needs_for


@contextmanager
def serial(graph: Graph, folder: Path) -> Iterator[tuple[str, Path | None]]:
    with on_pty(FakeDevice(graph)) as path:
        yield f"serial:{path}", None


@contextmanager
def tcp(graph: Graph, folder: Path) -> Iterator[tuple[str, Path | None]]:
    device = FakeDevice(graph)

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            while content := connection.recv(1024):
                connection.sendall(device.receive(content))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"tcp:127.0.0.1:{listener.getsockname()[1]}", None
        thread.join(timeout=10)
        assert not thread.is_alive()


@contextmanager
def io(graph: Graph, folder: Path) -> Iterator[tuple[str, Path | None]]:
    line = virtual_io_manager.Wired(FakeDevice(graph))
    with virtual_io_manager.on_pty(virtual_io_manager.VirtualIoManager(line, "eembc")) as path:
        yield f"io:serial:{path}", None


@contextmanager
def spy(graph: Graph, folder: Path) -> Iterator[tuple[str, Path | None]]:
    with serial(graph, folder) as (url, _):
        yield f"spy:{folder / 'traffic.jsonl'}:{url}", None
    assert len((folder / "traffic.jsonl").read_text().splitlines()) > 10


@contextmanager
def replay(graph: Graph, folder: Path) -> Iterator[tuple[str, Path | None]]:
    with spy(graph, folder) as (url, _):
        classified(url, None, graph)
    yield f"replay:{folder / 'traffic.jsonl'}", None


def firmware(name: str, graph: Graph, folder: Path) -> Path:
    target = board.load(name)
    needs_for(target)
    return build.build(target, emit(graph), folder / "firmware.elf").elf


@contextmanager
def host(graph: Graph, folder: Path) -> Iterator[tuple[str, Path | None]]:
    yield "host:", firmware("host", graph, folder)


@contextmanager
def qemu(graph: Graph, folder: Path) -> Iterator[tuple[str, Path | None]]:
    yield "qemu:qemu-an386", firmware("qemu-an386", graph, folder)


LOOP_BACKS = {each.__name__: each for each in (serial, tcp, io, spy, replay, host, qemu)}
"""Scheme -> a device behind it: (URL, the firmware that the transport starts, if it starts one)."""


@contextmanager
def loop_back(scheme: str, graph: Graph, folder: Path) -> Iterator[tuple[str, Path | None]]:
    """Of the list above; any other transport has to start a board, as `scheme:` alone."""
    if scheme in LOOP_BACKS:
        with LOOP_BACKS[scheme](graph, folder) as device:
            yield device
    else:
        yield f"{scheme}:", firmware(transport.board_of(f"{scheme}:"), graph, folder)


def classified(url: str, elf: Path | None, graph: Graph) -> tuple[int, ...]:
    """The scores of the device for random features."""
    features = np.random.default_rng(0).integers(-128, 128, graph.features.shape[:2]).astype(np.int8)
    with open_transport(url, elf) as opened:
        session = Session(opened)
        session.start()
        scores = session.classify(features).scores
    assert scores == tuple(interp.run(graph, features.reshape(1, *graph.features.shape))[0].tolist())
    return scores


@pytest.mark.parametrize("scheme", plugins.names("transports"))
def test_a_session_passes_in_both_directions(scheme, graph, tmp_path):
    with loop_back(scheme, graph, tmp_path) as (url, elf):
        assert len(classified(url, elf, graph)) == len(graph.labels)


@pytest.mark.parametrize("scheme", plugins.names("transports"))
@pytest.mark.parametrize("rest", ["", "no-such-device", "no-such-device:1"])
def test_a_missing_device_is_reported_in_one_paragraph(scheme, rest, tmp_path):
    with pytest.raises(EdgeKwsError) as caught, open_transport(f"{scheme}:{rest}", tmp_path / "missing.elf"):
        pass
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", plugins.names("boards"))
def test_the_transport_of_a_board_starts_this_board_or_none(name):
    assert transport.board_of(board.load(name).transport) in ("", name)
