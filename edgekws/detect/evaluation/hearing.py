"""Streams from recordings: each is heard once, and its posteriors are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgekws.data import audio, folders
from edgekws.data.imports import audacity
from edgekws.data.listing import LeftOut
from edgekws.data.streams import files
from edgekws.detect.evaluation.scenes import Room, Scene, Spoken
from edgekws.detect.evaluation.streams import Heard, Piece, Word
from edgekws.detect.listener import Scorer
from edgekws.errors import DataError
from edgekws.types import Progress

MakeScorer = Callable[[], Scorer]
"""A scorer at the beginning of a stream."""
_SPEAKER = "_nohash_"
"""Of Speech Commands: SPEAKER_nohash_NUMBER.wav."""


def of_blocks(name: str, blocks: Iterable[np.ndarray], scorer: Scorer) -> Heard:
    """The stream of int16 blocks."""
    posteriors = [scorer.push(block).astype(np.int16) for block in blocks]
    joined = np.concatenate([scorer.push(np.zeros(0, np.int16)).astype(np.int16), *posteriors])
    return Heard(name, joined, scorer.samples, scorer.clock)


def of_scene(scene: Scene, scorer: Scorer) -> Heard:
    """A scene with its words."""
    samples = scene.samples
    blocks = (samples[at : at + _BLOCK] for at in range(0, len(samples), _BLOCK))
    heard = of_blocks(scene.name, blocks, scorer)
    return replace(
        heard, words=scene.words, pieces=scene.pieces, read=lambda start, stop: samples[max(start, 0) : stop]
    )


_BLOCK = 1 << 14


def background(
    name: str,
    paths: Sequence[Path],
    scorer: Scorer,
    faults: list[str],
    report: Progress,
    synthetic: bool = False,
) -> Heard:
    """Recordings, one after the other, as one stream. faults: gets what went wrong.

    Raises DataError where there is nothing to hear.
    """
    pieces, rate_hz = list[Piece](), scorer.clock.rate_hz

    def blocks() -> Iterator[np.ndarray]:
        for number, each in enumerate(paths):
            report(f"hear {name}", number, len(paths))
            try:
                source = files.opened(each, rate_hz)
            except DataError as error:
                faults.append(str(error))
                continue
            pieces.append(Piece(scorer.samples, str(each)))
            yield from source
            faults.extend(f"{each}: {fault}" for fault in source.faults)
        report(f"hear {name}", len(paths), len(paths))

    heard = of_blocks(name, blocks(), scorer)
    if not heard.samples:
        raise DataError(f"{name} should hold sound", got="none that can be read")
    return replace(
        heard,
        pieces=tuple(pieces),
        synthetic=synthetic,
        read=lambda start, stop: _reread(pieces, rate_hz, start, stop),
    )


def recordings(path: Path) -> list[Path]:
    """The recording, or all below a folder, by their names. Raises DataError when there is none."""
    if path.is_file():
        return [path]
    found = sorted(each for each in path.rglob("*") if each.suffix.lower() in folders.SUFFIXES and each.is_file())
    if not found:
        raise DataError(f"{path} should be a recording, or a folder of them", got="none")
    return found


def spoken(folder: Path, keywords: Sequence[str], rate_hz: int, faults: list[str]) -> list[Spoken]:
    """The recordings in the folders of the keywords; a speaker is known where names have one.

    Raises DataError for a folder without a folder of any keyword.
    """
    found = []
    for keyword in keywords:
        paths = sorted((folder / keyword).glob("*")) if (folder / keyword).is_dir() else []
        sounds = [path for path in paths if path.suffix.lower() in folders.SUFFIXES]
        found += spoken_in(sounds, keywords.index(keyword), rate_hz, faults)
    if not found:
        inside = sorted(each.name for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else []
        hint = "give a folder with a folder of recordings for each word, or recordings with label tracks of Audacity"
        got = f"folders {', '.join(inside[:6])}" if inside else "no folder in it"
        raise DataError(f"{folder} should hold recordings of {', '.join(keywords)}", got=got, hint=hint)
    return found


def spoken_in(paths: Iterable[Path], keyword: int, rate_hz: int, faults: list[str]) -> list[Spoken]:
    """Recordings of one word."""
    found = _readable(paths, rate_hz, faults)
    return [Spoken(keyword, samples, speaker_of(path), str(path)) for path, samples in found]


def speaker_of(path: Path) -> str:
    """From a name of the form of Speech Commands; "" for others."""
    return path.stem.split(_SPEAKER)[0] if _SPEAKER in path.stem else ""


def labelled(path: Path, keywords: Sequence[str], make: MakeScorer, faults: list[str]) -> list[Heard]:
    """Long recordings with label tracks of Audacity beside them: start, end and word.

    Labels that are no keywords are left out, which is a fault: an event there is no hit.
    """
    words, others = dict[Path, list[Word]](), set[str]()
    rate_hz = make().clock.rate_hz
    for item in audacity.items(path):
        if isinstance(item, LeftOut):
            faults.append(f"{item.file}: {item.reason}")
            continue
        mine = words.setdefault(item.path, [])
        if item.label not in keywords:
            others.add(item.label)
            continue
        start, end = (round(second * rate_hz) for second in item.parts[item.number])
        name = f"{item.path} at {start / rate_hz:.2f} s"
        mine.append(Word(keywords.index(item.label), start, end, item.speaker, name))
    if others:
        faults.append(f"{path}: labels that are no keywords were left out: {', '.join(sorted(others))}")
    return [_with_words(recording, own, make(), faults) for recording, own in sorted(words.items())]


def _with_words(recording: Path, words: list[Word], scorer: Scorer, faults: list[str]) -> Heard:
    stream = background(recording.name, [recording], scorer, faults, lambda *_: None)
    return replace(stream, words=tuple(sorted(words, key=lambda word: word.onset)))


def has_labels(path: Path) -> bool:
    """Whether these are long recordings with labels, rather than folders of words."""
    return audacity.is_here(path)


def rooms(paths: Iterable[Path], rate_hz: int) -> list[Room]:
    """Impulse responses."""
    return [Room(each.stem, audio.read(each, rate_hz).astype(np.float64)) for each in paths]


def noises(paths: Iterable[Path], rate_hz: int, faults: list[str]) -> list[np.ndarray]:
    """Recordings of noise, int16 [n] each."""
    return [samples for _, samples in _readable(paths, rate_hz, faults)]


def _readable(paths: Iterable[Path], rate_hz: int, faults: list[str]) -> Iterator[tuple[Path, np.ndarray]]:
    for path in paths:
        try:
            yield path, audio.read(path, rate_hz)
        except DataError as error:
            faults.append(str(error))


def _reread(pieces: Sequence[Piece], rate_hz: int, start: int, stop: int) -> np.ndarray:
    """Samples of the recording that holds `start`, from there on; nothing of the next one."""
    piece = next((each for each in reversed(pieces) if each.start <= max(start, 0)), None)
    if piece is None:
        return np.zeros(0, np.int16)
    first, last, at, kept = max(start, 0) - piece.start, stop - piece.start, 0, list[np.ndarray]()
    for block in files.opened(Path(piece.name), rate_hz):
        if at + len(block) > first:
            kept.append(block[max(first - at, 0) : last - at])
        at += len(block)
        if at >= last:
            break
    return np.concatenate([np.zeros(0, np.int16), *kept])
