"""Which meter can do what, and the board's power around a run."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgekws.errors import BoardError, ConfigError
from firmware_io.energy import meter as meters
from firmware_io.energy.meter import Meter
from firmware_io.monitors import Capabilities

FEEDS = Capabilities("feeder", "live", (1e3, 2e3), 1e3, supplies_v=(1.8, 3.3), edges=True)
WATCHES = Capabilities("watcher", "live", (1e3,), 1e3, edges=True)
BLIND = Capabilities("blind one", "live", (1e3,), 1e3, supplies_v=(1.8, 3.3))
TABLE = Capabilities("table", "file")
MODEL = Capabilities("model", "model")


@pytest.fixture
def use(monkeypatch):
    """Make a meter with these capabilities the one that every URL names; give what it was asked."""

    def used(capabilities, gone=False):
        asked = []

        def set_voltage(volts):
            asked.append(volts)
            if gone and volts == 0:
                raise BoardError("the meter is gone")

        @contextmanager
        def connect(rest):
            asked.append(rest)
            yield SimpleNamespace(set_voltage=set_voltage)
            asked.append("closed")

        module = SimpleNamespace(CAPABILITIES=capabilities, connect=connect)
        monkeypatch.setattr("firmware_io.monitors.load", lambda url: (module, url.partition(":")[2]))
        return asked

    return used


@pytest.mark.parametrize(
    ("capabilities", "more", "message"),
    [
        (BLIND, {"volts": 3.0}, "blind one, which has no input"),
        (WATCHES, {"volts": 3.0}, "supplies the board"),
        (FEEDS, {}, r"1\.8 to 3\.3 V"),
        (TABLE, {}, "--iterations"),
        (TABLE, {"volts": 3.0, "iterations": 5}, "omit --voltage"),
        (MODEL, {"volts": 3.0}, "omit --voltage"),
    ],
)
def test_unsupported_settings_of_a_meter_are_refused(use, capabilities, more, message):
    use(capabilities)
    with pytest.raises(ConfigError, match=message):
        meters.check(Meter("any:x", Path("out"), **more))


def test_supported_settings_of_a_meter_are_accepted(use):
    for capabilities, more in [(FEEDS, {"volts": 3.0}), (WATCHES, {}), (TABLE, {"iterations": 5}), (MODEL, {})]:
        use(capabilities)
        meters.check(Meter("any:x", Path("out"), **more))


def test_the_board_is_powered_in_the_block_and_off_after_it(use):
    asked = use(FEEDS)
    with meters.powered(Meter("any:x", Path("out"), 3.0)):
        assert asked == ["x", 3.0]
    assert asked == ["x", 3.0, 0.0, "closed"]


def test_the_board_is_switched_off_after_an_error_and_the_first_error_is_raised(use):
    asked = use(FEEDS, gone=True)
    with pytest.raises(BoardError, match="the board is silent"), meters.powered(Meter("any:x", Path("out"), 3.0)):
        raise BoardError("the board is silent")
    assert asked[-1] == 0.0


def test_a_meter_that_only_measures_switches_nothing(use):
    asked = use(WATCHES)
    with meters.powered(Meter("any:x", Path("out"))):
        pass
    assert asked == ["x", "closed"]


def test_the_rate_is_that_of_the_url_or_the_default(use):
    use(FEEDS)
    assert Meter("any:x", Path("out")).rate_hz == 1e3
    assert Meter("any:x?rate_hz=2000", Path("out")).rate_hz == 2e3
