"""Several benches at once, signals, and outputs that cannot be written; as a user runs them."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgekws.errors import ConfigError
from edgekws.files import locks
from edgekws.graph import io
from edgekws.report import document
from firmware_io import board as boards
from firmware_io.bench import vectors
from firmware_io.bench.modes import Vectors
from tests.firmware_io.devices.fake_device import FakeDevice, on_pty

MAIN = [sys.executable, "-W", "ignore", "-m", "edgekws"]
CLIPS = 5000
pytestmark = pytest.mark.skipif(shutil.which(boards.load("host").compiler) is None, reason="there is no C compiler")


@pytest.fixture
def out(graph, random_features, tmp_path) -> Path:
    """A model's folder, and clips for minutes."""
    io.save(graph, tmp_path / "graph.npz")
    features = random_features(CLIPS)
    clips = Vectors("dev split", tuple(f"clip{i}.bin" for i in range(CLIPS)), features, features[:, 0, 0] % 12)
    vectors.write(tmp_path / "vectors.npz", clips, graph.features)
    return tmp_path


def command(out: Path, *more: str) -> list[str]:
    own = ["bench", "--board", "host", "--mode", "accuracy", "--out", str(out), "--vectors", str(out / "vectors.npz")]
    return [*MAIN, *own, *more]


@contextmanager
def running(arguments: list[str], **options: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(true: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.02)


def folder(out: Path) -> Path:
    return out / "bench" / "host"


def measuring(out: Path) -> Callable[[], bool]:
    """Whether some answers are recorded."""

    def some() -> bool:
        files = [path for path in (out / "spy.jsonl", *folder(out).glob("*/traffic.jsonl")) if path.exists()]
        return any(path.stat().st_size > 40_000 for path in files)

    return some


def test_a_second_bench_into_the_same_folder_is_refused(out: Path) -> None:
    with running(command(out, "--spy", str(out / "spy.jsonl"))) as first:
        wait_until(measuring(out), first)
        second = subprocess.run(command(out, "--clips", "3"), capture_output=True, text=True, check=False)
        assert second.returncode == 4 and not (folder(out) / "latest").exists()
        message = " ".join(second.stderr.split())
        assert "another process is writing into" in message and f"process {first.pid} since" in message
        assert "edgekws bench --board host" in message
        first.send_signal(signal.SIGKILL)
        first.wait()
    (dead,) = folder(out).iterdir()
    for reads in (["verify", dead], ["compare", dead, dead]):
        done = subprocess.run([*MAIN, *map(str, reads)], capture_output=True, text=True, check=False)
        assert done.returncode == 8 and "before it wrote a report: it was killed" in " ".join(done.stderr.split())
    recorded = dead.with_name("20200101-000000-accuracy")
    recorded.mkdir()
    (recorded / "traffic.jsonl").write_text("{}")
    third = subprocess.run(command(out, "--clips", "3"), capture_output=True, text=True, check=False)
    assert third.returncode == 0, "the lock of a killed process never blocks: " + third.stderr
    assert not dead.exists() and (recorded / "traffic.jsonl").exists(), "only what can be built again is removed"


def test_benches_of_different_outputs_run_at_once(out: Path, tmp_path: Path) -> None:
    with running(command(out, "--spy", str(out / "spy.jsonl"))) as first:
        wait_until(measuring(out), first)
        other = tmp_path / "other"
        other.mkdir()
        shutil.copy(out / "graph.npz", other)
        arguments = command(other, "--clips", "3", "--vectors", str(out / "vectors.npz"))
        second = subprocess.run(arguments, capture_output=True, text=True, check=False)
        assert second.returncode == 0, second.stderr


def test_one_process_at_a_time_uses_a_serial_port(out: Path, graph) -> None:
    with on_pty(FakeDevice(graph)) as port:
        lock = locks.user_folder() / f"{port.strip('/').replace('/', '_')}.lock"
        with locks.held(lock, "it is ours", ""):
            arguments = command(out, "--clips", "3", "--port", f"serial:{port}")
            done = subprocess.run(arguments, capture_output=True, text=True, check=False)
            written = ["flash", "--board", "lp-mspm0g5187", "--image", str(out / "x.bin"), "--port", port]
            flashed = subprocess.run([*MAIN, *written], capture_output=True, text=True, check=False)
    for one in (done, flashed):
        message = " ".join(one.stderr.split())
        assert one.returncode == 7 and f"the board at {port} should be free" in message
        assert f"process {os.getpid()} since" in message
    assert not folder(out).exists()


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), pytest.param(signal.SIGHUP, 129, marks=pytest.mark.slow), (signal.SIGINT, 130)],
)
def test_a_signal_leaves_a_report(out: Path, number: int, code: int) -> None:
    with running(command(out, "--spy", str(out / "spy.jsonl"))) as process:
        wait_until(measuring(out), process)
        process.send_signal(number)
        time.sleep(0.05)
        process.send_signal(number if number != signal.SIGINT else 0)  # a second one does not end it earlier
        _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "a bench does not continue: run again" in " ".join(errors.split())
    report = document.read(folder(out) / "latest" / "report.json")
    assert 0 < report["accuracy"]["n"] < CLIPS and report["verdict"]["valid"] is False
    name = "the user" if number == signal.SIGINT else signal.Signals(number).name
    assert report["incomplete"] == f"stopped by {name} before the end"
    assert (folder(out) / "latest" / "traffic.jsonl").exists()


def test_a_closed_terminal_leaves_a_report(out: Path) -> None:
    controller, terminal = os.openpty()
    arguments = command(out, "--spy", str(out / "spy.jsonl"))
    process = subprocess.Popen(arguments, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True)
    os.close(terminal)
    try:
        deadline = time.monotonic() + 60
        while not measuring(out)():
            assert process.poll() is None and time.monotonic() < deadline
            os.read(controller, 4096)
        os.close(controller)
        process.send_signal(signal.SIGHUP)
        assert process.wait(60) == 129
    finally:
        process.kill()
        process.wait()
    assert document.read(folder(out) / "latest" / "report.json")["incomplete"] == "stopped by SIGHUP before the end"


def test_a_signal_that_is_ignored_stays_ignored(out: Path) -> None:
    def ignoring() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does

    with running(command(out, "--clips", "40"), preexec_fn=ignoring) as process:
        wait_until(lambda: folder(out).exists(), process)
        process.send_signal(signal.SIGHUP)
        assert process.wait(60) == 0


@pytest.mark.parametrize("option", ["--mlperf", "--spy", "--save-vectors", "--out"])
def test_an_output_that_cannot_be_written_is_known_before_measuring(out: Path, option: str) -> None:
    (out / "file").touch()
    if option == "--out":
        (out / "bench").touch()
        arguments = command(out)
    else:
        arguments = command(out, option, str(out / "file" / "below"))
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
    message = " ".join(done.stderr.split())
    assert done.returncode == 8 and re.search(r"could not be written: \S+ is not a folder", message), message
    assert "device at" not in done.stdout and not folder(out).is_dir()


def test_a_full_disk_is_known_before_measuring(out: Path) -> None:
    """A limit of the file size stands for it."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = subprocess.run(command(out), capture_output=True, text=True, check=False, timeout=60, preexec_fn=limited)
    message = " ".join(done.stderr.split())
    assert done.returncode == 12 and "free some space" in message, message
    assert "device at" not in done.stdout and not folder(out).exists()


def test_a_note_of_a_holder_may_be_missing_or_damaged(tmp_path: Path) -> None:
    program = "import sys; from pathlib import Path; from edgekws.files import locks\n"
    program += "with locks.held(Path(sys.argv[1]), '', ''): print('held', flush=True); input()"
    with running([sys.executable, "-c", program, str(tmp_path / "l")], stdin=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline() == "held\n"
        note = tmp_path / "l.json"
        assert json.loads(note.read_text())["pid"] == process.pid
        for content in ("", "{", '{"pid": "x"}', "[]"):
            note.write_text(content)
            with (
                pytest.raises(ConfigError, match="a process that does not say what it is"),
                locks.held(tmp_path / "l", "busy", ""),
            ):
                pytest.fail("the lock is held twice")
