"""Files: a failed write leaves what was there; a full disk is one readable paragraph."""

import errno
import os
import resource
import subprocess
import sys

import numpy as np
import pytest

from edgekws import files
from edgekws.errors import ArtifactError, ConfigError, SystemFaultError, unknown
from edgekws.files.os_errors import no_temporary_files, unreadable, unwritable


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.replacing(path) as partial:
        partial.write_text("new")
        raise RuntimeError("killed")
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("name", ["**", "a*", "[b]", "?"])
def test_a_name_is_no_pattern(tmp_path, name):
    """What a killed run left of this file is removed, and nothing of any other file."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    mine, other = (tmp_path / f".{stem}.{ended.pid}.partial" for stem in (name, "abc"))
    mine.write_text("half")
    other.write_text("of another file")
    files.write_text(tmp_path / name, "new")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([name, other.name])


def test_rows_are_an_npy_file(tmp_path):
    rows = np.arange(60, dtype=np.int16).reshape(10, 6)
    files.write_rows(tmp_path / "a.npy", [rows[:4], rows[4:]], rows.shape, rows.dtype)
    assert np.array_equal(np.load(tmp_path / "a.npy"), rows)


@pytest.mark.parametrize("content", ["", "[]", '{"kind": "other", "version": 1}', '{"kind": "x", "version": 2}', "{"])
def test_foreign_json_is_refused(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(ArtifactError, match="x file"):
        files.read_json(tmp_path / "a.json", "x", 1)


def refused(number):
    """What the operating system raises for this errno."""
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("number", "expected", "absent"),
    [
        (errno.ENOSPC, "No space left.*free some space", "owned by"),
        (errno.EDQUOT, "quota.*free some space", "owned by"),
        (errno.EACCES, r"{folder} is not writable. Got: it is owned by .* \(mode 750\), and you are ", "space"),
        (errno.EPERM, "{folder} is not writable", "space"),
        (errno.EROFS, "Read-only.*another disk", "space"),
        (errno.EIO, "Input/output error.*another output folder", "space"),
    ],
)
def test_a_refused_write_says_why_and_what_to_do(tmp_path, number, expected, absent):
    tmp_path.chmod(0o750)
    with (
        pytest.raises(ArtifactError, match=expected.format(folder=tmp_path)) as caught,
        files.writing(tmp_path / "a/b"),
    ):
        raise refused(number)
    assert absent not in str(caught.value)


def test_a_folder_without_write_permission_names_its_owner(tmp_path, monkeypatch):
    def mkdir(*_, **__):
        raise refused(errno.EACCES)

    monkeypatch.setattr("pathlib.Path.mkdir", mkdir)
    for write in (lambda: files.write_text(tmp_path / "new" / "a.txt", ""), lambda: open_new_folder(tmp_path / "new")):
        with pytest.raises(ArtifactError, match=f"{tmp_path} is not writable. Got: it is owned by") as caught:
            write()
        assert "free some space" not in str(caught.value)


def open_new_folder(path):
    with files.new_folder(path):
        pass


def test_a_file_without_write_permission_is_named_itself(tmp_path):
    (tmp_path / "traffic.jsonl").touch()
    error = unwritable(tmp_path / "traffic.jsonl", refused(errno.EACCES), "another file", untouched=False)
    assert f"{tmp_path / 'traffic.jsonl'} is not writable. Got: it is owned by" in str(error)
    assert "give another file, or change the permissions" in str(error)


def test_a_build_without_temporary_files_is_a_fault_of_the_system(tmp_path):
    """Graph.compile falls back to the interpreter then."""
    full, denied = (no_temporary_files(tmp_path, refused(number)) for number in (errno.ENOSPC, errno.EACCES))
    assert isinstance(full, SystemFaultError) and "free some space or give another folder for temporary" in str(full)
    assert "owned by" in str(denied) and "space" not in str(denied) and "TMPDIR" in str(denied)


def test_a_file_where_a_folder_should_be_is_named(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(ArtifactError, match=f"{tmp_path / 'out'} is not a folder"):
        files.write_text(tmp_path / "out" / "a.txt", "")
    assert "is not a folder" in str(unwritable(tmp_path / "out" / "a.txt", NotADirectoryError(errno.ENOTDIR, "")))


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOENT, "there is no file {path}; a recipe is expected there. What to do: write one"),
        (errno.EISDIR, "{path} is a folder; a recipe is expected there"),
        (errno.EACCES, "{path} is not readable. Got: it is owned by"),
        (errno.EIO, "{path} could not be read. Got: Input/output error"),
        (errno.EMFILE, "{path} could not be read. Got: Too many open files"),
    ],
)
def test_a_refused_read_says_why(tmp_path, number, expected):
    path = tmp_path / "r.toml"
    path.touch()
    error = unreadable(ConfigError, path, "a recipe", refused(number), "write one")
    assert error.exit_code == (4 if number in (errno.ENOENT, errno.EISDIR) else 12)
    assert str(error).startswith(expected.format(path=path))


def test_an_unknown_name_is_answered_with_the_nearest_one():
    assert unknown("--format", "tfl", ["tflite", "c"]) == (
        "--format tfl is not known; did you mean tflite? There are: c, tflite"
    )
    assert unknown("--format", "zzz", ["tflite", "c"]) == "--format zzz is not known. There are: c, tflite"


def limited(megabytes):
    """The operating system refuses to let any file grow beyond this, as a full disk would."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(megabytes * 1e6),) * 2)


def test_a_full_disk_during_prepare_and_training(recordings, prepared, tmp_path):
    command = [sys.executable, "-m", "edgekws"]
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
        assert done.returncode == 12, done.stderr
        message = " ".join(done.stderr.split())
        assert "could not be written" in message and "free some space" in message and "Traceback" not in message
    assert not (tmp_path / "new" / "index.json").exists()


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"kind": ' + "[" * 900 + "]" * 900 + "}", '{"kind": "' + "x" * 9999 + '"}']
)
def test_foreign_json_is_refused_briefly(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ArtifactError) as caught:
        files.read_json(tmp_path / "a.json", "edgekws-run", 1)
    assert len(str(caught.value)) < 500
