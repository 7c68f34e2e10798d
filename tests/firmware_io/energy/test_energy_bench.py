"""Energy mode: a board whose joules are known, through a virtual LPM01A in real time."""

from __future__ import annotations

import json
from statistics import median

import numpy as np
import pytest

from edgekws.errors import BoardError, ConfigError
from edgekws.graph import interp
from edgekws.report.document import checked
from firmware_io import board as boards
from firmware_io.bench import Plan, Vectors, bench
from firmware_io.energy.meter import Meter
from firmware_io.protocol.session import Session
from tests.firmware_io.devices.energy_rig import ACTIVE_WATTS, IDLE_WATTS, Faults, MeterFaults, rig

PLAN = Plan(("energy",), window_s=0.2, windows=2, idle_s=0.1)


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr("firmware_io.bench.modes.energy._CALIBRATION_S", 0.1)
    monkeypatch.setattr("firmware_io.bench.modes.energy._EDGE_TIMEOUT_S", 1.5)
    monkeypatch.setattr("firmware_io.energy.recorder._LAST_S", 0.1)


@pytest.fixture
def vectors(graph, random_features):
    features = random_features(4)
    labels = interp.run(graph, features).argmax(axis=1)
    return Vectors("dev split", tuple(f"clip{i}" for i in range(4)), features, labels)


@pytest.fixture
def measure(graph, vectors, tmp_path):
    """Run energy mode on a rig; give (run, board, instrument)."""

    def measured(plan=PLAN, meter_faults=None, rate_hz=10_000, board="qemu-an386", volts=3.0, **faults):
        with rig(graph, meter_faults, rate_hz, **faults) as (device, instrument, url, transport):
            meter = Meter(url, tmp_path, volts)
            run = bench(Session(transport), boards.load(board), graph, vectors, plan, meter=meter)
            return run, device, instrument

    return measured


def test_the_joules_of_an_inference_with_and_without_rest(measure):
    run, device, _ = measure(board="nucleo-l4r5zi")
    energy = run.energy
    assert run.valid, run.reasons
    assert (energy.how, energy.meter, energy.volts, energy.rate_hz) == ("measured", "ST X-NUCLEO-LPM01A", 3.0, 10_000)
    for window in energy.windows:
        assert window.seconds >= PLAN.window_s and window.iterations > 100
        assert window.joules == pytest.approx(ACTIVE_WATTS * window.seconds, rel=1e-3)
        assert window.idle_watts == pytest.approx(IDLE_WATTS, rel=1e-3)
        above = (ACTIVE_WATTS - IDLE_WATTS) * window.seconds * 1e6 / window.iterations
        assert window.uj_per_inference_above_idle == pytest.approx(above, rel=2e-3)
    assert energy.uj_per_inference == median(window.uj_per_inference for window in energy.windows)
    assert device.powered[-1] == 0 and 3.0 in device.powered


def test_the_order_of_the_instrument_and_the_document(measure, tmp_path):
    run, _, instrument = measure()
    expected = ["pwr on nostatus", "start", "stop", "pwr off"]
    order = [command for command in instrument.commands if command in expected]
    assert order[order.index("pwr on nostatus") :][:4] == expected
    document = checked(run.to_json(), "the bench")
    assert document["modes"] == ["energy"] and document["performance"] is None
    assert document["energy"]["how"] == "emulated" and len(document["energy"]["windows"]) == 2
    pairs = zip(document["energy"]["windows"], document["energy"]["host_s"], strict=True)
    assert all(0 < window["seconds"] <= host_s + 0.01 for window, host_s in pairs)
    assert len(document["energy"]["trace"]["edges_s"]) == 1 + 2 * 2
    assert 0 < len(document["energy"]["trace"]["watts"]) <= 4000
    assert document["transfers"]["checked"] is True
    names = [figure.name for figure in run.measurements()]
    assert names[:2] == ["energy per inference", "energy per inference, above idle"]
    sidecar = json.loads((tmp_path / "energy.json").read_text())
    joules = np.fromfile(tmp_path / "energy.f32", "<f4")
    assert (sidecar["kind"], sidecar["version"]) == ("edgekws-energy-trace", 1)
    assert sidecar["complete"] and sidecar["samples"] == len(joules) and len(sidecar["edges"]) == 5
    first, last = sidecar["edges"][1:3]
    assert joules[first:last].sum(dtype=np.float64) == pytest.approx(run.energy.windows[0].joules, rel=1e-6)


def test_a_session_has_the_samples_and_the_answer_of_each_window(measure):
    """The runner's arithmetic on them: joules per millisecond between the edges, by the inferences."""
    run, _, _ = measure()
    document = run.submission()
    assert "samples" not in run.to_json() and len(document["samples"]) == len(document["window_answers"]["energy"]) == 2
    for window, samples, answer in zip(
        run.energy.windows, document["samples"], document["window_answers"]["energy"], strict=True
    ):
        first, last = samples["edges"]
        joules = sum(samples["joules"][first:last])
        assert 1e6 * joules / window.iterations == pytest.approx(window.uj_per_inference, rel=1e-3 / window.seconds)
        assert (last - first) / 1000 == pytest.approx(window.seconds, abs=1e-3)
        assert len(answer["permille"]) == 12 and answer["equal"]


def test_a_lost_edge_is_a_reason_and_the_other_windows_are_kept(measure):
    run, _, _ = measure(mute=(1,))
    assert not run.valid and "window 1: 1 edges of the timestamp pin instead of 2" in run.reasons
    assert len(run.energy.windows) == 1


def test_a_duplicate_edge_in_place_of_a_lost_one_does_not_make_a_window_of_hours(measure):
    run, device, _ = measure(echo=(1,), mute=(2,))
    assert run.valid and len(device.busy) < 20 and max(end - begin for begin, end in device.busy) < 5


def test_an_edge_too_many_is_a_reason(measure):
    run, _, _ = measure(echo=(4,))
    assert not run.valid and run.reasons[0].startswith("window 2: 3 edges")


@pytest.mark.parametrize("damage", ["garble", "deafen"])
def test_a_run_that_was_repeated_counts_with_its_last_two_edges(measure, damage):
    """The answer (its edges came) or the command (no edges) is damaged: `timestamp`, then the second window's."""
    run, _, _ = measure(**{damage: {"timestamp": 1, "infer": 2}})
    assert run.valid, run.reasons
    assert run.transfers.repeated == 2 and len(run.energy.trace.edges_s) == 5
    for window in run.energy.windows:  # a stalled computer sees an edge late; between runs the power is far lower
        assert window.joules == pytest.approx(ACTIVE_WATTS * window.seconds, rel=3e-2)


def test_an_edge_that_was_lost_in_a_repeated_run_is_a_reason(measure):
    """Three edges of two runs: which two are those of the run that counts is not known."""
    run, _, _ = measure(mute=(3,), garble={"infer": 2})
    assert "window 2: 3 edges of the timestamp pin instead of 2" in run.reasons and len(run.energy.windows) == 1


def test_a_pin_that_is_not_wired_stops_at_once(measure):
    with pytest.raises(BoardError, match=r"timestamp pin should fall.*wire"):
        measure(mute=range(1000))


def test_firmware_of_performance_mode_is_refused(graph, vectors, tmp_path):
    with rig(graph) as (device, _, url, transport):
        device.energy = False
        with pytest.raises(BoardError, match=r"energy mode.*edgekws flash --board host --energy"):
            bench(Session(transport), boards.load("host"), graph, vectors, PLAN, meter=Meter(url, tmp_path, 3.0))
        assert device.powered[-1] == 0


def test_firmware_of_energy_mode_reports_no_times(graph, vectors):
    with rig(graph) as (_, _, _, transport), pytest.raises(BoardError, match="performance mode"):
        bench(Session(transport), boards.load("host"), graph, vectors, Plan(("performance",)))


def test_accuracy_and_energy_share_a_firmware(measure):
    run, _, _ = measure(Plan(("accuracy", "energy"), window_s=0.2, windows=1, idle_s=0.1))
    assert run.valid and run.accuracy.matches == 4 and len(run.energy.windows) == 1


def test_an_unplugged_meter_keeps_the_windows_before(measure, tmp_path):
    plan = Plan(("accuracy", "energy"), window_s=0.3, windows=5, idle_s=0.1)
    run, _, _ = measure(plan, MeterFaults(unplug_after_edges=6))  # within the third window, however slow this computer
    assert not run.valid and isinstance(run.cause, BoardError) and run.incomplete in run.reasons[0]
    assert run.accuracy.matches == 4 and len(run.energy.windows) == 2
    sidecar = json.loads((tmp_path / "energy.json").read_text())
    assert not sidecar["complete"] and sidecar["samples"] > 0


@pytest.mark.parametrize(
    "fault",
    [
        "drop_sample_at",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("drop_byte_at", "garbage_at")),
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("overcurrent_at", "overflow_at")),
    ],
)
def test_a_meter_that_loses_samples_never_makes_a_valid_run(measure, fault):
    plan = Plan(("energy",), window_s=0.2, windows=5, idle_s=0.1)
    run, _, _ = measure(plan, MeterFaults(**{fault: 15_000}))
    assert not run.valid and isinstance(run.cause, BoardError)
    for window in run.energy.windows:
        assert window.joules == pytest.approx(ACTIVE_WATTS * window.seconds, rel=2e-3)


def test_ctrl_c_keeps_the_windows_before_and_switches_the_board_off(graph, vectors, tmp_path):
    def interrupt(mode, done, total):
        if done == 1:
            raise KeyboardInterrupt

    with rig(graph) as (device, _, url, transport):
        meter, board = Meter(url, tmp_path, 3.0), boards.load("qemu-an386")
        run = bench(Session(transport), board, graph, vectors, PLAN, progress=interrupt, meter=meter)
    assert isinstance(run.cause, KeyboardInterrupt) and len(run.energy.windows) == 1
    assert device.powered[-1] == 0 and json.loads((tmp_path / "energy.json").read_text())["complete"]


def test_a_silent_board_keeps_the_windows_before_and_is_switched_off(graph, vectors, tmp_path):
    with rig(graph, silent_after=5) as (device, _, url, transport):
        plan = Plan(("energy",), window_s=0.2, windows=5, idle_s=0.1)
        run = bench(Session(transport), boards.load("host"), graph, vectors, plan, meter=Meter(url, tmp_path, 3.0))
    assert isinstance(run.cause, BoardError) and not run.valid and len(run.energy.windows) == 2
    assert device.powered[-1] == 0


def test_answers_that_differ_make_it_invalid(measure):
    with pytest.raises(BoardError, match="another model"):
        measure(faults=Faults(wrong_score_at=0))
    run, _, _ = measure(faults=Faults(wrong_text_at=6))
    assert run.energy.wrong and any("differs from the interpreter" in reason for reason in run.reasons)


def test_runs_that_cannot_be_measured_are_refused_before_anything_is_touched(graph, vectors, tmp_path):
    session = Session(None)

    def refused(plan, meter, message):
        with pytest.raises(ConfigError, match=message):
            bench(session, boards.load("host"), graph, vectors, plan, meter=meter)

    refused(PLAN, None, "needs a meter")
    refused(PLAN, Meter("lpm01a:/nowhere", tmp_path), "needs a voltage")
    refused(PLAN, Meter("voltmeter:/nowhere", tmp_path), "--meter voltmeter is not known")
    both = Plan(("performance", "energy"))
    refused(both, Meter("lpm01a:/nowhere", tmp_path, 3.0), "performance mode or in energy mode")
