"""A selection does not depend on shards, engines, workers, memory, or on how often the run was killed."""

import json
import signal
import subprocess
import sys
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekws.curate.shards import greedy, method_names, select
from edgekws.curate.shards.memory import bytes_of, default_bytes
from edgekws.curate.shards.methods import facility
from edgekws.curate.shards.store import Layout
from edgekws.errors import ConfigError, DataError
from tests.curate.shards.clips import SMALL, KilledError, clips, shard, until
from tests.curate.shards.processes import alive, children, wait_until

METHODS = method_names()


@pytest.fixture
def many_stages(monkeypatch):
    """Facility location in several stages despite the small data."""
    monkeypatch.setattr(greedy, "FINAL_CLIPS", 40)
    monkeypatch.setattr(facility, "_MIN_WINNERS", 6)


def chosen(folder, method, work, size=20, seed=0, **options):
    options = {"workers": 1, "layout": SMALL} | options
    return select(folder, method, size, seed, work=work, **options)


@settings(max_examples=3)
@given(seed=st.integers(0, 2**31 - 1), size=st.integers(1, 60))
def test_the_selection_does_not_depend_on_shards_and_order(seed, size, tmp_path_factory):
    home = tmp_path_factory.mktemp("sharding")
    ids, vectors = clips(seed=seed)
    order = np.random.default_rng(seed).permutation(len(ids))
    forms = ((1, None), (2, None), (7, None), (3, order))
    folders = [shard(home / f"d{i}", ids, vectors, *form, group_rows=37) for i, form in enumerate(forms)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(greedy, "FINAL_CLIPS", 40)
        patch.setattr(facility, "_MIN_WINNERS", 6)
        for method in METHODS:
            first, *others = [chosen(folder, method, folder.with_suffix(".w"), size, seed) for folder in folders]
            assert len(set(first.ids)) == size
            for other in others:
                assert (other.ids, other.value, other.weights) == (first.ids, first.value, first.weights)
                assert other.store_sha256 == first.store_sha256


@pytest.mark.parametrize("method", METHODS)
def test_two_processes_select_the_same_as_one(method, tmp_path, many_stages):
    folder = shard(tmp_path / "d", *clips(), 3)
    one = chosen(folder, method, tmp_path / "one")
    two = chosen(folder, method, tmp_path / "two", workers=2)
    assert (one.workers, two.workers) == (1, 2)
    assert (two.ids, two.words, two.value, two.weights) == (one.ids, one.words, one.value, one.weights)
    assert two.peak_bytes > one.peak_bytes


def test_a_missing_package_of_an_engine_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    folder = shard(tmp_path / "d", *clips(40))
    with pytest.raises(ConfigError, match=r"pip install 'edgekws\[ray\]'"):
        chosen(folder, "random", tmp_path / "w", engine="ray")
    with pytest.raises(ConfigError, match="There are: process, ray"):
        chosen(folder, "random", tmp_path / "w", engine="spark")


def test_an_error_in_a_worker_is_raised_unchanged(tmp_path):
    ids, vectors = clips()
    vectors[211, 3] = np.nan
    with pytest.raises(DataError, match=r"shard0\.parquet, row 211: .*finite"):
        chosen(shard(tmp_path / "d", ids, vectors), "random", tmp_path / "w", workers=2)


# killed runs


@pytest.mark.parametrize("method", ["kcenter", "facility", "filtered"])
def test_a_run_killed_at_any_point_resumes_there(method, tmp_path, many_stages, monkeypatch):
    folder = shard(tmp_path / "d", *clips(), 2)
    monkeypatch.setattr("edgekws.curate.shards.plan", lambda *_: small_plan())
    whole = chosen(folder, method, tmp_path / "whole")
    for moment in count(1):
        try:
            result = chosen(folder, method, tmp_path / "w", progress=until(moment))
        except KilledError:
            continue
        break
    assert moment > 5
    assert (result.ids, result.value, result.weights) == (whole.ids, whole.value, whole.weights)
    assert result.counts == whole.counts


def small_plan():
    from edgekws.curate.shards.run import Plan

    return Plan(workers=1, cached_rows=8, stored_similarities=8, memory_bytes=2_000_000_000)


def test_kill_9_leaves_no_worker_and_the_next_run_resumes(tmp_path):
    ids, vectors = clips(4000, 64, words=20)
    folder = shard(tmp_path / "d", ids, vectors, 4)
    code = (
        "import sys; from pathlib import Path\n"
        "from edgekws.curate.shards import select; from edgekws.curate.shards.store import Layout\n"
        "if __name__ == '__main__':\n"
        "    def print_progress(what, done, total): print(what, done, total, flush=True)\n"
        "    select(Path(sys.argv[1]), 'kcenter', 200, 0, 2_000_000_000, 'process', print_progress,\n"
        "           work=Path(sys.argv[2]), workers=2, layout=Layout(512, 128))\n"
    )
    script = tmp_path / "run.py"
    script.write_text(code)
    command = [sys.executable, str(script), str(folder), str(tmp_path / "w")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("k-center") and " 3 8" in line:
                workers = children(process.pid)
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    assert workers
    wait_until(lambda: not any(alive(pid) for pid in workers))
    reports = []
    options = {"work": tmp_path / "w", "workers": 1, "layout": Layout(512, 128)}
    result = select(folder, "kcenter", 200, 0, progress=lambda *what: reports.append(what), **options)
    assert not [what for what, *_ in reports if what == "reading shards"]
    assert result.ids == select(folder, "kcenter", 200, 0, **options | {"work": tmp_path / "whole"}).ids


def test_a_concurrent_run_in_the_same_folder_is_refused(tmp_path):
    folder = shard(tmp_path / "d", *clips(40))

    def progress(*_):
        chosen(folder, "random", tmp_path / "w", 5)

    with pytest.raises(ConfigError, match="another run is working"):
        chosen(folder, "random", tmp_path / "w", 5, progress=progress)


# options


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2GB", 2_000_000_000), ("1.5 GiB", 1_610_612_736), ("800mb", 800_000_000), ("1000", 1000), ("64k", 64_000)],
)
def test_memory_sizes_are_parsed(text, expected):
    assert bytes_of(text) == expected


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "2 GBs", "1e9", "nan", "2,5GB"])
def test_malformed_memory_sizes_are_refused(text):
    with pytest.raises(ConfigError, match="2GB"):
        bytes_of(text)


def test_the_default_memory_is_half_of_what_is_free(tmp_path):
    assert default_bytes(tmp_path) == 2_000_000_000
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 9000 kB\nMemFree: 10 kB\nMemAvailable:    8000 kB\n")
    assert default_bytes(tmp_path) == 4000 << 10
    limits = tmp_path / "sys" / "fs" / "cgroup"
    limits.mkdir(parents=True)
    (limits / "memory.current").write_text("1024\n")
    (limits / "memory.max").write_text("max\n")
    assert default_bytes(tmp_path) == 4000 << 10
    (limits / "memory.max").write_text("5120\n")
    assert default_bytes(tmp_path) == 2048
    (limits / "memory.stat").write_text("anon 5\ninactive_file 512\nactive_file 100\n")
    assert default_bytes(tmp_path) == 2048 + 256


def test_wrong_options_are_refused(tmp_path):
    folder = shard(tmp_path / "d", *clips(40))
    with pytest.raises(ConfigError, match="There are: balanced, confidence"):
        chosen(folder, "best", tmp_path / "w")
    with pytest.raises(ConfigError, match="1 or more"):
        chosen(folder, "random", tmp_path / "w", 0)
    with pytest.raises(ConfigError, match="at most the 40 available clips"):
        chosen(folder, "random", tmp_path / "w", 41)
    with pytest.raises(ConfigError, match="most confident half can be selected: 2"):
        chosen(folder, "filtered", tmp_path / "w", 30)
    with pytest.raises(ConfigError, match=r"--memory should be \d+ MB or more for 40 clips.*Got: 100 MB"):
        chosen(folder, "random", tmp_path / "w", memory_bytes=100_000_000)
    one_word = shard(tmp_path / "one", *clips(40, words=1))
    with pytest.raises(ConfigError, match="two words"):
        chosen(one_word, "confidence", tmp_path / "w1")


def test_less_memory_means_fewer_workers(tmp_path):
    from edgekws.curate.shards.run import plan

    full = plan(1_000_000, 1024, 8192, Layout(), 2_000_000_000, 2)
    assert full.workers == 2
    least = plan(1_000_000, 1024, 8192, Layout(), 800_000_000, 8)
    assert (least.workers, least.cached_rows < full.cached_rows) == (1, True)
    assert plan(23_400_000, 1024, 8192, Layout(), 8_000_000_000, 8).workers == 8


def test_the_selection_file_is_complete(tmp_path):
    folder = shard(tmp_path / "d", *clips(60))
    result = chosen(folder, "facility", tmp_path / "w", 5)
    (path,) = (tmp_path / "w" / "runs").glob("*/selection.json")
    value = json.loads(path.read_text())
    assert (value["kind"], value["version"], tuple(value["ids"])) == ("edgekws-scale-selection", 1, result.ids)
    assert sum(result.weights) == 60
    picked = result.selection((result.words[0], "absent"))
    assert picked.size == 5
    assert picked.targets["absent"] == ()
    assert all(name.startswith(result.words[0]) for name in picked.targets[result.words[0]])


def test_the_default_work_folder_is_beside_the_shards(tmp_path):
    folder = shard(tmp_path / "d", *clips(40))
    select(folder, "random", 5, 0, workers=1)
    assert (tmp_path / "d.work" / "store.json").exists()
    assert [path.name for path in folder.iterdir()] == ["shard0.parquet"]
