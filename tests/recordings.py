"""A few hundred recordings in the layout of Speech Commands: real when there are some, else of espeak-ng."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tarfile
from pathlib import Path

from edgekws.data.listing import NOISE_FOLDER
from edgekws.data.sources import synthetic
from edgekws.data.sources.speech_commands import MAIN, TEST_ARCHIVE

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
PER_WORD = {"train.tar": 40, "validation.tar": 10, "test_set.tar": 25}


def provide(folder: Path) -> str:
    """Fill `folder`; return "real" or "synthetic"."""
    named = os.environ.get("EDGEKWS_DATA")
    if named:
        _link_some(Path(named), folder)
    elif (SHARED / "unpack.py").exists():
        _unpack_some(folder)
    else:
        synthetic.make(folder, lambda *_: None)
        return "synthetic"
    return "real"


def _unpack_some(folder: Path) -> None:
    """The first recordings of each word, straight from the archives."""
    spec = importlib.util.spec_from_file_location("unpack", SHARED / "unpack.py")
    assert spec and spec.loader
    unpack = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(unpack)
    for archive, limit in PER_WORD.items():
        taken: dict[str, int] = {}
        with tarfile.open(SHARED / archive) as tar:
            for member in tar:
                word = Path(member.name).parent.name
                allowed = 6 if word == NOISE_FOLDER else limit
                if member.isfile() and taken.get(word, 0) < allowed:
                    taken[word] = taken.get(word, 0) + 1
                    target = folder / unpack.LAYOUT[archive] / Path(member.name).with_suffix(".wav")
                    unpack.to_wav(tar.extractfile(member).read(), target)
    for name in ("validation_list.txt", "testing_list.txt"):
        shutil.copy(SHARED / name, folder / MAIN / name)


def _link_some(root: Path, folder: Path) -> None:
    lists = {name: (root / MAIN / name).read_text().split() for name in ("validation_list.txt", "testing_list.txt")}
    held_out = set(lists["validation_list.txt"]) | set(lists["testing_list.txt"])
    for source in sorted((root / MAIN).iterdir()):
        if not source.is_dir():
            continue
        paths = sorted(source.glob("*.wav"))
        train = [p for p in paths if f"{source.name}/{p.name}" not in held_out][: PER_WORD["train.tar"]]
        validation = [p for p in paths if f"{source.name}/{p.name}" in lists["validation_list.txt"]]
        for path in train + validation[: PER_WORD["validation.tar"]]:
            _link(path, folder / MAIN / source.name / path.name)
    for source in sorted((root / TEST_ARCHIVE).iterdir()):
        for path in sorted(source.glob("*.wav"))[: PER_WORD["test_set.tar"]]:
            _link(path, folder / TEST_ARCHIVE / source.name / path.name)
    for name in lists:
        shutil.copy(root / MAIN / name, folder / MAIN / name)


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source.resolve())
