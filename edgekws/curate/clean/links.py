"""Word folders of links to the recordings that were kept; the recordings are not changed.

OUT/<word>/<file>                      -> the recording
OUT/<new label>/<file>_from_<word>     with a corrected label: the suffix avoids name clashes and keeps the speaker's
                                       name in front
"""

from __future__ import annotations

import shutil
from pathlib import Path

from edgekws.data import decisions as deciding
from edgekws.data.decisions import Decisions
from edgekws.errors import ArtifactError, ConfigError, DataError
from edgekws.files.fields import as_text


def write(root: Path, decided: Decisions, out: Path) -> int:
    """Write links to all files of `root` but the dropped ones to a new folder; returns their number.

    Raises ConfigError when `out` exists or is inside of `root`, DataError for clips that `root` does not have.
    """
    _require_new(root, out)
    files = _files(root)
    deciding.require_known(decided, files.keys(), root.resolve().name)
    _require_words(decided, {clip.partition("/")[0] for clip in files})
    partial = out.with_name(f".{out.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        for clip, path in files.items():
            if clip not in decided.dropped:
                _link(partial / _place(path, root, decided.relabelled.get(clip)), path)
        partial.rename(out)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        hint = "give another --out, on a file system that has symbolic links"
        raise ArtifactError(f"{out} should become a folder of links", got=error.strerror or "", hint=hint) from error
    return len(files) - len(decided.dropped)


def _files(root: Path) -> dict[str, Path]:
    """Sorted, by the path below `root` as text, as decisions name them."""
    if not root.is_dir():
        raise DataError(f"{root} should be a folder of word folders", got="no such folder", hint="check the path")
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    files = (path for folder in folders for path in sorted(folder.rglob("*")))
    below = ((path, path.relative_to(root)) for path in files if not path.is_dir())
    return {as_text(name.as_posix()): path for path, name in below if not any(part[0] == "." for part in name.parts)}


def _place(path: Path, root: Path, label: str | None) -> Path:
    name = path.relative_to(root)
    word = name.parts[0]
    return name if label is None else Path(label, *name.parts[1:-1], f"{path.stem}_from_{word}{path.suffix}")


def _link(link: Path, path: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(path.absolute())


def _require_words(decided: Decisions, words: set[str]) -> None:
    """A new label becomes a path, so it must be an existing folder."""
    strange = sorted(set(decided.relabelled.values()) - words)
    if strange:
        raise DataError(f"a new label should be one of {', '.join(sorted(words))}", got=", ".join(strange))


def _require_new(root: Path, out: Path) -> None:
    if out.exists():
        raise ConfigError("--out should be a new folder", got=f"{out}, which exists", hint="give another, or remove it")
    if root.resolve() in out.resolve().parents:
        raise ConfigError(f"--out should be outside of {root}", got=str(out))
