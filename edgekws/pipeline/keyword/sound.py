"""The user's recordings: of the phrase, of sound without it, of noises and rooms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from edgekws.data import audio, folders
from edgekws.data.phrase import effects
from edgekws.data.phrase.bank import Bank
from edgekws.errors import DataError
from edgekws.files import sha256
from edgekws.pipeline.keyword.plan import RATE_HZ

TRAINING, VALIDATION, TEST = "training", "validation", "test"
_SHARES = ((60, TRAINING), (80, VALIDATION), (100, TEST))
_MOST_HOURS = 4.0
_PIECE_S, _PAUSE_S = 60, 0.15

Progress = Callable[[str, int, int], None]


def listed(folder: Path, option: str) -> tuple[Path, ...]:
    """Every recording below a folder, in order. Raises DataError where there is none."""
    if not folder.is_dir():
        raise DataError(f"{option} should be a folder of recordings", got=f"no folder {folder}")
    paths = tuple(path for path in sorted(folder.rglob("*")) if path.suffix.lower() in folders.SUFFIXES)
    if not paths:
        hint = "put recordings there, of any common format, or leave the option out"
        raise DataError(f"{option} should be a folder of recordings", got=f"none below {folder}", hint=hint)
    return paths


def phrases(paths: Sequence[Path]) -> Bank:
    """Recordings of the phrase, without the silence around it. Raises DataError for one that cannot be used."""
    clips = []
    for path in paths:
        clip = effects.trimmed(audio.read(path, RATE_HZ), RATE_HZ)
        if not len(clip) or int(np.abs(clip.astype(np.int32)).max()) < 8:
            raise DataError(f"{path} should hold the phrase", got="silence", hint="record it again or remove it")
        clips.append(clip)
    return Bank(tuple(clips), tuple(map(str, paths)))


def long_audio(roots: Sequence[Path], option: str, seed: int, progress: Progress) -> dict[str, Bank]:
    """Sound below the folders by part: 60 % of the files train, 20 % choose the threshold, 20 % test it.

    A file's part follows from its path below its folder. Of more than four hours a part is drawn by the seed. Short
    recordings of a part are joined, with pauses between them.
    """
    named = [(path, path.relative_to(root).as_posix()) for root in roots for path in listed(root, option)]
    order = np.random.default_rng(seed).permutation(len(named))
    parts: dict[str, list[tuple[str, np.ndarray]]] = {part: [] for _, part in _SHARES}
    samples = 0
    for done, number in enumerate(order, 1):
        path, name = named[number]
        sound = audio.read(path, RATE_HZ)
        samples += len(sound)
        parts[_part(name)].append((str(path), sound))
        progress("background", done, len(named))
        if samples > _MOST_HOURS * 3600 * RATE_HZ:
            break
    return {part: _pieces(each) for part, each in parts.items()}


def _pieces(named: Sequence[tuple[str, np.ndarray]]) -> Bank:
    """Recordings end to end with pauses, in pieces of a minute that have the name of the recording they begin in."""
    pause, length = np.zeros(int(_PAUSE_S * RATE_HZ), np.int16), _PIECE_S * RATE_HZ
    whole = np.concatenate([np.zeros(0, np.int16), *(part for _, sound in named for part in (sound, pause))])
    edges = np.cumsum([len(sound) + len(pause) for _, sound in named])
    starts = range(0, len(whole), length)
    names = tuple(named[int(np.searchsorted(edges, start, side="right"))][0] for start in starts)
    return Bank(tuple(whole[start : start + length] for start in starts), names)


def clips(roots: Sequence[Path], option: str) -> Bank:
    """All recordings below the folders."""
    paths = [path for root in roots for path in listed(root, option)]
    return Bank(tuple(audio.read(path, RATE_HZ) for path in paths), tuple(map(str, paths)))


def _part(name: str) -> str:
    percent = int(sha256(name.encode()), 16) % 100
    return next(part for limit, part in _SHARES if percent < limit)
