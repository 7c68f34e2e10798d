"""Word folders of labelled recordings: whole files are copied, parts of long ones are written as WAV files."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from edgekws.data import audio, containers, utterances
from edgekws.data.decoding import reason
from edgekws.data.listing import RATE_HZ, LeftOut, state
from edgekws.errors import DataError, MissingPackageError
from edgekws.files import new_folder
from edgekws.types import Progress

_SPEAKER_LETTERS = 24
_CLIP_SAMPLES = RATE_HZ


@dataclass(frozen=True)
class Item:
    """One recording of a word. path: an audio file, or what `samples` were read from.

    parts: (start, end) in seconds of every label of a long file, and number: which of them this is; without them it is
    the whole file. samples: int16 [n] at rate_hz, where the file is not audio.
    """

    label: str
    speaker: str
    path: Path
    parts: tuple[tuple[float, float], ...] = ()
    number: int = 0
    samples: np.ndarray | None = None
    rate_hz: int = 0


@dataclass
class Written:
    """clips: by word; left_out: with reasons; other: clips of words that were not asked for."""

    clips: Counter[str] = field(default_factory=Counter)
    left_out: list[LeftOut] = field(default_factory=list)
    other: int = 0


def write(items: Iterable[Item | LeftOut], out: Path, words: Collection[str], progress: Progress) -> Written:
    """Write OUT/<word>/<speaker>_nohash_<n>.<suffix>. words: those to take, all when empty.

    Raises DataError when nothing is left, and ArtifactError when `out` exists or cannot be written.
    """
    result, numbers = Written(), Counter[tuple[str, str]]()
    with new_folder(out) as folder:
        done = 0
        for item in items:
            done += 1
            progress("import", done, done + 1)  # how many there are is known at the end
            if isinstance(item, LeftOut):
                result.left_out.append(item)
                continue
            word, speaker = folder_name(item.label), _speaker(item.speaker)
            if words and word not in words:
                result.other += 1
                continue
            place = folder / word / f"{speaker}_nohash_{numbers[word, speaker]}"
            problem = _problem(item, place) if word else "no label"
            if problem:
                result.left_out.append(LeftOut(str(item.path), problem))
                continue
            numbers[word, speaker] += 1
            result.clips[word] += 1
        progress("import", done, done)
        if not result.clips:
            why = "; ".join(
                f"{count} {text}" for text, count in Counter(e.reason for e in result.left_out).most_common(3)
            )
            got = why or (f"{result.other} of other words" if result.other else "none")
            raise DataError("there should be labelled recordings to import", got=got)
    return result


def folder_name(label: str) -> str:
    """A label as the name of a folder: no separators of paths, no dot in front, single blanks."""
    return re.sub(r"[\\/\x00-\x1f:*?\"<>|]+", "_", " ".join(label.split())).lstrip(".")


def _speaker(name: str) -> str:
    plain = re.sub(r"[^\w-]+", "-", name.replace("_nohash_", "-")).strip("-")
    return plain[:_SPEAKER_LETTERS] or "unknown"


def _problem(item: Item, place: Path) -> str:
    """Write one clip; why it could not be, or ""."""
    try:
        place.parent.mkdir(exist_ok=True)
        _write(item, place)
    except DataError as error:
        return reason(error, item.path)
    except MissingPackageError as error:
        if not containers.is_optional(error):
            raise
        return containers.needs(error)
    return ""


def _write(item: Item, place: Path) -> None:
    if item.samples is not None:
        _save(place, item.samples, item.rate_hz)
    elif item.parts:
        _save(place, _part(item), RATE_HZ)
    elif not item.path.is_file():
        raise DataError(f"{item.path} should be there", got="no such file")
    else:
        shutil.copyfile(item.path, place.with_name(place.name + item.path.suffix.lower()))


def _part(item: Item) -> np.ndarray:
    """The clip around one label, without half of its neighbours."""
    samples = _recent(item.path, state(item.path))
    parts = [(round(start * RATE_HZ), round(end * RATE_HZ)) for start, end in item.parts]
    start, stop = utterances.windows(parts, len(samples), _CLIP_SAMPLES)[item.number]
    if not 0 <= parts[item.number][0] < len(samples):
        raise DataError(f"{item.path} should last until its label", got="a label beyond its end")
    return samples[max(0, start) : stop]


@lru_cache(maxsize=1)
def _recent(path: Path, _state: str) -> np.ndarray:
    return audio.read(path, RATE_HZ)


def _save(place: Path, samples: np.ndarray, rate_hz: int) -> None:
    import soundfile

    soundfile.write(place.with_name(f"{place.name}.wav"), samples, rate_hz, subtype="PCM_16")
