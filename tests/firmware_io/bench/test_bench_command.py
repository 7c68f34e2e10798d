"""`edgekws bench` on a fake device behind a pty: what it writes, prints and raises."""

from __future__ import annotations

import errno
import json
import re
import shutil
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekws import plugins
from edgekws.cli.boards import clips, verify
from edgekws.cli.boards import measure as command
from edgekws.cli.boards.measure import Options
from edgekws.errors import ArtifactError, BoardError, ConfigError, ParityError, ProtocolError
from edgekws.graph import interp, io
from edgekws.report.session_check import findings
from firmware_io import board as boards
from firmware_io.bench import vectors
from firmware_io.bench.modes import Vectors
from firmware_io.transport.spy import Spy
from tests.firmware_io.devices.fake_device import CLASSIFY_COMMANDS, START_COMMANDS, FakeDevice, Faults, on_pty

CLIPS = 12
BOARD = "qemu-an386"
pytestmark = pytest.mark.skipif(
    shutil.which(boards.load(BOARD).compiler) is None, reason="the firmware's compiler is not installed"
)


@pytest.fixture
def options(graph, random_features, tmp_path):
    """A model's folder and a file of clips; the device is to be given as port."""
    io.save(graph, tmp_path / "graph.npz")
    features = random_features(CLIPS)
    labels = interp.run(graph, features).argmax(axis=1)
    clips = Vectors("dev split", tuple(f"clip{i}.bin" for i in range(CLIPS)), features, labels)
    vectors.write(tmp_path / "vectors.npz", clips, graph.features)
    return Options(board=BOARD, out=tmp_path, vectors=tmp_path / "vectors.npz")


def measure(device, options, **changes):
    with on_pty(device) as port:
        command.measure(replace(options, port=f"serial:{port}", **changes))


def report(options):
    return json.loads((options.folder / "latest" / "report.json").read_text())


def test_figures_are_printed_and_reported(graph, options, capsys):
    measure(FakeDevice(graph, layers_us=[900, 300, 500, 200, 100], check=True), options)
    printed = capsys.readouterr().out
    first, *others = [line for line in printed.splitlines() if "(emulated, n =" in line]
    assert re.fullmatch(
        r"instructions per inference: 31,25\d \(emulated, n = 5 windows, windows: [\d,]+ to [\d,]+\)", first
    )
    assert "top-1 accuracy, dev split: 100.00 % (emulated, n = 12 clips, 95 % interval: 75.75 to 100.00 %)" in others
    assert not re.search(r"latency|throughput|virtual|[0-9] ms", printed)
    assert f"board equals interpreter: {CLIPS} of {CLIPS}, report in" in printed
    document = report(options)
    assert (
        document["verdict"]["valid"]
        and document["incomplete"] == ""
        and document["modes"] == ["performance", "accuracy"]
    )
    assert document["transfers"]["checked"] and len(document["performance"]["host_s"]) == 5
    assert (options.folder / "latest" / "report.html").exists() and (options.folder / "latest" / "report.md").exists()


def test_a_session_of_mlperf_tiny(graph, options, tmp_path, capsys):
    measure(FakeDevice(graph), options, mlperf=tmp_path / "submission")
    (session,) = (tmp_path / "submission" / "sessions").iterdir()
    printed = " ".join(capsys.readouterr().err.split())
    assert "its accuracy is not a result of the benchmark" in printed and "12 clips of dev split" in printed
    windows = json.loads((session / "performance" / "results.json").read_text())
    assert len(windows) == 5 and all(len(window["infer"]["results"]) == 12 and "class" in window for window in windows)
    assert [finding for finding in findings(session / "performance") if finding.level == "error"] == []
    assert "Median throughput is" in (session / "performance" / "results.txt").read_text()
    assert (
        "Top 1% (12 clips, not the benchmark's 1000 files) = 100.0"
        in (session / "accuracy" / "results.txt").read_text()
    )
    log = (session / "accuracy" / "log.txt").read_text()
    assert " > name%\n" in log and " < m-name-dut-[fake]\n" in log
    assert len(json.loads((session / "accuracy" / "results.json").read_text())) == CLIPS


def test_the_last_line_says_whether_the_run_is_valid(graph, options, capsys):
    measure(FakeDevice(graph), options, modes=("accuracy",))
    assert "\nVALID: board equals interpreter: 12 of 12, report in" in capsys.readouterr().out
    with pytest.raises(ParityError):
        measure(FakeDevice(graph, Faults(wrong_score_at=5)), options, modes=("accuracy",))
    assert "\nNOT VALID: board equals interpreter: 11 of 12, report in" in capsys.readouterr().out


def test_a_run_that_is_not_valid_makes_no_session(graph, options, tmp_path):
    with pytest.raises(ParityError, match="differ on 1 of 12 clips"):
        submission = replace(options, modes=("accuracy",), mlperf=tmp_path / "submission")
        measure(FakeDevice(graph, Faults(wrong_score_at=5)), submission)
    assert report(options)["accuracy"] and not (tmp_path / "submission").exists()


def without_labels(options, graph, tmp_path):
    clips = replace(vectors.read(options.vectors, graph), labels=None)
    vectors.write(tmp_path / "bare.npz", clips, graph.features)
    return replace(options, vectors=tmp_path / "bare.npz")


def test_runs_that_no_submission_accepts_are_refused_before_they_start(graph, options, tmp_path):
    submission = replace(options, port="serial:/nowhere", mlperf=tmp_path / "submission")
    with pytest.raises(ConfigError, match=r"5 windows of at least 10 s.*3 of 10 s"):
        command.measure(replace(submission, windows=3))
    with pytest.raises(ConfigError, match="takes no estimates"):
        command.measure(replace(submission, modes=("energy",), meter="model:"))
    with pytest.raises(ConfigError, match="the label of each clip"):
        command.measure(without_labels(submission, graph, tmp_path))
    assert not (tmp_path / "submission").exists() and not options.folder.exists()


def test_results_before_a_failure_are_reported(graph, options):
    at = START_COMMANDS + 4 * CLASSIFY_COMMANDS
    with pytest.raises(BoardError, match="clip clip") as raised:
        measure(FakeDevice(graph, Faults(reset=True, command=at, always=True)), options, modes=("accuracy",))
    document = report(options)
    assert document["incomplete"] == str(raised.value) and document["verdict"]["valid"] is False
    assert document["accuracy"]["n"] == 4 and str(raised.value) in document["verdict"]["reasons"][0]


def test_a_full_disk_is_one_cause_and_no_damage_on_the_wire(graph, options, tmp_path, monkeypatch):
    """The recording of the traffic cannot be written in the middle of the run."""
    passed, original = [], Spy._put

    def put(spy, line):
        passed.append(line)
        with spy._written():
            if len(passed) > 200:
                raise OSError(28, "No space left on device")
        original(spy, line)

    monkeypatch.setattr(Spy, "_put", put)
    with pytest.raises(ArtifactError, match=r"^[^:]*traffic.jsonl.*free some space"):
        measure(FakeDevice(graph, check=True), options, modes=("accuracy",), spy=tmp_path / "traffic.jsonl")
    document = report(options)
    assert document["transfers"]["repeated"] == 0 and 0 < document["accuracy"]["n"] < CLIPS
    told = [*document["verdict"]["reasons"], *document["warnings"]]
    assert len([line for line in told if "traffic.jsonl" in line]) == 1 and "wire" not in "".join(told)
    assert len(passed) == 201, "nothing is sent after the error"


def test_an_invalid_run_is_reported_and_then_an_error(graph, options):
    with pytest.raises(ParityError, match="differ on 1 of 12 clips"):
        measure(FakeDevice(graph, Faults(wrong_score_at=5)), options, modes=("accuracy",))
    assert report(options)["accuracy"]["matches"] == CLIPS - 1


def test_ctrl_c_leaves_a_report(graph, options, monkeypatch):
    device = FakeDevice(graph)
    original = command.console.progress

    def interrupting():
        inner = original().__enter__()

        def progress(stage, done, total):
            inner(stage, done, total)
            if (stage, done) == ("accuracy", 5):
                raise KeyboardInterrupt

        return nullcontext(progress)

    monkeypatch.setattr(command.console, "progress", interrupting)
    with pytest.raises(KeyboardInterrupt):
        measure(device, options, modes=("accuracy",))
    assert report(options)["accuracy"]["n"] == 5 and "stopped by the user" in report(options)["incomplete"]


def test_recorded_traffic_gives_the_same_figures(graph, options, tmp_path):
    measure(FakeDevice(graph), options, spy=tmp_path / "traffic.jsonl")
    first = report(options)
    command.measure(replace(options, port=f"replay:{tmp_path / 'traffic.jsonl'}"))
    second = report(options)
    assert second["performance"].pop("host_s") is None and first["performance"].pop("host_s")
    assert second["performance"] == first["performance"] and second["verdict"] == first["verdict"]
    assert second["accuracy"]["confusion"] == first["accuracy"]["confusion"]


def test_results_before_a_deviation_from_a_recording_are_reported(graph, options, tmp_path):
    measure(FakeDevice(graph), options, modes=("accuracy",), clips=4, spy=tmp_path / "traffic.jsonl")
    with pytest.raises(ProtocolError, match=r"clip clip2.*step \d+ of the recorded traffic is"):
        command.measure(replace(options, modes=("accuracy",), port=f"replay:{tmp_path / 'traffic.jsonl'}", clips=6))
    assert report(options)["accuracy"]["n"] == 1 and "recorded traffic" in report(options)["incomplete"]


def test_fewer_clips_are_spread_and_can_be_saved(graph, options, tmp_path):
    saved = tmp_path / "four.npz"
    measure(FakeDevice(graph), options, modes=("accuracy",), clips=4, save_vectors=saved)
    assert report(options)["accuracy"]["n"] == 4
    assert vectors.read(saved, graph).ids == ("clip0.bin", "clip3.bin", "clip7.bin", "clip11.bin")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"modes": ("speed",)}, ConfigError, "--mode speed is not known.*accuracy, energy, performance"),
        ({"modes": ("energy",)}, ConfigError, "energy mode needs a meter"),
        ({"meter": "lpm01a:/nowhere"}, ConfigError, "--meter belongs to --mode energy"),
        ({"modes": ("energy",), "meter": "lpm01a:/nowhere"}, ConfigError, "--voltage"),
        ({"modes": ("energy",), "meter": "abacus:"}, ConfigError, "--meter abacus is not known"),
        ({"modes": ("energy",), "meter": "lpm01a:/nowhere", "voltage": 5.0}, ConfigError, "1.8 to 3.3 V.*5 V"),
        ({"modes": ("energy",), "meter": "model:", "iterations": 9}, ConfigError, "recorded trace"),
        ({"voltage": 3.0}, ConfigError, "belong to --meter.*--voltage alone"),
        ({"iterations": 9}, ConfigError, "belong to --meter.*--iterations alone"),
        ({"board": "toaster"}, ConfigError, "toaster"),
        ({"port": "host:"}, ConfigError, "host:, which starts host.*--board host"),
        ({"port": "spy:x.jsonl:qemu:qemu-an500"}, ConfigError, "which starts qemu-an500.*--board qemu-an500"),
        ({"port": "qemu:toaster"}, ConfigError, "--board toaster is not known"),
        ({"port": "replay:nowhere"}, ArtifactError, "nowhere should be recorded traffic.*No such file.*--spy"),
        ({"port": "pigeon:home"}, ConfigError, "--port pigeon is not known.*host, io.*write its path"),
        ({"vectors": Path("nowhere.npz")}, ArtifactError, r"nowhere\.npz"),
    ],
)
def test_bad_options_are_one_paragraph_before_anything_is_sent(options, changes, error, message):
    with pytest.raises(error, match=message):
        command.measure(replace(options, **changes))
    assert not options.folder.exists()


def test_a_board_whose_file_starts_another_is_refused(options, tmp_path, monkeypatch):
    """As a copy of host.toml under another name does."""
    copy = tmp_path / "copied_boards" / "boards" / "my-pc.toml"
    copy.parent.mkdir(parents=True)
    (tmp_path / "copied_boards" / "__init__.py").touch()
    copy.write_text(plugins.find("boards", "host").path.read_text())
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(plugins.VARIABLE, "copied_boards")
    with pytest.raises(ConfigError, match=r'transport of the board my-pc.*Got: host:.*transport = "host:my-pc"'):
        command.measure(replace(options, board="my-pc", port=""))


def test_figures_are_printed_even_if_no_report_can_be_written(graph, options, capsys, monkeypatch):
    monkeypatch.setattr("edgekws.report.write_report", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(OSError, match="full"):
        measure(FakeDevice(graph), options, modes=("accuracy",))
    assert "top-1 accuracy, dev split: 100.00 %" in capsys.readouterr().out


def test_clips_of_other_features_are_refused(graph, options, tmp_path):
    clips = vectors.read(options.vectors, graph)
    vectors.write(tmp_path / "other.npz", clips, replace(graph.features, high_hz=8000.0))
    with pytest.raises(ArtifactError, match=r"high_hz 8000\.0, not 4000\.0"):
        command.measure(replace(options, vectors=tmp_path / "other.npz"))


def test_modes_are_separated_by_commas_or_repeated():
    for texts in (("accuracy,performance",), ("performance", "accuracy"), ("accuracy", "performance, accuracy")):
        assert command._plan(Options(modes=texts)).modes == ("performance", "accuracy")


def test_serial_lines_get_the_baud_rate_of_the_firmware(options):
    board = boards.load(BOARD)
    for port, expected in [
        ("serial:/dev/x", "serial:/dev/x?baud=115200"),
        ("serial:/dev/x?baud=9600", "serial:/dev/x?baud=9600"),
        ("spy:t.jsonl:serial:/dev/x", "spy:t.jsonl:serial:/dev/x?baud=115200"),
        ("io:serial:/dev/x", "io:serial:/dev/x"),
        ("tcp:host:1", "tcp:host:1"),
        ("", "qemu:qemu-an386"),
    ]:
        assert command.port_of(replace(options, port=port), board, energy=False) == expected
    assert command.port_of(replace(options, port="serial:x"), board, energy=True) == "serial:x?baud=9600"
    assert np.array_equal(clips.spread(5, 0), [0, 1, 2, 3, 4])


@pytest.fixture
def recorded(tmp_path):
    return table(tmp_path / "trace.csv", windows=3)


def table(path, windows):
    """A table of another meter: windows of 10.4 s at 12 mW, rest at 2 mW, 3.0 V, 100 rows a second."""
    amperes = [0.002 / 3.0] * 200
    for _ in range(windows):
        amperes += [0.012 / 3.0] * 1040 + [0.002 / 3.0] * 200
    edges = [edge for number in range(windows) for edge in (200 + 1240 * number, 1240 + 1240 * number)]
    rows = [f"{at / 100:.2f},{value:.9f},{0 if at in edges else 1}" for at, value in enumerate(amperes)]
    path.write_text("\n".join(["time [s],current [A],pin", *rows]) + "\n")
    return path


def test_the_trace_of_another_meter_is_imported_without_a_board(options, recorded, capsys):
    nucleo = replace(options, board="nucleo-l4r5zi", vectors=None, modes=("energy",), iterations=230)
    command.measure(replace(nucleo, meter=f"csv:{recorded}?volts=3.0&edge=pin"))
    printed = capsys.readouterr().out
    expected = 0.012 * 10.4 / 230 * 1e6, 0.010 * 10.4 / 230 * 1e6
    assert f"energy per inference: {expected[0]:.4g} uJ (measured, imported trace, n = 3 windows" in printed
    assert f"energy per inference, above idle: {expected[1]:.4g} uJ (measured, imported trace, n = 3 windows" in printed
    assert "VALID AS A TRACE: no board was used" in " ".join(printed.split())
    assert f"report in {options.out}/bench/nucleo-l4r5zi-energy/" in printed, "beside that of performance mode"
    document = report(replace(nucleo, meter="csv:"))
    assert document["device"] is None and document["performance"] is None and document["verdict"]["valid"]
    assert document["verdict"]["text"] == "valid as a trace; no board was used"
    assert "not run on hardware" not in document["title"], "the port may be untested, but the trace is of a board"
    assert [window["seconds"] for window in document["energy"]["windows"]] == [10.4] * 3
    assert any("3 windows of 10 s" in warning for warning in document["warnings"])
    verify.verify([replace(nucleo, meter="csv:").folder])
    assert re.search(r"^warning +source: an imported trace: no board was used", capsys.readouterr().out, re.MULTILINE)


def test_the_session_of_an_imported_trace_has_no_log_of_another_run(options, tmp_path):
    nucleo = replace(options, board="nucleo-l4r5zi", vectors=None, modes=("energy",), iterations=230)
    nucleo.folder.mkdir(parents=True)
    (nucleo.folder / "traffic.jsonl").write_text("traffic of a run before")
    meter = f"csv:{table(tmp_path / 'five.csv', windows=5)}?volts=3.0&edge=pin"
    command.measure(replace(nucleo, meter=meter, mlperf=tmp_path / "mlperf"))
    (log,) = (tmp_path / "mlperf").glob("sessions/*/energy/log.txt")
    assert log.read_text() == log.with_name("results.txt").read_text()
    assert "edgekws: an imported trace; no board was used" in log.read_text()
    assert "unknown" not in log.read_text()


def test_a_trace_that_cannot_be_of_this_board_is_not_valid(options, recorded):
    """Microamperes that are taken for milliamperes: 4 A at 12 W."""
    nucleo = replace(options, board="nucleo-l4r5zi", vectors=None, modes=("energy",), iterations=230)
    rows = [line.split(",") for line in recorded.read_text().splitlines()[1:]]
    micro = recorded.with_name("micro.csv")
    micro.write_text("time,current,pin\n" + "".join(f"{t},{float(i) * 1e6:.3f},{pin}\n" for t, i, pin in rows))
    with pytest.raises(ConfigError, match=r"time and current in .*should have a unit.*time=s&current=uA"):
        command.measure(replace(nucleo, meter=f"csv:{micro}?volts=3.0&edge=pin"))
    with pytest.raises(ParityError, match=r"mean current in the windows is 4000 mA .*1\.2e\+04 mW.*11 to 30\.7 mA"):
        command.measure(replace(nucleo, meter=f"csv:{micro}?volts=3.0&edge=pin&time=s&current=mA"))
    command.measure(replace(nucleo, meter=f"csv:{micro}?volts=3.0&edge=pin&time=s&current=uA"))


@pytest.mark.parametrize(("iterations", "title", "words"), [(230_000_000, "s", "times fewer"), (1, "ms", "times more")])
def test_inferences_that_this_board_cannot_have_run_are_not_valid(options, recorded, iterations, title, words):
    """Iterations of another run, and milliseconds that are taken for seconds."""
    nucleo = replace(options, board="nucleo-l4r5zi", vectors=None, modes=("energy",), iterations=iterations)
    rows = [line.split(",") for line in recorded.read_text().splitlines()[1:]]
    factor = 1000 if title == "ms" else 1
    table = "".join(f"{float(t) * factor},{i},{pin}\n" for t, i, pin in rows)
    recorded.write_text(f"time_s,current_A,pin\n{table}")
    with pytest.raises(ParityError, match=rf"cycles at 120 MHz, .* {words}.*check --iterations"):
        command.measure(replace(nucleo, meter=f"csv:{recorded}?volts=3.0&edge=pin"))
    assert report(replace(nucleo, meter="csv:"))["verdict"]["valid"] is False


def test_an_imported_trace_needs_its_iterations_and_its_edges(options, recorded):
    energy = replace(options, board="nucleo-l4r5zi", modes=("energy",))
    with pytest.raises(ConfigError, match="--iterations"):
        command.measure(replace(energy, meter=f"csv:{recorded}?volts=3.0&edge=pin"))
    with pytest.raises(ConfigError, match=r"two edges.*edge=COLUMN or \?edges=FILE"):
        command.measure(replace(energy, meter=f"csv:{recorded}?volts=3.0", iterations=9))
    with pytest.raises(ConfigError, match="--mode energy alone"):
        both = ("performance", "energy")
        command.measure(replace(energy, meter=f"csv:{recorded}?volts=3.0", iterations=9, modes=both))
