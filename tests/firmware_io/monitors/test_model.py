"""The model of energy: published devices lie in its interval, it scales as it must, an estimate names its chip."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws.errors import ConfigError
from firmware_io import board as boards
from firmware_io.monitors import load, model

WITHOUT_A_CHIP = ("host", "qemu-an385", "qemu-an547", "qemu-riscv32")
WITH_A_CHIP = [name for name in boards.names() if name not in WITHOUT_A_CHIP]


@pytest.mark.parametrize("name", WITH_A_CHIP)
def test_a_boards_constants_have_a_source(name):
    constants = model.load(boards.load(name))
    for bounds in (constants.active_ua_per_mhz, constants.cycles):
        assert 0 < bounds.lowest <= bounds.typical <= bounds.highest
    assert constants.source


@pytest.mark.parametrize("name", WITHOUT_A_CHIP)
def test_a_core_without_a_chip_of_its_own_is_refused(name):
    """The current of an STM32L4R5 says nothing about a RISC-V core, a Cortex-M3 or a Cortex-M55."""
    board = boards.load(name)
    with pytest.raises(
        ConfigError, match=rf"a chip with the core of {name} .*the core {board.core}; there is a chip for"
    ):
        model.estimate(board, 1000.0, 1000.0)


@pytest.mark.parametrize(
    ("name", "rest", "chip"),
    [
        ("qemu-an386", "", "STM32L4R5 at 120 MHz and 3 V"),
        ("qemu-an386", "?volts=1.8", "STM32L4R5 at 120 MHz and 1.8 V"),
        ("qemu-an385-v6m", "", "MSPM0G5187 at 80 MHz and 3.3 V"),
        ("qemu-an500", "", "STM32H7A3 at 280 MHz and 3 V"),
        ("nucleo-l4r5zi", "", "STM32L4R5 at 120 MHz and 3 V"),
    ],
)
def test_an_estimate_names_its_chip_clock_and_supply(name, rest, chip):
    assert model.estimate(boards.load(name), 1000.0, 1000.0, rest).chip == chip


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


@given(st.floats(1, 1e7), st.floats(0.5, 5.0), st.sampled_from(WITH_A_CHIP))
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
