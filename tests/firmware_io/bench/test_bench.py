"""The bench against a device with faults, over memory, a pty and recorded traffic."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgekws.emit import c
from edgekws.errors import BoardError, ConfigError, ProtocolError
from edgekws.graph import interp
from edgekws.report.document import checked
from firmware_io import board as boards
from firmware_io.bench import Plan, Vectors, bench
from firmware_io.build import build
from firmware_io.energy.meter import Meter
from firmware_io.protocol.session import Session, Timeouts
from firmware_io.transport import open_transport
from tests.firmware_io.devices.fake_device import CLASSIFY_COMMANDS, START_COMMANDS, Direct, FakeDevice, Faults, on_pty

CLIPS = 6


@pytest.fixture
def vectors(graph, random_features):
    """Six clips; the labels are the interpreter's answers, except the last."""
    features = random_features(CLIPS)
    labels = interp.run(graph, features).argmax(axis=1)
    labels[-1] = (labels[-1] + 1) % len(graph.labels)
    return Vectors("dev split", tuple(f"clip{i}" for i in range(CLIPS)), features, labels)


def run(graph, vectors, plan=None, raw=True, board="qemu-an386", us=2000, stack=None, layers_us=None, **faults):
    device = FakeDevice(graph, Faults(**faults), raw=raw, us_per_inference=us, stack=stack, layers_us=layers_us)
    return bench(Session(Direct(device, chunk=4096)), boards.load(board), graph, vectors, plan)


def test_a_correct_device_is_valid(graph, vectors):
    result = run(graph, vectors)
    assert result.valid and result.verdict == "board equals interpreter: 6 of 6"
    assert result.accuracy.correct == CLIPS - 1
    assert np.array(result.accuracy.confusion).sum() == CLIPS
    assert sum(recall.n for recall in result.accuracy.recalls) == CLIPS
    assert len(result.warnings) == 1 and "build unverified" in result.warnings[0] and result.accuracy.resent == 0


def test_windows_take_ten_seconds_of_device_time(graph, vectors):
    speed = run(graph, vectors).performance
    assert len(speed.windows_s) == 5 and min(speed.windows_s) >= 10
    assert speed.latency_us == pytest.approx(2000, rel=1e-4)
    assert speed.inferences_per_s == pytest.approx(500, rel=1e-4)
    assert speed.instructions == pytest.approx(2000 * 1000 / 64, rel=1e-4)
    assert "virtual" in speed.clock and "64 ns" in speed.clock


@pytest.mark.parametrize("us", [3, 700, 90_000, 12_000_000])
def test_calibration_finds_any_speed(graph, vectors, us):
    result = run(graph, vectors, Plan(("performance",)), us=us)
    assert result.valid and result.accuracy is None
    assert all(10 <= window < 26 for window in result.performance.windows_s)


def test_figures_are_labelled_by_their_kind(graph, vectors):
    by_name = {figure.name: figure for figure in run(graph, vectors).measurements()}
    counted = by_name["instructions per inference"]
    assert (counted.how, counted.unit, counted.n) == ("emulated", "instructions", 5)
    assert counted.interval.low <= counted.value <= counted.interval.high
    assert not {"latency", "throughput"} & by_name.keys()
    top1 = by_name["top-1 accuracy, dev split"]
    assert top1.n == CLIPS and top1.interval.low < top1.value < top1.interval.high
    host = run(graph, vectors, board="host")
    assert {figure.how for figure in host.measurements()} == {"computed"}
    assert host.performance.instructions is None and "this computer" in host.warnings[0]
    latency, throughput = host.measurements()[:2]
    assert (latency.name, latency.unit, throughput.name) == ("latency", "us", "throughput")
    assert latency.interval.low <= latency.value <= latency.interval.high


def test_layers_are_reported_where_the_device_supports_it(graph, vectors):
    plan = Plan(("performance",), window_s=0.01, windows=1)
    result = run(graph, vectors, plan, layers_us=[900, 300, 500, 200, 100])
    assert result.valid and result.layers_us == (900, 300, 500, 200, 100)
    assert result.to_json()["layers_us"] == [900, 300, 500, 200, 100]
    assert run(graph, vectors, plan).layers_us == ()
    assert run(graph, vectors, Plan(("accuracy",)), layers_us=[1] * 5).layers_us == ()
    other = run(graph, vectors, plan, layers_us=[1000, 1000])
    assert not other.valid and "should have 5 layers" in other.incomplete and len(other.performance.windows_s) == 1


def test_the_peak_stack_is_a_figure_where_the_device_reports_it(graph, vectors):
    plan = Plan(("accuracy",))
    result = run(graph, vectors, plan, stack="824,2048")
    figure = {figure.name: figure for figure in result.measurements()}["peak stack"]
    assert (figure.value, figure.unit, figure.how) == (824, "bytes", "emulated")
    assert result.to_json()["stack"] == {"used": 824, "size": 2048}
    for unknown in (None, "unknown"):
        result = run(graph, vectors, plan, stack=unknown)
        assert result.valid and result.stack is None and "peak stack" not in {f.name for f in result.measurements()}


def test_a_damaged_stack_answer_is_retried(graph, vectors):
    plan, last = Plan(("accuracy",)), START_COMMANDS + CLIPS * (CLASSIFY_COMMANDS - 1)
    for number in range(last, last + CLIPS + 1):
        assert run(graph, vectors, plan, stack="824,2048", garbage=True, command=number).valid


def test_the_document_is_plain_json(graph, vectors):
    for result in (run(graph, vectors, wrong_score_at=20), run(graph, vectors, Plan(("accuracy",)))):
        value = result.to_json()
        assert json.loads(json.dumps(value)) == value == checked(value, "the bench")
    assert len(checked(result.submission(), "the bench")["answers"]) == CLIPS


def test_one_wrong_score_fails_the_verdict(graph, vectors):
    result = run(graph, vectors, Plan(("accuracy",)), wrong_score_at=2)
    assert not result.valid and result.verdict == "board equals interpreter: 5 of 6"
    (mismatch,) = result.accuracy.mismatches
    assert mismatch.clip == "clip2" and mismatch.compared == "scores"
    assert [a != b for a, b in zip(mismatch.expected, mismatch.got, strict=True)].index(True) == 3
    assert "clip2" in result.reasons[0]


def test_wrong_text_fails_the_verdict(graph, vectors):
    result = run(graph, vectors, Plan(("accuracy",)), wrong_text_at=1)
    assert result.accuracy.matches == CLIPS and not result.valid
    assert "printed probabilities are wrong on 1 of 6" in result.reasons[0]


def test_without_raw_the_text_is_compared(graph, vectors):
    right = run(graph, vectors, Plan(("accuracy",)), raw=False)
    assert right.valid and right.accuracy.compared == "permille" and "no `raw`" in right.warnings[1]
    wrong = run(graph, vectors, Plan(("accuracy",)), raw=False, wrong_text_at=4)
    assert not wrong.valid and wrong.accuracy.mismatches[0].clip == "clip4"


def test_a_clock_that_runs_backwards_is_not_valid(graph, vectors):
    result = run(graph, vectors, Plan(("performance",)), backwards=True)
    assert not result.valid and result.reasons[0].startswith("window 3: the device's clock runs backwards")


def test_short_windows_are_not_valid(graph, vectors, monkeypatch):
    monkeypatch.setattr("firmware_io.bench.modes.MARGIN", 0.5)
    result = run(graph, vectors, Plan(("performance",)))
    assert len(result.reasons) == 5 and "shorter than 10 s" in result.reasons[0]


def test_a_short_window_is_run_again(graph, vectors, monkeypatch):
    monkeypatch.setattr(
        "firmware_io.bench.modes.performance.Runner._calibrate", lambda runner: (2600.0, 0.0)
    )  # it is 2000 us
    result = run(graph, vectors, Plan(("performance",)))
    assert result.valid and min(result.performance.windows_s) >= 10


def test_a_clock_that_jumps_back_does_not_make_a_window_of_hours(graph, vectors, monkeypatch):
    device, requested = FakeDevice(graph), []

    def jumping(n, w, original=device._infer):
        requested.append(n)
        lines = original(n, w).split("\r\n")
        if n >= 5000 and max(requested[:-1]) < 5000:  # the first window: no more than 1 us passes in it
            lines[4] = f"m-lap-us-{int(lines[3].removeprefix('m-lap-us-')) + 1}"
        return "\r\n".join(lines)

    monkeypatch.setattr(device, "_infer", jumping)
    result = bench(Session(Direct(device, chunk=4096)), boards.load("qemu-an386"), graph, vectors)
    assert result.valid and max(requested) <= 4 * 5250


def test_shorter_plans_warn(graph, vectors):
    result = run(graph, vectors, Plan(("performance",), window_s=0.5, windows=2))
    assert result.valid and "2 windows of 0.5 s" in result.warnings[0]


def test_a_stopped_clock_is_an_error(graph, vectors, monkeypatch):
    monkeypatch.setattr("firmware_io.bench.modes.performance._CALIBRATION_HOST_S", 0.1)
    monkeypatch.setattr(FakeDevice, "_lap", lambda self: "m-lap-us-7\r\n")
    with pytest.raises(BoardError, match="clock of the device should run"):
        run(graph, vectors)


def test_a_lost_byte_is_counted(graph, vectors):
    speed = run(graph, vectors, Plan(("performance",)), lose=100)
    assert speed.valid and speed.performance is not None
    result = run(graph, vectors, Plan(("accuracy",)), lose=100)
    assert result.valid and result.accuracy.resent == 1 and "sent again" in result.warnings[1]


@pytest.mark.parametrize("fault", ["silent", "garbage", "half_line", "reset"])
def test_a_device_that_fails_names_the_clip_and_keeps_earlier_results(graph, vectors, fault):
    command = START_COMMANDS + CLASSIFY_COMMANDS + 3  # in the second clip
    result = run(graph, vectors, Plan(("accuracy",)), **{fault: True}, command=command, always=True)
    assert not result.valid and isinstance(result.cause, BoardError | ProtocolError)
    assert re.search(r"^clip clip1: .*`db .*What to do", result.incomplete) and result.incomplete in result.reasons[0]
    assert (result.accuracy.n, result.accuracy.matches, len(result.answers)) == (1, 1, 1)
    assert result.verdict == "incomplete, not valid; board equals interpreter: 1 of 1"
    assert json.loads(json.dumps(result.to_json()))["incomplete"] == result.incomplete


def test_a_device_that_fails_before_anything_was_measured_is_an_error(graph, vectors):
    with pytest.raises(BoardError, match=r"^clip clip0"):
        run(graph, vectors, silent=True, command=START_COMMANDS + 3, always=True)


def test_windows_before_the_failure_are_kept(graph, vectors):
    calibration = CLASSIFY_COMMANDS + 5
    command = START_COMMANDS + calibration + 3 * CLASSIFY_COMMANDS
    result = run(graph, vectors, silent=True, command=command, always=True)
    assert 1 <= len(result.performance.windows_s) < 5 and result.accuracy is None and result.stack is None
    assert result.performance.latency_us == pytest.approx(2000, rel=1e-3) and not result.valid


def test_ctrl_c_keeps_the_results_so_far(graph, vectors, monkeypatch):
    device, requested = FakeDevice(graph), []

    def interrupted(n, w, original=device._infer):
        requested.append(n)
        if len(requested) == 4:
            raise KeyboardInterrupt
        return original(n, w)

    monkeypatch.setattr(device, "_infer", interrupted)
    result = bench(Session(Direct(device)), boards.load("qemu-an386"), graph, vectors, Plan(("accuracy",)))
    assert result.accuracy.n == 3 and isinstance(result.cause, KeyboardInterrupt)
    assert result.incomplete == "stopped by the user before the end" and not result.valid


def test_a_port_that_is_gone_is_no_damage_on_the_wire(graph, vectors):
    class Unplugged(Direct):
        def read(self, timeout_s):
            if device.commands > START_COMMANDS + 3 * CLASSIFY_COMMANDS:
                raise BoardError("the port should stay connected", got="the port is gone: it was unplugged")
            return super().read(timeout_s)

    device = FakeDevice(graph)
    result = bench(Session(Unplugged(device)), boards.load("qemu-an386"), graph, vectors, Plan(("accuracy",)))
    assert result.transfers.repeated == 0 and "it was unplugged" in result.incomplete
    assert len(result.reasons) == 1 and not any("wire" in warning for warning in result.warnings)


def test_another_model_is_refused(graph, vectors, graph_factory):
    session = Session(Direct(FakeDevice(graph_factory(classes=5))))
    with pytest.raises(ProtocolError, match="12 answers"):
        bench(session, boards.load("host"), graph, vectors, Plan(("accuracy",)))


@pytest.mark.parametrize(
    ("answer", "instead", "message"),
    [
        ("[fake]", "[edgekws-qemu-an500]", "edgekws-qemu-an386.*firmware of another board"),
        ("[kws01]", "[vww01]", "should hold kws01.*person detection"),
    ],
)
def test_other_firmware_is_refused_before_anything_is_loaded(graph, vectors, monkeypatch, answer, instead, message):
    device = FakeDevice(graph)
    original = device._answer
    monkeypatch.setattr(device, "_answer", lambda command: original(command).replace(answer, instead))
    with pytest.raises(BoardError, match=message):
        bench(Session(Direct(device)), boards.load("qemu-an386"), graph, vectors)
    assert device.commands == START_COMMANDS


def test_a_device_with_another_model_is_refused_before_it_is_timed(graph, vectors, graph_factory):
    session = Session(Direct(FakeDevice(graph_factory(seed=5))))
    with pytest.raises(BoardError, match=r"clip clip0: the device should answer as the interpreter.*another model"):
        bench(session, boards.load("qemu-an386"), graph, vectors, Plan(("performance",)))


def test_a_model_estimates_from_performance_mode(graph, vectors, tmp_path):
    device = FakeDevice(graph)
    plan, meter = Plan(("accuracy", "energy")), Meter("model:?volts=3.0", tmp_path)
    result = bench(Session(Direct(device)), boards.load("qemu-an386"), graph, vectors, plan, meter=meter)
    assert result.valid and result.modes == ("performance", "accuracy", "energy")
    energy = result.energy
    assert energy.how == "estimated" and energy.windows == () and energy.trace is None
    assert energy.interval.low < energy.uj_per_inference < energy.interval.high and energy.source
    by_name = {figure.name: figure for figure in result.measurements()}
    figure = by_name["energy per inference, STM32L4R5 at 120 MHz and 3 V"]
    assert (figure.how, figure.interval) == ("estimated", energy.interval)
    assert any("not measured (for STM32L4R5 at 120 MHz" in warning for warning in result.warnings)


def test_a_model_that_does_not_know_the_board_is_refused_before_it_is_timed(graph, vectors, tmp_path):
    device = FakeDevice(graph)
    with pytest.raises(ConfigError, match="the core host"):
        session, meter = Session(Direct(device)), Meter("model:", tmp_path)
        bench(session, boards.load("host"), graph, vectors, Plan(("energy",)), meter=meter)
    assert device.commands == 0


def test_no_clips_are_refused(graph, random_features):
    with pytest.raises(ConfigError, match="at least one clip"):
        run(graph, Vectors("none", (), random_features(0)))


def test_clips_without_labels(graph, vectors):
    result = run(graph, Vectors("golden", vectors.ids, vectors.features), Plan(("accuracy",)))
    assert result.valid and result.accuracy.correct is None and result.accuracy.confusion == ()
    assert [figure.name for figure in result.measurements()] == ["clips equal to the interpreter, golden"]


def test_progress_counts_to_the_end(graph, vectors):
    seen = []
    session = Session(Direct(FakeDevice(graph)))
    bench(session, boards.load("host"), graph, vectors, progress=lambda *step: seen.append(step))
    assert seen[-1] == ("accuracy", CLIPS, CLIPS) and ("performance", 5, 5) in seen


def test_recorded_on_a_pty_and_replayed(graph, vectors, tmp_path):
    path, plan = tmp_path / "traffic.jsonl", Plan(("accuracy",))
    host = boards.load("host")

    def measure(opened):
        return bench(Session(opened, Timeouts(quiet_s=0.05)), host, graph, vectors, plan)

    with on_pty(FakeDevice(graph)) as port, open_transport(f"spy:{path}:serial:{port}") as opened:
        recorded = measure(opened)
    with open_transport(f"replay:{path}") as opened:
        replayed = measure(opened)
    assert replayed.valid and replayed.accuracy.confusion == recorded.accuracy.confusion
    damaged = path.read_text().replace("m-raw-[", "m-raw-[1", 1)
    path.write_text(damaged)
    with pytest.raises(ProtocolError), open_transport(f"replay:{path}") as opened:
        measure(opened)


RECORDED = Path(__file__).parents[1] / "data" / "qemu-an386.jsonl"
"""Our firmware on the emulated Cortex-M4F: start, two clips (`pattern` 1 and 7), infer 3 1, results."""


def pattern(step):
    return (np.arange(490) * step % 256 - 128).astype(np.int8)


def test_recorded_traffic_of_our_firmware():
    received = "".join(json.loads(line).get("from", "") for line in RECORDED.read_text().splitlines())
    scores = [json.loads(line.split("m-raw-")[1]) for line in received.splitlines() if line.startswith("m-raw-")]
    with open_transport(f"replay:{RECORDED}") as opened:
        session = Session(opened)
        assert session.start().name == "edgekws-qemu-an386" and len(session.build_id) == 32
        answers = [session.classify(pattern(step)) for step in (1, 7)]
        window = session.infer(3, 1)
        assert session.results() == window.permille == answers[1].permille
    assert [list(answer.scores) for answer in answers] == scores and scores[0] != scores[1]
    assert [answer.loads for answer in answers] == [1, 1] and window.device_us > 0


@pytest.mark.parametrize("name", ["host", "qemu-an386", "qemu-riscv32"])
def test_the_real_firmware(graph, vectors, name, tmp_path):
    board = boards.load(name)
    for program in filter(None, (board.qemu_program, board.compiler)):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    firmware = build(board, c.emit(graph), tmp_path / "firmware.elf")
    with open_transport(board.transport, elf=firmware.elf) as opened:
        result = bench(Session(opened), board, graph, vectors, Plan(window_s=0.2, windows=2), firmware)
    assert result.valid, result.reasons
    assert result.verdict == "board equals interpreter: 6 of 6" and result.accuracy.text_matches == CLIPS
    assert result.to_json()["firmware"]["flash_bytes"] == firmware.flash_bytes > 1000
    assert (result.stack is None) == (name == "host")


def test_firmware_of_another_graph_fails_the_verdict(graph, graph_factory, vectors, tmp_path):
    board = boards.load("host")
    if shutil.which(board.compiler) is None:
        pytest.skip(f"{board.compiler} is not installed")
    firmware = build(board, c.emit(graph_factory(seed=5)), tmp_path / "firmware.elf")
    with open_transport(board.transport, elf=firmware.elf) as opened:
        result = bench(Session(opened), board, graph, vectors, Plan(("accuracy",)), firmware)
    assert not result.valid and result.accuracy.matches < CLIPS
