"""Ray, where it is installed: the same choice and the same errors as from processes, in silence."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgekws.curate import shards, workers
from edgekws.curate.shards import greedy, select
from edgekws.curate.shards.methods import facility
from edgekws.curate.workers.ray import _enter
from edgekws.errors import ConfigError, DataError, EdgeKwsError
from tests.curate.shards import tasks
from tests.curate.shards.clips import SMALL, clips, shard
from tests.curate.shards.processes import alive, command_of, descendants, wait_until

ray = pytest.importorskip("ray")
METHODS = shards.method_names()


@pytest.fixture(scope="module")
def cluster():
    """One for all tests: it takes seconds to start."""
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=128 << 20, log_to_driver=False)
    yield
    ray.shutdown()


def chosen(folder, method, work, **options):
    return select(folder, method, 20, 0, work=work, **{"workers": 2, "layout": SMALL, "engine": "ray"} | options)


@pytest.mark.slow
def test_each_task_is_done_once_over_many_windows(cluster):
    with workers.start("ray", 2) as running:
        assert sorted(running.map(tasks.square, range(40))) == [(i, i * i) for i in range(40)]
        assert list(running.map(tasks.square, [])) == []
        assert running.peak_bytes() > 0
    assert ray.is_initialized()  # not ours to stop


def test_tasks_are_submitted_one_window_at_a_time(cluster):
    taken = []
    with workers.start("ray", 2) as running:
        next(running.map(tasks.square, (taken.append(i) or i for i in range(100))))
    assert len(taken) == 16


def test_errors_are_raised_unchanged(cluster):
    with workers.start("ray", 2) as running:
        with pytest.raises(DataError) as caught:
            list(running.map(tasks.refused, range(8)))
        assert (caught.value.got, caught.value.hint) == ("3", "give three")
        with pytest.raises(ray.exceptions.UserCodeException, match=r"return 1 / number[\s\S]*ZeroDivisionError"):
            list(running.map(tasks.mistaken, [0]))


@pytest.mark.slow
def test_a_dead_worker_is_replaced_and_repeated_death_is_reported(cluster, tmp_path):
    with workers.start("ray", 2) as running:
        assert list(running.map(tasks.killed_once, [tmp_path / "died"])) == [(0, "done")]
        with pytest.raises(EdgeKwsError, match=r"every worker should finish its task.*Got: .+What to do: run the same"):
            list(running.map(tasks.killed, [0]))


@pytest.mark.slow
def test_ray_selects_the_same_as_processes_for_any_number_of_shards(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(greedy, "FINAL_CLIPS", 40)
    monkeypatch.setattr(facility, "_MIN_WINNERS", 6)
    ids, vectors = clips()
    folders = [shard(tmp_path / f"d{count}", ids, vectors, count, group_rows=37) for count in (1, 2, 7)]
    for method in METHODS:
        own = chosen(folders[0], method, tmp_path / "own", engine="process", workers=1)
        for folder in folders:
            result = chosen(folder, method, folder.with_suffix(".w"))
            assert (result.ids, result.value, result.weights) == (own.ids, own.value, own.weights)
            assert (result.store_sha256, result.engine) == (own.store_sha256, "ray")


def test_relative_paths_are_resolved_in_the_callers_folder(cluster, tmp_path, monkeypatch):
    """A worker that was started before has another current folder."""
    shard(tmp_path / "here" / "d", *clips(), 3)
    monkeypatch.chdir(tmp_path / "here")
    result = chosen(Path("d"), "facility", Path("w"))
    assert result.ids == chosen(Path("d"), "facility", Path("own"), engine="process", workers=1).ids
    assert (tmp_path / "here" / "w" / "store.json").exists()


def test_a_folder_missing_on_a_node_is_reported(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere should be a folder on .*share"):
        _enter(str(tmp_path / "nowhere"))


def test_a_bad_shard_is_reported_with_file_and_row(cluster, tmp_path):
    ids, vectors = clips()
    vectors[211, 3] = np.nan
    with pytest.raises(DataError, match=r"shard0\.parquet, row 211: .*finite"):
        chosen(shard(tmp_path / "d", ids, vectors), "random", tmp_path / "w")
    assert not (tmp_path / "w" / "store.json").exists()


def test_an_unreachable_cluster_is_reported(tmp_path, monkeypatch):
    def init(**options):
        raise ConnectionError(f"nothing at {options['address']}")

    monkeypatch.setenv("RAY_ADDRESS", "nowhere:6379")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    with pytest.raises(ConfigError, match=r"start \(nowhere:6379\)\. Got: nothing at nowhere.*its token"):
        chosen(shard(tmp_path / "d", *clips(40)), "random", tmp_path / "w")


RUN = """
import sys; from pathlib import Path
from edgekws.curate.shards import select; from edgekws.curate.shards.store import Layout
def print_progress(what, done, total): print(what, done, total, flush=True)
if __name__ == "__main__":
    options = {"work": Path(sys.argv[2]), "workers": 2, "layout": Layout(512, 128)}
    print(select(Path(sys.argv[1]), "kcenter", 200, 0, engine="ray", progress=print_progress, **options).ids)
"""


@pytest.mark.slow
def test_kill_9_ends_the_started_cluster_and_the_next_run_resumes_without_warnings(tmp_path):
    folder = shard(tmp_path / "d", *clips(4000, 64, words=20), 4)
    script = tmp_path / "run.py"
    script.write_text(RUN)
    command = [sys.executable, "-W", "error", str(script), str(folder), str(tmp_path / "w")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("k-center") and " 3 8" in line:
                below = [pid for pid in descendants(process.pid) if "Agent" not in command_of(pid)]
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    assert len(below) > 3
    wait_until(lambda: not any(map(alive, below)), 30)  # Ray's two agents wait a minute more, and do nothing
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONHASHSEED": "1"})
    assert done.stderr == ""
    assert "reading shards" not in done.stdout
    layout = {"workers": 1, "layout": type(SMALL)(512, 128)}
    assert done.stdout.splitlines()[-1] == str(select(folder, "kcenter", 200, 0, work=tmp_path / "own", **layout).ids)
