"""Audacity's label track: a text file beside the recording, with a line per label (Audacity Manual, "Importing and
Exporting Labels").

    3.400000<tab>6.100000<tab>yes          start and end in seconds; equal for a label at a point
    \\<tab>1484.669<tab>2969.339            optional: the frequencies of a spectral selection; not used
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edgekws.data.folders import SUFFIXES
from edgekws.data.imports.writing import Item
from edgekws.data.listing import LeftOut
from edgekws.errors import DataError
from edgekws.files import read_content

_Label = tuple[float, float, str]


def is_here(source: Path) -> bool:
    """Whether `source` is a label track, or a folder with one."""
    return any(_labels(path) for path in _tracks(source))


def items(source: Path) -> Iterator[Item | LeftOut]:
    """Each label of each track. A track belongs to the recording of the same name, or to the only one beside it."""
    tracks = [(path, labels) for path in _tracks(source) if (labels := _labels(path))]
    if not tracks:
        hint = "in Audacity: File, Export Other, Export Labels, into the folder of the recording"
        raise DataError(f"{source} should be a label track of Audacity, or a folder with one", got="none", hint=hint)
    for path, labels in tracks:
        yield from (LeftOut(f"{path}, line {number}", "not a label of Audacity") for number in _other_lines(path))
        recording = _recording(path)
        if recording is None:
            yield LeftOut(str(path), "no recording of the same name beside it, and not one recording alone")
            continue
        parts = tuple((start, end) for start, end, _ in labels)
        for number, (start, _, text) in enumerate(labels):
            if text:
                yield Item(text, recording.stem, recording, parts, number)
            else:
                yield LeftOut(f"{path}, label at {start:.2f} s", "a label without text")


def _tracks(source: Path) -> list[Path]:
    if source.is_file():
        return [source] if source.suffix.lower() == ".txt" else []
    return sorted(source.rglob("*.txt"))


def _labels(path: Path) -> list[_Label]:
    """In order of time; none when the text is something else, which its first line shows."""
    lines = [label for _, label in _lines(path)]
    return sorted(label for label in lines if label) if lines and lines[0] else []


def _other_lines(path: Path) -> list[int]:
    """The numbers, from 1, of the lines that are no labels."""
    return [number for number, label in _lines(path) if label is None]


def _lines(path: Path) -> list[tuple[int, _Label | None]]:
    text = read_content(path, "a label track", "").decode("utf-8-sig", errors="replace")
    numbered = enumerate(text.splitlines(), start=1)
    return [(number, _label(line.split("\t"))) for number, line in numbered if line.strip() and line[0] != "\\"]


def _label(columns: list[str]) -> _Label | None:
    """Audacity 1.2 wrote the start and the text alone."""
    start = _seconds(columns[0])
    end = _seconds(columns[1]) if len(columns) > 1 else None
    if start is None or len(columns) < 2:
        return None
    if end is None:
        return (start, start, columns[1].strip()) if len(columns) == 2 else None
    return start, max(start, end), columns[2].strip() if len(columns) > 2 else ""


def _seconds(text: str) -> float | None:
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return None


def _recording(track: Path) -> Path | None:
    beside = [path for path in sorted(track.parent.iterdir()) if path.suffix.lower() in SUFFIXES]
    same = [path for path in beside if path.stem == track.stem]
    return same[0] if same else beside[0] if len(beside) == 1 else None
