"""Metered energies against the board's data sheet: what it can be, what it cannot, and boards without one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekws.errors import ConfigError
from edgekws.graph import io
from firmware_io import board as boards
from firmware_io.bench import plausible
from firmware_io.energy.windows import EnergyWindow
from tests.firmware_io.bench.test_verdict import energy, judge

NUCLEO, MSPM0 = boards.load("nucleo-l4r5zi"), boards.load("lp-mspm0g5187")


@pytest.fixture
def dscnn():
    """The network of the released model, 2.66 million multiplications."""
    return io.load(Path(__file__).parents[3] / "models" / "dscnn" / "graph.npz")


def drawing(milliamperes, volts=3.0, rest=1.0, known=True):
    """An energy of windows with this current."""
    joules = 1e-3 * milliamperes * volts * 10.5
    window = EnergyWindow(1000, 10.5, joules, 1e-3 * rest * volts, 1e3 * joules, 1e3 * joules)
    return replace(energy(), windows=(window,) * 5, volts=volts if known else None)


@pytest.mark.parametrize("board", [NUCLEO, MSPM0])
def test_what_was_published_for_a_board_is_accepted(board):
    low, high = board.active_current_ma
    for milliamperes in (low, high, low / 2.9, high * 2.9):
        for volts in board.supply_v:
            assert list(plausible.reasons(board, drawing(milliamperes, volts))) == []
            assert list(plausible.reasons(board, drawing(milliamperes, volts, known=False))) == []
    assert list(plausible.warnings(board, drawing(low))) == []


@pytest.mark.parametrize(("board", "milliamperes"), [(NUCLEO, 14.0), (MSPM0, 9.0)])
@pytest.mark.parametrize("factor", [1e6, 1e3, 1e-3])
@pytest.mark.parametrize("known", [True, False])
def test_a_wrong_unit_is_a_reason_in_numbers(board, milliamperes, factor, known):
    (reason, *rest) = plausible.reasons(board, drawing(milliamperes * factor, known=known))
    low, high = board.active_current_ma
    assert rest == [] and "in the windows" in reason and f"the board draws {low:g} to {high:g} mA" in reason
    assert f"{1e3 * 1e-3 * milliamperes * factor * 3.0:.4g} mW" in reason and "check the units" in reason
    assert (f"is {milliamperes * factor:.4g} mA" in reason) == known


def test_the_report_of_a_wrong_unit_is_not_valid():
    (reason,), _ = judge(energy=drawing(14_000.0))
    assert reason.startswith(
        "the mean current in the windows is 1.4e+04 mA (4.2e+04 mW), but the board draws 11 to 30.7"
    )


@pytest.mark.parametrize(
    ("volts", "right"), [(1.71, True), (1.63, True), (3.6, True), (3.77, True), (1.6, False), (5.0, False)]
)
def test_the_supply_of_the_data_sheet(volts, right):
    given = list(plausible.reasons(NUCLEO, drawing(14.0, volts)))
    assert given == (
        [] if right else [f"the supply is {volts:g} V, but the data sheet of the board allows 1.71 to 3.6 V"]
    )


def test_rest_takes_no_more_than_the_windows_and_not_less_than_nothing():
    (reason,) = plausible.reasons(NUCLEO, drawing(14.0, rest=100.0))
    assert "the mean current at rest is 100 mA" in reason and "accepted are 92.1 mA at most" in reason
    (reason,) = plausible.reasons(NUCLEO, drawing(14.0, rest=-2.0))
    assert reason.startswith("the power at rest is -6 mW, below zero")
    assert list(plausible.reasons(NUCLEO, drawing(14.0, rest=-0.01))) == []  # the offset of a meter


def test_a_board_without_a_data_sheet_warns_only():
    bare = replace(NUCLEO, supply_v=(), active_current_ma=())
    assert list(plausible.reasons(bare, drawing(14e6))) == []
    (warning,) = plausible.warnings(bare, drawing(14e6))
    assert warning.startswith("the file of the board nucleo-l4r5zi has no supply_v and no active_current_ma")
    (warning,) = plausible.warnings(replace(NUCLEO, supply_v=()), drawing(14.0))
    assert "has no supply_v:" in warning
    assert list(plausible.reasons(replace(NUCLEO, supply_v=()), drawing(14e6, known=False))) == []


@pytest.mark.parametrize("how", ["emulated", "estimated"])
def test_only_measured_energies_are_compared(how):
    section = replace(drawing(14e6), how=how)
    assert list(plausible.reasons(NUCLEO, section)) == list(plausible.warnings(boards.load("host"), section)) == []


@pytest.mark.parametrize(
    "value", ["3.3", "[3.3]", "[3.6, 1.7]", "[0, 1]", '["a", "b"]', "[1, 2, 3]", "[1.7, inf]", "[true, 2]"]
)
def test_a_malformed_range_is_refused(tmp_path, value):
    host = Path(boards.__file__).parent / "boards" / "host.toml"
    (tmp_path / "mine.toml").write_text(f"{host.read_text()}\nsupply_v = {value}\n")
    with pytest.raises(ConfigError, match="supply_v should be a list of two positive numbers"):
        boards.read(tmp_path / "mine.toml")


def lasting(seconds_each, iterations=1000):
    """An energy of windows with inferences of this duration."""
    window = EnergyWindow(iterations, seconds_each * iterations, 0.4, 0.003, 400.0, 300.0)
    return replace(energy(), windows=(window,) * 5)


@pytest.mark.parametrize("seconds_each", [0.0072, 0.0434, 0.18192, 1.0])
def test_published_durations_of_an_inference_are_accepted(dscnn, seconds_each):
    """MLPerf Tiny on this board: 43.4 ms by X-CUBE-AI, 181.9 ms by the reference."""
    assert list(plausible.time_reasons(NUCLEO, dscnn, lasting(seconds_each))) == []


@pytest.mark.parametrize(
    ("seconds_each", "cycles", "times"), [(52.174e-6, "6,261", "411.8 times fewer"), (52.0, "6.24e+09", "2,420 times")]
)
def test_too_few_or_too_many_cycles_are_a_reason_in_numbers(dscnn, seconds_each, cycles, times):
    """230,000 inferences in a window of 230, and milliseconds that are taken for seconds."""
    (reason,) = plausible.time_reasons(NUCLEO, dscnn, lasting(seconds_each))
    assert f"{cycles} cycles at 120 MHz" in reason and times in reason
    assert "2,656,768 multiplications" in reason and "2,578,019" in reason
    assert "check --iterations and the unit of the time" in reason


def test_one_window_of_other_inferences_is_enough(dscnn):
    section = lasting(0.05)
    windows = (*section.windows[:4], replace(section.windows[4], iterations=10_000_000))
    assert len(list(plausible.time_reasons(NUCLEO, dscnn, replace(section, windows=windows)))) == 1


def test_an_npu_on_the_chip_may_be_as_fast_as_its_peak(dscnn):
    """16 multiplications a cycle, by the data sheet; edgekws' own firmware does not use it."""
    assert list(plausible.time_reasons(MSPM0, dscnn, lasting(0.0021))) == []
    (reason,) = plausible.time_reasons(MSPM0, dscnn, lasting(0.0020))
    assert "fewer" in reason


@pytest.mark.parametrize(
    ("seconds_each", "refused"), [(52.174e-6, True), (90e-6, False), (0.05, False), (6.5, False), (52.0, True)]
)
def test_a_core_without_a_cost_model_is_held_against_multiplications(dscnn, seconds_each, refused):
    board = replace(NUCLEO, cpu="")
    reasons = list(plausible.time_reasons(board, dscnn, lasting(seconds_each)))
    assert bool(reasons) is refused
    assert all("2,656,768 multiplications" in reason for reason in reasons)


def test_without_a_clock_nothing_is_compared_and_a_warning_says_so(dscnn):
    board = replace(NUCLEO, clock_hz=0)
    assert list(plausible.time_reasons(board, dscnn, lasting(52.0))) == []
    (warning,) = plausible.warnings(board, lasting(52.0))
    assert "has no clock_hz" in warning


@pytest.mark.parametrize("how", ["emulated", "estimated"])
def test_durations_of_other_energies_are_not_compared(dscnn, how):
    assert list(plausible.time_reasons(NUCLEO, dscnn, replace(lasting(52.0), how=how))) == []


@pytest.mark.parametrize("above", [-782.6, 0.0])
def test_an_energy_above_idle_of_nothing_is_not_valid(above):
    (reason,) = judge(energy=energy(uj_per_inference_above_idle=above))[0]
    assert reason.startswith(f"the energy above idle is {above:.4g} uJ per inference, which should be above 0")
    reasons, warnings = judge("qemu-an386", energy=energy(uj_per_inference_above_idle=above, how="emulated"))
    assert reasons == () and any("no more power" in warning for warning in warnings)
