"""What the operating system refuses, missing packages, and output that cannot take what is printed."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgekws import models
from edgekws.cli import console
from edgekws.errors import SystemFaultError
from tests.cli.mistakes.conftest import Run

REFUSED = {
    errno.EACCES: "is not readable. Got: it is owned by",
    errno.EPERM: "is not readable. Got: it is owned by",
    errno.EIO: "could not be read. Got: Input/output error",
    errno.EMFILE: "could not be read. Got: Too many open files. What to do: close other programs",
}


@pytest.mark.parametrize("number", REFUSED, ids=errno.errorcode.get)
def test_a_refused_read_ends_with_12(number: int, edgekws: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path, *_: object, **__: object) -> str:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "read_text", refused)
    ended = edgekws("train --recipe key.toml")
    assert ended.code == 12 and REFUSED[number] in ended.message, ended.err


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EDQUOT], ids=errno.errorcode.get)
def test_a_refused_write_ends_with_12(number: int, edgekws: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path, *_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "write_bytes", refused)
    ended = edgekws("export --out dscnn --format c")
    assert ended.code == 12 and "could not be written" in ended.message, ended.err


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the operating system refused a file. Got: No space left"),
        (PermissionError(errno.EACCES, "Permission denied", "/root/x"), "/root/x may not be read or written"),
        (MemoryError(), "there is not enough memory for this"),
    ],
)
def test_a_fault_that_nothing_expected_is_a_paragraph(
    error: Exception, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end, console.readable_errors(debug=False):
        raise error
    assert end.value.code == SystemFaultError.exit_code == 12
    assert words in capsys.readouterr().err


def test_a_missing_file_that_nothing_expected_stays_a_bug() -> None:
    with pytest.raises(FileNotFoundError), console.readable_errors(debug=False):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "x")


def test_without_torch_a_cpu_build_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end, console.readable_errors(debug=False):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")
    message = capsys.readouterr().err
    assert end.value.code == 4 and 'pip install "edgekws[train]"' in message
    assert "uv pip install torch --torch-backend cpu" in message


def test_paths_are_taken_as_people_paste_them(edgekws: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    (folder / "my model").mkdir(exist_ok=True)
    (folder / "my model" / "graph.npz").write_bytes((models.home() / "dscnn" / "graph.npz").read_bytes())
    for typed in ("dscnn' '", "'~/my model'", "'my model/'", "'my model/graph.npz '"):
        ended = edgekws(f"check {typed}")
        assert ended.code == 0 and "fits" in ended.out, (typed, ended.err)


def test_a_path_that_is_too_long_is_said_to_be(edgekws: Run) -> None:
    for line in ("check {0}", "train --recipe {0}", "export --out {0}", "data prepare --root {0}"):
        ended = edgekws(line.format("x" * 5000))
        assert ended.code == 2 and "is too long for this file system" in ended.message, ended.err[:300]
        assert len(ended.message) < 200


COMMAND = [sys.executable, "-m", "edgekws"]


def test_a_reader_that_leaves_early_is_no_error() -> None:
    """As in `edgekws --help | head -1`."""
    with subprocess.Popen([*COMMAND, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None and running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == ""


def test_an_encoding_without_the_signs_is_no_error() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run([*COMMAND, "größe"], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 2 and "the command edgekws gr" in done.stderr and "Traceback" not in done.stderr
