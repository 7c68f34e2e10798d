"""Full disks, changing shards, stale files: the right selection or a clear error, never a partial result."""

import errno
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from edgekws.curate.shards import select, source
from edgekws.errors import ArtifactError, DataError, SystemFaultError
from tests.curate.shards.clips import SMALL, KilledError, clips, shard, until


def chosen(folder, work, **options):
    return select(folder, "facility", 20, 0, work=work, **{"workers": 1, "layout": SMALL} | options)


@pytest.fixture
def folder(tmp_path):
    return shard(tmp_path / "d", *clips(), 3)


@pytest.fixture
def expected(folder, tmp_path):
    return chosen(folder, tmp_path / "expected").ids


LIMITED = """
import resource, sys; from pathlib import Path
from edgekws.cli import console
from edgekws.curate.shards import select; from edgekws.curate.shards.store import Layout
if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), -1))
    with console.readable_errors(False):
        select(Path(sys.argv[1]), "facility", 20, 0, work=Path(sys.argv[2]), workers=int(sys.argv[3]),
               layout=Layout(64, 16))
"""


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("limit", [200, 2_000])
def test_a_file_that_cannot_be_written_is_named_and_the_next_run_succeeds(folder, expected, tmp_path, workers, limit):
    """A limit of the file size stands for a full disk: a write fails, here and in workers."""
    script = tmp_path / "limited.py"
    script.write_text(LIMITED)
    command = [sys.executable, str(script), str(folder), str(tmp_path / "w"), str(workers), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3], check=False)
    assert done.returncode == SystemFaultError.exit_code
    assert "could not be written" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "w" / "store.json").exists()
    assert chosen(folder, tmp_path / "w").ids == expected
    assert not list((tmp_path / "w").rglob("*.partial"))
    assert not list((tmp_path / "w").glob("pieces-*"))


def test_a_folder_that_cannot_be_made_is_named(folder, tmp_path, monkeypatch):
    original = Path.mkdir

    def mkdir(path, *args, **options):
        if path.name.startswith("pieces-"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(path, *args, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(ArtifactError, match=r"w could not be written.*No space left.*free some space"):
        chosen(folder, tmp_path / "w")


@pytest.mark.parametrize("stage", ["hashing shards", "reading shards", "sorting clips"])
def test_a_shard_that_changes_while_it_is_read_is_refused(folder, tmp_path, stage):
    ids, vectors = clips(seed=4)

    def progress(what, done, total):
        if (what, done) == (stage, total):
            shard(folder, ids, vectors, 3)

    with pytest.raises(DataError, match=r"shard0\.parquet should (stay as it is|be readable)"):
        chosen(folder, tmp_path / "w", progress=progress)
    assert not (tmp_path / "w" / "store.json").exists()
    assert chosen(folder, tmp_path / "w").ids == chosen(folder, tmp_path / "fresh").ids


@pytest.mark.parametrize("stage", ["hashing shards", "reading shards", "sorting clips"])
def test_a_shard_that_disappears_is_refused(folder, tmp_path, stage):
    with pytest.raises(DataError, match=r"shard1\.parquet should be"):
        chosen(folder, tmp_path / "w", progress=lambda what, *_: what == stage and remove(folder / "shard1.parquet"))
    assert not (tmp_path / "w" / "store.json").exists()


def remove(path):
    path.unlink(missing_ok=True)


@pytest.mark.parametrize("moment", range(2, 15, 3))
def test_a_shard_that_changed_after_a_kill_is_read_again(folder, tmp_path, moment):
    with pytest.raises(KilledError):
        chosen(folder, tmp_path / "w", progress=until(moment))
    ids, vectors = clips(seed=4)
    shard(folder, ids, vectors, 3)
    assert chosen(folder, tmp_path / "w").ids == chosen(folder, tmp_path / "fresh").ids


def test_stale_pieces_of_a_killed_run_are_removed(folder, expected, tmp_path):
    chosen(folder, tmp_path / "w")
    pieces = tmp_path / "w" / "pieces-0123456789abcdef"
    pieces.mkdir()
    (pieces / "000000-000.q8").write_bytes(b"")
    assert chosen(folder, tmp_path / "w").ids == expected
    assert not pieces.exists()


def test_hidden_folders_are_ignored(folder, expected, tmp_path):
    """An unfinished `edgekws embed` keeps pieces of its words in one; they would repeat clips."""
    shard(folder / ".work", *clips(), 2)
    assert chosen(folder, tmp_path / "w").ids == expected


def test_numbers_that_float32_cannot_hold_are_refused(tmp_path):
    (tmp_path / "d").mkdir()
    vectors = pyarrow.array([[1.0, 2.0], [3.0, 1e300]], pyarrow.list_(pyarrow.float64()))
    parquet.write_table(
        pyarrow.table({source.ID: ["a/1", "a/2"], source.VECTOR: vectors}), tmp_path / "d" / "x.parquet"
    )
    with pytest.raises(DataError, match=r"x\.parquet, row 1: .*finite numbers of float32"):
        chosen(tmp_path / "d", tmp_path / "w")


def test_a_clip_in_two_shards_is_refused_with_both_positions(tmp_path):
    ids, vectors = clips(60)
    source.write(tmp_path / "d" / "a.parquet", [(ids, vectors)])
    source.write(tmp_path / "d" / "sub" / "b.parquet", [([ids[41], "word0/new"], np.ones((2, 24), np.float32))])
    with pytest.raises(DataError, match=r"word\d/clip41\.wav in .*a\.parquet, row 41 and in .*b\.parquet, row 0"):
        chosen(tmp_path / "d", tmp_path / "w", workers=2)
    assert not (tmp_path / "w" / "store.json").exists()
