"""The verdict: each of its limits, from both sides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_io import board as boards
from firmware_io.bench import verdict
from firmware_io.bench.build_check import BuildCheck
from firmware_io.bench.modes import Plan
from firmware_io.bench.modes.accuracy import Accuracy, Mismatch
from firmware_io.bench.modes.energy import Energy
from firmware_io.bench.modes.performance import Performance
from firmware_io.bench.run import BenchRun
from firmware_io.energy.windows import EnergyWindow
from firmware_io.protocol.session import Identity, Transfers

NUCLEO, QEMU, HOST = "nucleo-l4r5zi", "qemu-an386", "host"
IDENTITY = Identity("somebody", "a profile", "kws01")


def performance(latencies_us=(2000.0,) * 5, seconds=10.5, host_factor=1.0, **more):
    windows_s = tuple(seconds * latency / latencies_us[0] for latency in latencies_us)
    n = round(seconds * 1e6 / latencies_us[0])
    starts = [round(sum(windows_s[:at]) * 1e6) + at * 1000 for at in range(len(windows_s))]
    section = Performance(
        clock="the clock of the board",
        iterations=(n,) * len(windows_s),
        windows_s=windows_s,
        latencies_us=tuple(latencies_us),
        latency_us=sorted(latencies_us)[len(latencies_us) // 2],
        inferences_per_s=500.0,
        spread=0.0,
        drift=latencies_us[-1] / latencies_us[0] - 1,
        instructions=None,
        host_s=tuple(host_factor * window * (1 + 1 / n) for window in windows_s),
        clock_us=tuple((start, start + round(s * 1e6)) for start, s in zip(starts, windows_s, strict=True)),
        wrong=(),
        layers_us=(),
    )
    return replace(section, **more)


def energy(uj=(441.0,) * 5, seconds=10.5, **more):
    """14 mA at 3 V in the windows, as this board draws."""
    windows = tuple(EnergyWindow(1000, seconds, 1e-6 * value * 1000, 0.001, value, value - 1) for value in uj)
    middle = sorted(uj)[len(uj) // 2]
    section = Energy(
        meter="a meter",
        how="measured",
        rate_hz=1000.0,
        volts=3.0,
        dropped=0,
        windows=windows,
        uj_per_inference=middle,
        uj_per_inference_above_idle=middle - 1,
        interval=None,
        spread=(max(uj) - min(uj)) / middle,
        source="",
        trace=None,
        peak_a=0.02,
        limit_a=0.05,
    )
    return replace(section, **more)


def judge(board=NUCLEO, plan=None, **sections):
    modes = tuple(sorted(set(sections) & {"performance", "energy"}))
    sections.setdefault("identity", IDENTITY)
    run = BenchRun(boards.load(board), "graph", "0" * 64, ("yes",), modes, **sections)
    plan = plan or Plan(modes)
    return verdict.reasons(run, plan), verdict.warnings(run, plan)


def test_good_windows_give_neither_reasons_nor_warnings():
    assert judge(performance=performance(), energy=energy()) == ((), ())


@pytest.mark.parametrize(("last_us", "warned"), [(2019.0, False), (2021.0, True), (1979.0, True)])
def test_drift_over_one_percent_warns(last_us, warned):
    reasons, warnings = judge(performance=performance((2000, 2000, 2000, 2000, last_us)))
    assert reasons == () and any("drift" in warning for warning in warnings) == warned


@pytest.mark.parametrize(
    ("latencies_us", "throttled"),
    [
        ((2000, 2000, 2050, 2110, 2120), True),
        ((2000, 2000, 2050, 2080, 2090), False),  # less than 5 %
        ((2000, 2200, 2050, 2110, 2120), False),  # not for good: the second was slower than the last
        ((2000, 2000, 2000, 2000, 2400), False),  # one window: drift warns
        ((2000, 2500), False),  # too few to tell
    ],
)
def test_throttling_is_a_lasting_slowdown(latencies_us, throttled):
    reasons, _ = judge(performance=performance(latencies_us))
    assert any("throttling" in reason for reason in reasons) == throttled


def test_throttling_of_this_computer_warns_only():
    reasons, warnings = judge(HOST, performance=performance((2000, 2000, 2050, 2110, 2120)))
    assert reasons == () and any("this computer got" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("factor", "warned", "invalid"),
    [
        (1.0, False, False),
        (1.009, False, False),
        (1.025, False, False),  # 0.26 s of 10.76, of which 0.1 are the line's
        (1.04, True, False),
        (1.08, False, True),
        (0.97, True, False),
        (0.5, False, True),
    ],
)
def test_the_device_clock_is_compared_with_the_host_clock(factor, warned, invalid):
    reasons, warnings = judge(performance=performance(host_factor=factor))
    assert any("from this computer's, and" in warning for warning in warnings) == warned
    assert any("from this computer's:" in reason for reason in reasons) == invalid


def test_a_window_longer_than_its_whole_command_is_a_clock_that_jumped():
    section = performance()
    slow = tuple(host_s + 4.0 * (number == 2) for number, host_s in enumerate(section.host_s))
    assert judge(performance=replace(section, host_s=slow)) == ((), ())  # a busy computer, once
    fast = tuple(host_s * (0.8 if number == 2 else 1) for number, host_s in enumerate(section.host_s))
    (reason,), _ = judge(performance=replace(section, host_s=fast))
    assert reason.startswith("window 3: 10.500 s on the device's clock, but all of it took 8.4")
    assert judge(QEMU, performance=replace(section, host_s=fast))[0] == ()


def test_windows_that_differ_warn():
    assert judge(performance=performance(spread=0.049)) == ((), ())
    _, (warning,) = judge(performance=performance(spread=0.06))
    assert warning == "the latency of the windows differs by 6.0 % of its median"


def test_the_windows_of_an_emulated_board_are_instructions():
    reasons, warnings = judge(QEMU, performance=performance((2000, 2000, 2050, 2110, 2120), spread=0.06))
    text = "; ".join((*reasons, *warnings))
    assert "took 5.8 % more instructions" in text and "the last window's number of instr" in text
    assert "the number of instructions of the windows differs by 6.0 %" in text
    assert "latency" not in text and "slower" not in text and "throttling" not in text
    (reason, *_), _ = judge(QEMU, performance=performance(seconds=9.9))
    assert reason == "window 1: 9.900 s on the emulator's clock, shorter than 10 s"


def test_virtual_time_and_replayed_traffic_have_no_host_clock():
    assert judge(QEMU, performance=performance(host_factor=7))[0] == ()
    assert judge(performance=performance(host_s=None)) == ((), ())


def test_short_windows_wrong_answers_and_missing_sections_are_reasons():
    (reason, *_), _ = judge(performance=performance(seconds=9.9))
    assert reason == "window 1: 9.900 s, shorter than 10 s"
    (reason,), _ = judge(performance=performance(wrong=("clip7",)))
    assert "clip7 differs from the interpreter" in reason
    assert judge(performance=None)[0] == ("performance mode: no usable window",)


def test_a_clock_that_goes_back_between_windows_is_a_reason():
    clock = ((0, 10_500_000), (5, 10_500_005), *performance().clock_us[2:])
    (reason,), _ = judge(performance=performance(clock_us=clock))
    assert reason.startswith("window 2: the device's clock runs backwards")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"dropped": 3}, "lost 3 samples"),
        ({"peak_a": 0.051}, "reached 51.0 mA; the meter's limit is 50 mA"),
        ({"uj_per_inference": -1.0}, "terminals may be swapped"),
        ({"uj_per_inference": float("nan")}, "is not positive"),
        ({"faults": ("window 2: 1 edges",)}, "window 2: 1 edges"),
        ({"wrong": ("clip3",)}, "clip3 differs"),
    ],
)
def test_reasons_against_an_energy(change, reason):
    reasons, _ = judge(energy=energy(**change))
    assert len(reasons) == 1 and reason in reasons[0]


@pytest.mark.parametrize(
    ("spread", "invalid", "warned"),
    [(0.05, False, False), (0.051, False, True), (0.3, False, True), (0.31, True, False)],
)
def test_a_spread_of_the_windows_warns_above_5_percent_and_invalidates_above_30(spread, invalid, warned):
    text = f"of the windows differs by {100 * spread:.1f} % of its median"
    for board, sections, what in [
        (NUCLEO, {"energy": energy(spread=spread)}, "the energy "),
        (NUCLEO, {"performance": performance(spread=spread)}, "the latency "),
        (QEMU, {"performance": performance(spread=spread)}, "the number of instructions "),
    ]:
        reasons, warnings = judge(board, **sections)
        assert (what + text in reasons, what + text in warnings) == (invalid, warned)


def test_the_latency_of_this_computer_only_warns():
    reasons, warnings = judge(QEMU, energy=energy(spread=0.9, how="emulated"))
    assert not any("differs by" in reason for reason in reasons)
    assert "the energy of the windows differs by 90.0 % of its median" in warnings
    reasons, warnings = judge(HOST, performance=performance(spread=0.9))
    assert reasons == () and "the latency of the windows differs by 90.0 % of its median" in warnings


def test_short_energy_windows_are_reasons():
    reasons, _ = judge(energy=energy(seconds=9.0))
    assert len(reasons) == 5 and reasons[0] == "energy window 1: 9.000 s, shorter than 10 s"


@pytest.mark.parametrize(
    ("host_s", "reason"),
    [
        ((10.9,) * 5, ""),
        ((12.0,) * 5, ""),  # the text around a window, at 9600 baud
        ((10.9, 10.9, 10.9, 30.0, 30.0), ""),  # a busy computer
        ((12.3,) * 5, "the meter's clock counts 6.4 % less"),
        ((10.9, 9.0, 10.9, 10.9, 10.9), "energy window 2: 10.500 s on the meter's clock, but all of it took 9.000 s"),
    ],
)
def test_the_meter_clock_is_compared_with_the_host_clock(host_s, reason):
    reasons, _ = judge(energy=energy(host_s=host_s))
    assert len(reasons) == bool(reason) and reason in "".join(reasons)


def test_edges_of_an_emulated_board_may_be_late():
    assert judge(energy=energy(host_s=(9.2,) * 5, how="emulated"))[0] == ()
    assert len(judge(energy=energy(host_s=(9.0,) * 5, how="emulated"))[0]) == 5


def test_unusable_windows_are_a_reason():
    (reason,), _ = judge(energy=energy(uj=(441.0,) * 4))
    assert reason.startswith("energy: only 4 of 5 windows are usable")
    assert judge(energy=energy(uj=(441.0,) * 4), identity=None)[0] == ()  # a trace of somebody else


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ({"uj_per_inference_above_idle": None}, "the idle power is not known"),
        ({"spread": 0.06}, "differs by 6.0 % of its median"),
        ({"volts": None}, "voltage is not known"),
        ({"how": "emulated"}, "emulated board"),
    ],
)
def test_warnings_about_an_energy(change, warning):
    reasons, warnings = judge(energy=energy(**change))
    assert reasons == () and len(warnings) == 1 and warning in warnings[0]


def test_an_estimate_is_labelled():
    section = energy(how="estimated", windows=(), source="DS12023 table 30", uj_per_inference_above_idle=None)
    reasons, warnings = judge(energy=section)
    assert reasons == () and warnings == ("the energy is estimated, not measured; constants: DS12023 table 30",)


def accuracy(n=10, matches=10, text_matches=10, compared="scores", resent=0):
    wrong = tuple(Mismatch(f"clip{at}", compared, (1,), (2,)) for at in range(n - matches))
    return Accuracy("set", n, compared, matches, text_matches, wrong, resent, 1.0, None, (), (), None)


@pytest.mark.parametrize(
    ("section", "reasons"),
    [
        (accuracy(), []),
        (accuracy(matches=9), ["differ on 1 of 10 clips, first clip0"]),
        (accuracy(matches=5), ["differ on 5 of 10 clips, first clip0, clip1, clip2"]),
        (accuracy(matches=4), ["differ on 6 of 10 clips, first clip0, clip1, clip2; it appears to hold another model"]),
        (accuracy(text_matches=8), ["the printed probabilities are wrong on 2 of 10 clips"]),
        (accuracy(matches=8, text_matches=8, compared="permille"), ["differ on 2 of 10 clips, first clip0, clip1"]),
    ],
)
def test_answers_that_differ_are_reasons(section, reasons):
    reported, _ = judge(accuracy=section)
    assert len(reported) == len(reasons)
    assert all(text.endswith(expected) for text, expected in zip(reported, reasons, strict=True))


def test_warnings_about_an_accuracy():
    assert judge(accuracy=accuracy())[1] == ()
    assert "no `raw`" in judge(accuracy=accuracy(compared="permille"))[1][0]
    assert judge(accuracy=accuracy(resent=2))[1] == ("2 inputs were sent again: bytes were lost on the wire",)


@pytest.mark.parametrize(
    ("plan", "windows", "warned"),
    [
        (Plan(("energy",)), 5, False),
        (Plan(("energy",), window_s=9.0), 5, True),
        (Plan(("energy",), windows=4), 4, True),
    ],
)
@pytest.mark.parametrize("identity", [IDENTITY, None])
def test_fewer_or_shorter_windows_than_the_benchmark_requires_warn(plan, windows, warned, identity):
    _, warnings = judge(plan=plan, energy=energy(uj=(441.0,) * windows), identity=identity)
    expected = f"{windows} windows of {plan.window_s:g} s: fewer or shorter"
    unproven = ["a recorded trace: it is not proven that the board ran this graph, or this number of inferences"]
    assert list(warnings[: identity is None]) == unproven[: identity is None]
    assert [text.startswith(expected) for text in warnings[identity is None :]] == [True] * warned
    _, warnings = judge(plan=replace(plan, modes=("performance",)), performance=performance())
    assert bool(warnings) == warned


def test_rest_shorter_than_a_second_warns():
    assert judge(plan=Plan(("energy",), idle_s=1.0), energy=energy())[1] == ()
    (warning,) = judge(plan=Plan(("energy",), idle_s=0.5), energy=energy())[1]
    assert warning == "the idle power was measured over 0.5 s, less than 1 s"


def test_warnings_that_depend_on_the_kind_of_board():
    assert judge(QEMU, performance=performance())[1] == ()
    assert judge(HOST, performance=performance())[1] == ("the times are this computer's and say nothing about a board",)


def test_a_firmware_without_a_build_id_warns():
    for board in (NUCLEO, QEMU):
        (warning,) = judge(board, performance=performance(), build=BuildCheck("unverified", "", "a" * 32))[1]
        assert warning.startswith("build unverified: the device reports no build id, so no flash, RAM and hash")
    proven = BuildCheck("verified", "a" * 32, "a" * 32)
    assert judge(NUCLEO, performance=performance(), build=proven)[1] == ()


def test_few_iterations_count_their_warm_up():
    """Windows of two inferences: a third of the host's time is the warm-up's."""
    section = performance(latencies_us=(5_250_000.0,) * 5)
    assert section.iterations == (2,) * 5 and judge(performance=section) == ((), ())


def test_retries_and_other_models_are_warnings():
    _, warnings = judge(performance=performance(), transfers=Transfers(True, 900, 4))
    assert warnings == ("4 of 900 commands were retried: bytes were lost on the wire",)
    _, warnings = judge(performance=performance(), identity=replace(IDENTITY, model="mine"))
    assert "reports the model mine" in warnings[0]


def test_an_aborted_run_is_never_valid():
    (reason,), _ = judge(performance=performance(), cause=KeyboardInterrupt())
    assert reason == "the run was aborted: stopped by the user before the end"
