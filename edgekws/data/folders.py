"""Recordings as people keep them: a folder per word, files of any audio format, sub-folders per speaker.

    my_words/yes/anna/1.m4a, my_words/yes/bert_nohash_0.wav, my_words/no/long.wav (several words in one file)

Every file is a recording, or is left out with its reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgekws.data import audio, containers, utterances
from edgekws.data.cuts import Cut
from edgekws.data.decoding import is_silent, reason
from edgekws.data.labels import REJECT
from edgekws.data.listing import HIDDEN, NOISE_FOLDER, LeftOut, Recording, speaker_of
from edgekws.errors import DataError, MissingPackageError
from edgekws.files import fields

_SOUNDFILE = (
    *(".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".aif", ".aiff", ".aifc", ".au", ".snd"),
    *(".caf", ".w64", ".rf64", ".voc", ".sph"),
)
_PYAV = (
    *(".m4a", ".m4b", ".mp4", ".mov", ".aac", ".3gp", ".3g2", ".amr"),
    *(".webm", ".weba", ".mkv", ".mka", ".wma"),
)
SUFFIXES = frozenset((*_SOUNDFILE, *_PYAV))
"""Names of recordings. A file with another name is one when its first bytes are of an audio format."""
_HEADS = (b"RIFF", b"RIFX", b"RF64", b"fLaC", b"OggS", b"FORM", b".snd", b"caff", b"riff", b"ID3")
_SYSTEM = frozenset({"thumbs.db", "desktop.ini", "__macosx", "icon\r"})
_NO_FILE = "in the table of cuts, but not in the folder"
_LOOSE = "not in the folder of a word"
_WORKERS = 4
_DEEPEST = 8


@dataclass(frozen=True)
class Words:
    """What the word folders below a folder hold. clips: sorted by word and file; cuts: of the long recordings."""

    words: tuple[str, ...]
    clips: tuple[Recording, ...]
    left_out: tuple[LeftOut, ...]
    cuts: tuple[Cut, ...]


def words(root: Path, rate_hz: int, clip_samples: int, given: Mapping[str, Sequence[Cut]] | None = None) -> Words:
    """List the recordings of each word, and cut those that are longer than a clip.

    given: cuts of some files, which replace the automatic ones. Raises DataError when there is no folder of a word,
    when two names differ in case or spaces alone, and when a word has no usable recording.
    """
    folders = word_folders(root)
    found: list[tuple[Path, Path]] = []
    left_out = [LeftOut(_name(path, root), HIDDEN if _hidden(path) else _LOOSE) for path in _loose(root)]
    for folder in folders:
        files, unusable = files_below(folder, root)
        found += [(folder, path) for path in files]
        left_out += unusable
    clips: list[Recording] = []
    cuts: list[Cut] = []
    with ThreadPoolExecutor(_WORKERS) as pool:
        look = _Look(root, rate_hz, clip_samples, given or {})
        for made in pool.map(lambda each: look.at(*each), found):
            if isinstance(made, LeftOut):
                left_out.append(made)
            else:
                clips += made[0]
                cuts += made[1]
    _require_each(root, folders, clips, left_out)
    there = {_name(path, root) for _, path in found}
    left_out += [
        LeftOut(name, "in the table of cuts, but not in the folder") for name in given or () if name not in there
    ]
    names = tuple(folder.name.strip() for folder in folders)
    return Words(names, tuple(clips), tuple(sorted(left_out, key=lambda each: each.file)), tuple(cuts))


def word_folders(root: Path) -> list[Path]:
    """The folders of words below `root`, sorted; hidden ones and the background noises are none.

    Raises DataError when there is none, when two names differ in case or spaces alone, or one is not UTF-8.
    """
    if not root.is_dir():
        got = "a file" if root.exists() else "no such folder"
        raise DataError(f"{root} should be a folder of word folders", got=got, hint="check the path")
    inside = [path for path in root.iterdir() if path.is_dir() and not _hidden(path)]
    folders = sorted(path for path in inside if path.name != NOISE_FOLDER)
    if not folders:
        loose = [path for path in _loose(root) if not _hidden(path)]
        got = f"{len(loose)} files and no folder" if loose else "no folder in it"
        hint = f"make a folder per word, such as {root / 'yes'}, and move the recordings of that word into it"
        raise DataError(f"{root} should hold one folder per word", got=got, hint=hint)
    _require_distinct(folders)
    return folders


def noises(root: Path) -> tuple[tuple[Path, ...], tuple[LeftOut, ...]]:
    """The usable files of the folder of background noises, and those left out; none when there is no such folder."""
    folder = root / NOISE_FOLDER
    if not folder.is_dir():
        return (), ()
    files, left_out = files_below(folder, root)
    usable = []
    for path in files:
        problem = _problem(path)
        if problem:
            left_out.append(LeftOut(_name(path, root), problem))
        else:
            usable.append(path)
    return tuple(usable), tuple(left_out)


def files_below(folder: Path, root: Path) -> tuple[list[Path], list[LeftOut]]:
    """Recordings in `folder` and its sub-folders, sorted, and what is none. root: what names are relative to."""
    files, left_out = [], []
    for path in _walk(folder, _DEEPEST):
        why = _no_recording(path)
        if why:
            left_out.append(LeftOut(_name(path, root), why))
        else:
            files.append(path)
    return files, left_out


def is_named_as_recording(left_out: LeftOut) -> bool:
    """Whether a person would miss this file: it is not hidden, and its name is that of a recording."""
    return left_out.reason != HIDDEN and Path(left_out.file).suffix.lower() in SUFFIXES


def speaker(path: Path, folder: Path) -> str:
    """Who speaks in a file of the word folder `folder`: what stands before `_nohash_`, else the sub-folder."""
    below = path.relative_to(folder)
    return below.parts[0] if len(below.parts) > 1 and "_nohash_" not in path.stem else speaker_of(path)


@dataclass(frozen=True)
class _Look:
    """How to look at a file: what it becomes."""

    root: Path
    rate_hz: int
    clip_samples: int
    given: Mapping[str, Sequence[Cut]]

    def at(self, folder: Path, path: Path) -> tuple[list[Recording], list[Cut]] | LeftOut:
        name = _name(path, self.root)
        item = Recording(name, folder.name.strip(), speaker(path, folder), path, convert=True)
        try:
            samples = audio.read(path, self.rate_hz)
            if item.label not in REJECT and is_silent(samples):
                return LeftOut(name, "silence")
            cuts = self._given(name, path)
            if not cuts and len(samples) <= self.clip_samples:
                return [item], []
            cuts = cuts or self._found(name, path, samples)
        except DataError as error:
            return LeftOut(name, reason(error, path))
        except MissingPackageError as error:
            if not containers.is_optional(error):
                raise
            return LeftOut(name, containers.needs(error))
        if cuts and not any(cut.keep for cut in cuts):
            return LeftOut(name, "the table of cuts keeps none of it")
        return self._recordings(item, cuts, len(samples)), list(cuts)

    def _given(self, name: str, path: Path) -> tuple[Cut, ...]:
        size = path.stat().st_size
        return tuple(cut for cut in self.given.get(name, ()) if cut.file_bytes in (0, size))

    def _found(self, name: str, path: Path, samples: np.ndarray) -> tuple[Cut, ...]:
        """The loudest part where no word stands out: no row, and the recording stays whole until it is decoded."""
        size = path.stat().st_size
        ms = 1000 / self.rate_hz
        return tuple(
            Cut(name, round(each.start * ms), round(each.stop * ms), each.keep, f"{each.level_db}", each.note, size)
            for each in utterances.find(samples, self.rate_hz, self.clip_samples)
        )

    def _recordings(self, item: Recording, cuts: tuple[Cut, ...], length: int) -> list[Recording]:
        """A clip for each row to keep; a recording with one clip keeps its name as the id."""
        parts = [(self._samples(cut.start_ms), min(self._samples(cut.end_ms), length)) for cut in cuts]
        windows = utterances.windows(parts, length, self.clip_samples)
        kept = [(part[0], *window) for part, window, cut in zip(parts, windows, cuts, strict=True) if cut.keep]
        if not kept:
            return [item]
        ids = [item.id] if len(kept) == 1 else [f"{item.id}@{place}" for place, _, _ in kept]
        return [replace(item, id=name, start=a, stop=b) for name, (_, a, b) in zip(ids, kept, strict=True)]

    def _samples(self, ms: int) -> int:
        return ms * self.rate_hz // 1000


def _require_distinct(folders: list[Path]) -> None:
    """Names that a person reads as one word, and names that cannot be written as UTF-8."""
    unnamed = [fields.as_text(folder.name) for folder in folders if not fields.is_text(folder.name)]
    if unnamed:
        raise DataError("the name of a word folder should be UTF-8", got=", ".join(unnamed), hint="rename it")
    alike: dict[str, list[str]] = {}
    for folder in folders:
        alike.setdefault("".join(folder.name.casefold().split()), []).append(folder.name)
    same = [" and ".join(map(repr, names)) for names in alike.values() if len(names) > 1]
    if same:
        hint = "put their recordings into one folder, or rename one"
        raise DataError("each word should have one folder", got="; ".join(same), hint=hint)


def _require_each(root: Path, folders: list[Path], clips: list[Recording], left_out: list[LeftOut]) -> None:
    counts = Counter(clip.label for clip in clips)
    for folder in folders:
        if counts[folder.name.strip()]:
            continue
        prefix = f"{_name(folder, root)}/"
        why = Counter(each.reason for each in left_out if each.file.startswith(prefix) and each.reason != HIDDEN)
        got = "; ".join(f"{count} files: {text}" for text, count in why.most_common(3)) or "no file"
        hint = f"add recordings to {folder}, or remove it"
        raise DataError(f"the word folder {folder.name} should hold recordings", got=got, hint=hint)


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    """All files below a folder, sorted; folders that are hidden, empty, unreadable or too deep are named as files."""
    try:
        inside = sorted(folder.iterdir())
    except OSError:
        yield folder
        return
    for path in inside:
        if path.is_dir() and depth and not _hidden(path) and not _is_empty(path):
            yield from _walk(path, depth - 1)
        else:
            yield path


def _is_empty(folder: Path) -> bool:
    try:
        return next(folder.iterdir(), None) is None
    except OSError:
        return False


def _no_recording(path: Path) -> str:
    """Why a path is no recording, without decoding it; "" when it may be one."""
    if _hidden(path):
        return HIDDEN
    if not fields.is_text(str(path)):
        return "its name is not UTF-8: rename it"
    if path.is_symlink() and not path.exists():
        return "a link to a file that is not there"
    if path.is_dir():
        return "an empty folder" if _is_empty(path) else "a folder that cannot be read"
    if path.suffix.lower() not in SUFFIXES and not _sounds(path):
        return f"not a recording ({path.suffix.lower()})" if path.suffix else "not a recording"
    return ""


def _sounds(path: Path) -> bool:
    """Whether the first bytes are of an audio format; only regular files are opened."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(4).startswith(_HEADS) or containers.is_known(path)
    except OSError:
        return False


def _problem(path: Path) -> str:
    """Why a noise cannot be used; "" when it can."""
    try:
        if audio.length(path, audio.RATES_HZ.start) is None:
            audio.read(path, audio.RATES_HZ.start)
    except DataError as error:
        return reason(error, path)
    except MissingPackageError as error:
        if not containers.is_optional(error):
            raise
        return containers.needs(error)
    return ""


def _loose(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if not path.is_dir())


def _hidden(path: Path) -> bool:
    return path.name.startswith(".") or path.name.lower() in _SYSTEM


def _name(path: Path, root: Path) -> str:
    return fields.as_text(path.relative_to(root).as_posix())
