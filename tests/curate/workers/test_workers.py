"""The process engine, and engines and methods from outside; errors of a worker are raised in the main process."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgekws.curate import shards
from edgekws.curate import workers as engines
from edgekws.curate.shards import select
from edgekws.errors import DataError, EdgeKwsError
from tests.curate.shards import tasks
from tests.curate.shards.clips import SMALL, clips, shard
from tests.curate.shards.processes import alive, wait_until


@pytest.mark.parametrize("workers", [1, 2])
def test_each_task_is_done_once(workers):
    with engines.start("process", workers) as running:
        assert sorted(running.map(tasks.square, range(40))) == [(i, i * i) for i in range(40)]
        assert list(running.map(tasks.square, [])) == []
        assert (running.workers, running.peak_bytes() > 0) == (workers, workers > 1)


def test_a_slow_task_holds_up_no_other():
    with engines.start("process", 2) as running:
        assert next(running.map(tasks.uneven, range(6)))[0] != 0


def test_tasks_are_generated_on_demand():
    """Many large descriptions of tasks are never held together."""
    taken = []
    with engines.start("process", 2) as running:
        results = running.map(tasks.square, (taken.append(i) or i for i in range(100)))
        next(results)
        assert len(taken) <= 6


@pytest.mark.parametrize("workers", [1, 2])
def test_an_edgekws_error_is_raised_unchanged(workers):
    with engines.start("process", workers) as running, pytest.raises(DataError) as caught:
        list(running.map(tasks.refused, range(8)))
    assert (caught.value.got, caught.value.hint) == ("3", "give three")


def test_a_dead_worker_is_reported():
    with (
        pytest.raises(EdgeKwsError, match=r"Got: a worker that was killed.*fewer --workers"),
        engines.start("process", 2) as running,
    ):
        list(running.map(tasks.killed, range(4)))


def test_an_error_cancels_the_remaining_tasks(tmp_path):
    began = time.monotonic()
    with pytest.raises(KeyError), engines.start("process", 2) as running:
        for _ in running.map(tasks.noted, [(tmp_path, 0), (tmp_path, 1), (tmp_path, 2)]):
            raise KeyError
    assert time.monotonic() - began < 30
    workers = [int(path.name.partition("-")[2]) for path in tmp_path.iterdir()]
    wait_until(lambda: not any(map(alive, workers)))


def test_ctrl_c_is_handled_once_and_leaves_no_worker(tmp_path):
    """As from a terminal: the whole group of processes gets the signal."""
    script = tmp_path / "run.py"
    script.write_text(
        "import signal, sys; from pathlib import Path\n"
        "from edgekws.curate import workers; from tests.curate.shards import tasks\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "    with workers.start('process', 2) as running:\n"
        "        list(running.map(tasks.noted, [(Path(sys.argv[1]), 1), (Path(sys.argv[1]), 2)]))\n"
    )
    notes = tmp_path / "notes"
    notes.mkdir()
    root = str(Path(__file__).resolve().parents[3])
    command = [sys.executable, str(script), str(notes)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True, env={"PYTHONPATH": root}
    ) as process:
        wait_until(lambda: len(list(notes.iterdir())) == 2, 60)
        os.killpg(process.pid, signal.SIGINT)
        errors = process.communicate(timeout=30)[1]
    assert process.returncode == -signal.SIGINT
    assert errors.count("KeyboardInterrupt") == 1
    workers = [int(path.name.partition("-")[2]) for path in notes.iterdir()]
    wait_until(lambda: not any(map(alive, workers)))


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A package with an engine and a method, and no more."""
    home = tmp_path / "outside_workers"
    for part in (home, home / "workers", home / "shard_methods"):
        part.mkdir()
        (part / "__init__.py").touch()
    (home / "workers" / "backwards.py").write_text(
        "from contextlib import contextmanager\n"
        "class Engine:\n    workers = 1\n"
        "    def map(self, function, tasks):\n"
        "        for index, task in reversed(list(enumerate(tasks))):\n            yield index, function(task)\n"
        "    def peak_bytes(self):\n        return 0\n"
        "@contextmanager\ndef start(workers):\n    yield Engine()\n"
    )
    (home / "shard_methods" / "first.py").write_text(
        '"""The first clips of the store."""\n'
        "import numpy as np\nfrom edgekws.curate.shards.run import Picks\n"
        "def choose(run, size, seed):\n    return Picks(np.arange(size))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("EDGEKWS_PLUGINS", "outside_workers")
    return home


def test_engines_and_methods_of_other_packages(elsewhere, tmp_path):
    assert engines.names() == ["backwards", "process", "ray"]
    assert shards.described_methods()["first"] == "The first clips of the store."
    folder = shard(tmp_path / "d", *clips(), 3)
    options = {"workers": 1, "layout": SMALL}
    for method in ("facility", "kcenter"):
        own = select(folder, method, 9, 0, work=tmp_path / "own", **options)
        other = select(folder, method, 9, 0, engine="backwards", work=tmp_path / "other", **options)
        assert (other.ids, other.value, other.weights) == (own.ids, own.value, own.weights)
    assert len(set(select(folder, "first", 9, 0, work=tmp_path / "own", **options).ids)) == 9
