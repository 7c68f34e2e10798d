"""Damage that only the checksums of `check` reveal: no answer shows it, or the answer is an old one."""

from __future__ import annotations

import pytest

from edgekws.errors import ProtocolError
from firmware_io.protocol.session import Session
from tests.firmware_io.devices.fake_device import Direct, FakeDevice


class Wire(Direct):
    """To the device: `wrong` stands in place of `right`, once. From it: `answer` changes what comes, if given."""

    def __init__(self, device, right=b"", wrong=b"", answer=None):
        super().__init__(device, chunk=4096)
        self.right, self.wrong, self.answer = right, wrong, answer

    def write(self, content):
        if self.right and self.right in content:
            content, self.right = content.replace(self.right, self.wrong), b""
        before = len(self.waiting)
        super().write(content)
        if self.answer:
            self.waiting = self.waiting[:before] + self.answer(content, self.waiting[before:])


@pytest.fixture
def device(graph):
    return FakeDevice(graph, check=True)


@pytest.mark.parametrize("at", [0, 38, 100, 480])
def test_a_digit_that_changed_on_the_way_to_the_device_is_sent_again(device, at):
    """The device takes it for an input as good as any, and says nothing."""
    content = bytearray(490)
    content[at] = 0x5A
    wire = Wire(device, b"5a", b"5b")
    session = Session(wire)
    session.start()
    session.load(bytes(content))
    assert device.buffer == content and session.transfers.repeated == 1


def test_without_check_such_a_digit_is_not_noticed(graph):
    """So that the test above says something."""
    device = FakeDevice(graph, check=False)
    session = Session(Wire(device, b"5a", b"5b"))
    session.start()
    session.load(bytes([0x5A] + [0] * 489))
    assert device.buffer[0] == 0x5B and session.transfers.repeated == 0


def test_a_replayed_exchange_is_not_accepted(device):
    """In place of the second answer, and of its proof, come those of the first, which are sound in themselves."""
    played = []

    def replay(sent, answer):
        played.append(answer)
        return played[len(played) - 3] if len(played) in (3, 4) else answer

    wire = Wire(device)
    session = Session(wire)
    session.start()
    wire.answer = replay
    first = session.timestamp_us()
    assert first < session.timestamp_us() == device.clock_us and session.transfers.repeated == 1
    assert played[0] != played[2]


@pytest.mark.parametrize("damage", [b"infer 2 1", b"infer 20 11", b"infer 202 1"])
@pytest.mark.parametrize("check", [False, True])
def test_a_count_that_changed_on_the_way_never_becomes_a_latency(graph, check, damage):
    """Another count than was asked for is a latency of another device; without `check` its echo shows it."""
    device = FakeDevice(graph, check=check)
    session = Session(Wire(device, b"infer 20 1", damage))
    session.start()
    session.load(bytes(490))
    window = session.infer(20, 1)
    assert window.device_us == 20 * device.us + 5 and session.transfers.repeated == 1


@pytest.mark.parametrize("check", [False, True])
def test_a_command_that_turned_into_a_load_costs_a_retry(graph, check):
    device = FakeDevice(graph, check=check)
    session = Session(Wire(device, b"infer 20 1", b"db load 490"))
    session.start()
    session.load(bytes([7] * 490))
    assert session.infer(20, 1).iterations == 20
    assert device.buffer == bytes([7] * 490) and session.transfers.repeated == 1


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("m-layers-[2,4,1000000]", "m-layers-[2,4,0]"),
        ("m-layer-[1,", "m-layer-[0,"),
        ("m-layers-[2,4", "m-layers-[2,5"),
    ],
)
def test_layers_out_of_order_or_without_a_clock_are_refused(graph, monkeypatch, right, wrong):
    device = FakeDevice(graph, layers_us=[900, 300], check=True)
    monkeypatch.setattr(device, "_layers", lambda n, original=device._layers: original(n).replace(right, wrong))
    session = Session(Direct(device))
    session.start()
    with pytest.raises(ProtocolError, match="layers"):
        session.layers(4)


def test_a_device_that_knew_raw_must_not_refuse_it_later(graph, random_features):
    device = FakeDevice(graph)
    session = Session(Direct(device))
    session.start()
    assert session.classify(random_features(1)[0]).scores is not None
    device.has_raw = False
    with pytest.raises(ProtocolError, match="that it is unknown"):
        session.classify(random_features(1)[0])
