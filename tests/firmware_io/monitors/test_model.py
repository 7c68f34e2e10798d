"""The model of energy: published devices lie in its interval, it scales as it must, every board has constants."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws.errors import ConfigError
from firmware_io import board as boards
from firmware_io.monitors import load, model

WITH_A_CORE = [name for name in boards.names() if boards.load(name).core != "host"]


@pytest.mark.parametrize("name", WITH_A_CORE)
def test_every_board_has_constants_with_a_source(name):
    constants = model.load(boards.load(name))
    for bounds in (constants.active_ua_per_mhz, constants.cycles):
        assert 0 < bounds.lowest <= bounds.typical <= bounds.highest
    assert constants.source


def test_a_core_without_constants_is_refused():
    with pytest.raises(ConfigError, match="the current of a host"):
        model.estimate(boards.load("host"), 1000.0)


PUBLISHED = [  # MLPerf Tiny, board, milliseconds, volts, microjoules
    ("nucleo-l4r5zi", 43.19, 1.8, 1820),
    ("nucleo-l4r5zi", 75.06, 1.8, 3372),
    ("nucleo-l4r5zi", 144.03, 1.8, 7951),
]


@pytest.mark.parametrize(("name", "ms", "volts", "uj"), PUBLISHED)
def test_published_energies_lie_in_the_interval(name, ms, volts, uj):
    estimate = model.estimate(boards.load(name), ms * 1000, rest=f"?volts={volts}")
    assert estimate.interval.low <= uj * 1e-6 <= estimate.interval.high
    assert estimate.joules == pytest.approx(uj * 1e-6, rel=0.35)


def test_the_joules_of_a_known_case():
    """10 ms at 120 MHz and 203 uA/MHz: 24.36 mA at 3.0 V."""
    estimate = model.estimate(boards.load("nucleo-l4r5zi"), 10_000)
    assert estimate.joules == pytest.approx(24.36e-3 * 3.0 * 10e-3)
    assert "STM32L4R5" in estimate.source
    assert "MLPerf" in estimate.source


def test_instructions_of_an_emulator_become_cycles():
    board = boards.load("qemu-an386")
    estimate = model.estimate(board, us=0.0, instructions=1e6)
    assert estimate.joules == pytest.approx(1.2e6 * 203e-12 * 3.0)
    assert model.estimate(board, us=1e6 * 64 / 1000).joules == pytest.approx(estimate.joules)  # 2^6 ns each


def test_time_without_instructions_is_no_basis():
    board = replace(boards.load("qemu-an386"), icount_shift=-1)
    with pytest.raises(ConfigError, match="count instructions"):
        model.estimate(board, us=1000.0)


@given(st.floats(1, 1e7), st.floats(0.5, 5.0), st.sampled_from(WITH_A_CORE))
def test_it_scales_with_time_and_voltage(us, volts, name):
    board = boards.load(name)
    once = model.estimate(board, us, rest="?volts=1.0")
    more = model.estimate(board, 2 * us, rest=f"?volts={volts!r}")
    assert more.joules == pytest.approx(2 * volts * once.joules)
    assert once.interval.low <= once.joules <= once.interval.high


@pytest.mark.parametrize("rest", ["stm32", "?volts=0", "?watts=1"])
def test_options_that_are_refused(rest):
    with pytest.raises(ConfigError):
        model.estimate(boards.load("nucleo-l4r5zi"), 1.0, rest=rest)


def test_the_url_finds_it():
    module, rest = load("model:?volts=1.8")
    assert (module, rest) == (model, "?volts=1.8")
