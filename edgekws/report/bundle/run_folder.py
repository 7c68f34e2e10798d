"""The folder of one run, and the pointer `latest` to the newest.

No run replaces another: a second run within a second gets a number. `latest` is a relative symbolic link; where links
are impossible, a text file with the name of the folder.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import count, islice
from pathlib import Path

from edgekws.errors import ArtifactError
from edgekws.files import write_text, writing

LATEST = "latest"
REPORT, BENCH, TRAFFIC = "report.json", "bench.json", "traffic.jsonl"
FIRMWARE = "firmware.elf"
SAMPLES = ("energy.f32", "energy.json")
"""What a live meter measured, while the run lasts."""
DOCUMENTS = (REPORT, "report.md", BENCH, "graph.npz", "board.toml", "schema.json")
"""Every run has these."""
_WORTH_KEEPING = (REPORT, BENCH, TRAFFIC, "energy.f32")
_RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[a-z][a-z0-9_-]*")


@contextmanager
def new_run(parent: Path, modes: Sequence[str], at: datetime) -> Iterator[Path]:
    """A new folder in `parent` for a `with` block, named after the time and the modes.

    An error inside of the block removes it, unless it holds results or a recording. Those of killed runs that hold
    nothing but the firmware are removed, too: call it while no other process runs in `parent`. Raises ArtifactError
    when it cannot be made.
    """
    _remove_killed(parent)
    folder = _created(parent, "-".join((at.strftime("%Y%m%d-%H%M%S"), *modes)))
    try:
        yield folder
    except BaseException:
        _discard(folder)
        raise


def point_to(folder: Path) -> None:
    """Make `latest` beside `folder` name it, atomically. Raises ArtifactError when that fails."""
    pointer = folder.with_name(LATEST)
    partial = folder.with_name(f".{LATEST}.{os.getpid()}.partial")
    with writing(pointer):
        partial.unlink(missing_ok=True)
        try:
            partial.symlink_to(folder.name, target_is_directory=True)
        except OSError:  # a file system without links, or a user of Windows without the right to make them
            write_text(pointer, folder.name + "\n")
            return
        partial.replace(pointer)


def newest(path: Path) -> Path:
    """The run in `path`: itself, or the one that its `latest` names; files are returned as they are.

    Raises ArtifactError for a folder without a run.
    """
    if path.name == LATEST and path.is_file():
        return _named(path)
    if path.name == LATEST and path.is_symlink() and path.is_dir():
        return path.with_name(path.readlink().name)
    if not path.is_dir():
        return path
    pointer = path / LATEST
    if pointer.is_file():
        return _named(pointer)
    if pointer.is_dir():
        return path / pointer.readlink().name if pointer.is_symlink() else pointer
    if any((path / name).is_file() for name in (REPORT, BENCH)):
        return path
    if _RUN_ID.fullmatch(path.resolve().name):
        got = "one that ended before it wrote a report: it was killed, or it is still running"
        hint = "run `edgekws bench` again; it removes such a folder when nothing but the firmware is in it"
        raise ArtifactError(f"{path} should be the folder of a run with its report", got=got, hint=hint)
    expected = f"{path} should be a run of `edgekws bench`, or a folder with {LATEST}"
    raise ArtifactError(expected, got="a broken link" if pointer.is_symlink() else "none", hint=_below(path))


def before(run: Path) -> Path | None:
    """The run beside `run` that was made before it with the same modes and has a report; None without one."""
    modes = run.name.split("-", 2)[2]
    older = [path for path in run.parent.glob(f"*-*-{modes}") if path.name < run.name and (path / REPORT).is_file()]
    return max(older, default=None, key=lambda path: path.name)


def _below(folder: Path) -> str:
    """What to do instead of giving `folder`: the runs in it, or the folders of boards below it."""
    runs = [found.parent for found in islice(folder.glob(f"**/{REPORT}"), 64)]
    boards = {run.parent if run.parent != folder and os.path.lexists(run.parent / LATEST) else run for run in runs}
    shown = [str(path) for path in sorted(boards, reverse=True)][:4]
    return f"give {' or '.join(shown)}" if shown else "run `edgekws bench` first"


def _named(pointer: Path) -> Path:
    """The folder that a `latest` without a link names. Raises ArtifactError for anything else than a folder beside."""
    with writing(pointer):
        name = pointer.read_text("utf-8", errors="replace").strip()
    folder = pointer.with_name(name) if name and name == Path(name).name and name not in (".", "..") else None
    if folder is None or not folder.is_dir():
        hint = _below(pointer.parent)
        raise ArtifactError(f"{pointer} should name a run beside it", got=ascii(name)[:80], hint=hint)
    return folder


def _created(parent: Path, name: str) -> Path:
    for number in count(1):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        with writing(folder):
            parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                folder.mkdir()
                return folder
    raise AssertionError


def _remove_killed(parent: Path) -> None:
    """Remove folders of runs in `parent` with nothing in them but the firmware, which can be built again."""
    for folder in parent.glob("*"):
        if _RUN_ID.fullmatch(folder.name) and not folder.is_symlink() and folder.is_dir():
            names = {path.name for path in folder.iterdir()}
            if names <= {FIRMWARE} and not (folder / FIRMWARE).is_dir():
                with suppress(OSError):  # it may be someone else's
                    (folder / FIRMWARE).unlink(missing_ok=True)
                    folder.rmdir()


def missing(folder: Path, names: Iterable[str]) -> ArtifactError | None:
    """An error that says which of the files `names` of a run have gone from its folder; None when all are there."""
    gone = [name for name in names if not (folder / name).is_file()]
    if not gone:
        return None
    hint = "keep the folder as it is until the run has ended, and bench again"
    expected = f"{folder} should have every file that the run wrote into it"
    return ArtifactError(expected, got=f"no {', '.join(gone)}: removed while it ran", hint=hint)


def _discard(folder: Path) -> None:
    if any((folder / name).is_file() and (folder / name).stat().st_size for name in _WORTH_KEEPING):
        return
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # other runs are there
        folder.parent.rmdir()
