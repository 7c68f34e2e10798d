"""Tables of numbers in text files with any delimiter, read block by block."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekws.errors import ArtifactError

BLOCK_LINES = 100_000
_SNIFFED_BYTES = 1 << 16
_DELIMITERS = (";", "\t", "|", ",", " ")  # a comma may be the decimal point of the others
_AGREEING = 5


@dataclass(frozen=True)
class Layout:
    """The format of a table. header: column titles, [] for none. first: number of the first data line, from 1.

    row: the fields of that line. encoding: name of the text encoding.
    """

    delimiter: str
    decimal_comma: bool
    header: list[str]
    first: int
    row: list[str]
    encoding: str

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.row)


def sniff(path: Path) -> Layout:
    """The layout of a file. Raises ArtifactError if it cannot be read or has no rows of numbers in the first 64 KB."""
    try:
        with path.open("rb") as file:
            content = file.read(_SNIFFED_BYTES)
    except OSError as error:
        raise ArtifactError(f"{path} should be an export of a meter", got=error.strerror or str(error)) from error
    encoding = _encoding(content)
    lines = content.decode(encoding, errors="replace").splitlines()
    if len(content) == _SNIFFED_BYTES:
        lines = lines[:-1]  # may be cut
    for delimiter in _DELIMITERS:
        for decimal_comma in (False, True) if delimiter != "," else (False,):
            layout = _fitted(lines, delimiter, decimal_comma, encoding)
            if layout:
                return layout
    raise ArtifactError(
        f"{path} should be a table of numbers with a header",
        got="no line with two numbers" if lines else "an empty file",
        hint="export the measurement as CSV: one row per sample",
    )


def blocks(path: Path, layout: Layout, columns: list[int]) -> Iterator[tuple[Sequence[int], np.ndarray]]:
    """(line numbers, float64 [rows, columns]) of each block; comments (#) and empty lines are skipped.

    Raises ArtifactError with the line number for a field that is missing or no finite number.
    """
    with path.open(encoding=layout.encoding, errors="replace") as file:
        number = layout.first
        rest = itertools.islice(file, layout.first - 1, None)
        while lines := list(itertools.islice(rest, BLOCK_LINES)):
            numbers: Sequence[int] = range(number, number + len(lines))
            number += len(lines)
            kept = [line for line in lines if _is_row(line)]
            if len(kept) < len(lines):
                numbers = [at for at, line in zip(numbers, lines, strict=True) if _is_row(line)]
            if kept:
                yield numbers, _parsed(path, layout, columns, kept, numbers)


def _is_row(line: str) -> bool:
    return bool(line) and not line.isspace() and not line.startswith("#")


def fields(line: str, delimiter: str) -> list[str]:
    """The fields of a line, without surrounding spaces and quotes; " " separates by any white space."""
    parts = line.split() if delimiter == " " else line.split(delimiter)
    return [part.strip().strip('"').strip() for part in parts]


def _encoding(content: bytes) -> str:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return "utf-8-sig" if error.start > len(content) - 4 else "latin-1"
    return "utf-8-sig"


def _fitted(lines: list[str], delimiter: str, decimal_comma: bool, encoding: str) -> Layout | None:
    """The layout, if a line with two numbers is followed by lines with the same number of fields."""
    for index, line in enumerate(lines):
        row = fields(line, delimiter)
        if line.startswith("#") or sum(_is_number(part, decimal_comma) for part in row) < 2:
            continue
        more = [fields(other, delimiter) for other in lines[index : index + _AGREEING] if _is_row(other)]
        if any(len(other) != len(row) for other in more[:2]):
            return None
        return Layout(delimiter, decimal_comma, _header(lines[:index], delimiter, row), index + 1, row, encoding)
    return None


def _header(before: list[str], delimiter: str, row: list[str]) -> list[str]:
    """The last line before the data that has a title for each column."""
    for line in reversed(before):
        titles = fields(line.lstrip("# ") if delimiter == " " else line, delimiter)
        if len(titles) == len(row) and any(titles):
            return [title.lstrip("#").strip() for title in titles]
    return []


def _is_number(text: str, decimal_comma: bool) -> bool:
    try:
        float(text.replace(",", ".") if decimal_comma else text)
    except ValueError:
        return False
    return "_" not in text


def _parsed(path: Path, layout: Layout, columns: list[int], lines: list[str], numbers: Sequence[int]) -> np.ndarray:
    if layout.decimal_comma:
        lines = [line.replace(",", ".") for line in lines]
    delimiter = None if layout.delimiter == " " else layout.delimiter
    try:
        content = np.loadtxt(lines, delimiter=delimiter, usecols=columns, ndmin=2, comments=None, quotechar='"')
    except ValueError:
        raise _fault(path, layout, columns, lines, numbers) from None
    if not np.isfinite(content).all():
        raise _fault(path, layout, columns, lines, numbers)
    return content


def _fault(path: Path, layout: Layout, columns: list[int], lines: list[str], numbers: Sequence[int]) -> ArtifactError:
    """The error for the first bad line."""
    names = layout.header or [f"column {index + 1}" for index in range(layout.width)]
    for number, line in zip(numbers, lines, strict=True):
        row = fields(line, layout.delimiter)
        wrong = [
            f"{names[index]} is {row[index]!r}" for index in columns if index < len(row) and not _is_finite(row[index])
        ]
        if len(row) <= max(columns):
            wrong = [f"{len(row)} fields instead of {layout.width}"]
        if wrong:
            return ArtifactError(
                f"{path} should have a number in each of its columns",
                got=f"line {number}: {wrong[0][:80]}",
                hint="remove the line, or export the measurement again",
            )
    return ArtifactError(f"{path} should be a table of numbers", got=f"something else behind line {numbers[0]}")


def _is_finite(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
