"""Files: a failed write leaves what was there; a full disk is one readable paragraph."""

import os
import resource
import subprocess
import sys

import numpy as np
import pytest

from edgekws import files
from edgekws.errors import ArtifactError


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.replacing(path) as partial:
        partial.write_text("new")
        raise RuntimeError("killed")
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_rows_are_an_npy_file(tmp_path):
    rows = np.arange(60, dtype=np.int16).reshape(10, 6)
    files.write_rows(tmp_path / "a.npy", [rows[:4], rows[4:]], rows.shape, rows.dtype)
    assert np.array_equal(np.load(tmp_path / "a.npy"), rows)


@pytest.mark.parametrize("content", ["", "[]", '{"kind": "other", "version": 1}', '{"kind": "x", "version": 2}', "{"])
def test_foreign_json_is_refused(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(ArtifactError, match="x file"):
        files.read_json(tmp_path / "a.json", "x", 1)


def limited(megabytes):
    """The operating system refuses to let any file grow beyond this, as a full disk would."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(megabytes * 1e6),) * 2)


def test_a_full_disk_during_prepare_and_training(recordings, prepared, tmp_path):
    command = [sys.executable, "-m", "edgekws.cli"]
    steps = {
        "prepare": ["data", "prepare", "--root", str(recordings), "--out", str(tmp_path / "new")],
        "train": ["train", "--data", str(prepared.folder), "--out", str(tmp_path / "out"), "--epochs", "1"],
    }
    for name, arguments in steps.items():
        recipe = ["--recipe", str(tmp_path / "r.toml")] if name == "train" else []
        (tmp_path / "r.toml").write_text("[net]\noptions = { channels = 64 }\n")
        done = subprocess.run(
            [*command, *arguments, *recipe],
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=lambda: limited(0.05),
            env={**os.environ, "EDGEKWS_DATA": ""},
        )
        assert done.returncode == 8, done.stderr
        said = " ".join(done.stderr.split())
        assert "could not be written" in said and "free some space" in said and "Traceback" not in said
    assert not (tmp_path / "new" / "index.json").exists()


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"kind": ' + "[" * 900 + "]" * 900 + "}", '{"kind": "' + "x" * 9999 + '"}']
)
def test_foreign_json_is_refused_briefly(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ArtifactError) as caught:
        files.read_json(tmp_path / "a.json", "edgekws-run", 1)
    assert len(str(caught.value)) < 500
