"""The official files of MLPerf Tiny keyword spotting: which clips are they, and how far is that proved?

kws01.txt beside this file has a line per file: name, class, and the SHA-256 of its 490 bytes, or `-` where the content
is not listed. Clips are called official only as far as this list proves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from edgekws.files import sha256

NAME = "MLPerf Tiny kws01"
LIST = Path(__file__).with_name("kws01.txt")
UNLISTED = "-"
DEV_SPLITS = ("fbabec5f235a1ad95329daf4fe299ffb174da8cbdb3671ef2945527fbe1c80d7",)
"""Prepared data sets whose training clips have speakers of official files that are not listed: those of half of the
official test speakers give `on` and `off` to training.
"""
PARTLY_TRAINED_ON = " (partly trained on)"
"""What follows the name of such files wherever a score of a network that was trained on such a data set stands."""
_SHOWN = 3
_COPIES, _FEW = 0.05, 2
"""Share of the clips, or their number if that is more, whose content may be that of another file of the same class.

The set has such pairs: of its 335 listed files 4 share a content with another one, so about 1 in 80 others repeats a
listed file. Many copies are another set.
"""


@dataclass(frozen=True)
class File:
    """An official file. place: in the official order, from 0. sha256: of its content; "-" where it is not listed."""

    name: str
    label: int
    sha256: str
    place: int


@dataclass(frozen=True)
class Standing:
    """What is proved of `n` clips. verified: those whose content is that of the list; unlisted: those it cannot tell.

    problems: what contradicts the official files, in sentences. text: all of it in one line.
    """

    n: int
    verified: int
    unlisted: int
    problems: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether these are all official files in their order, each with the listed content."""
        return not self.problems and self.n == self.verified == len(files())

    @property
    def title(self) -> str:
        """A name for the data set, which says no more than is proved."""
        if self.problems:
            return f"clips named as {NAME}'s, not its official files"
        if self.whole:
            return NAME
        verified = f"{self.verified:,} of {self.n:,} contents verified"
        if self.n == len(files()):
            return f"{NAME}, {verified}"
        return f"{NAME}, {self.n:,} of {len(files()):,} files{f', {verified}' if self.unlisted else ''}"

    @property
    def text(self) -> str:
        """What is proved, or what contradicts it."""
        if self.problems:
            return f"NOT the official files of {NAME}: {'; '.join(self.problems)}"
        part = "" if self.n == len(files()) else f", a part of the {len(files()):,}"
        if not self.unlisted:
            return f"{NAME}: {self.verified:,} of {self.n:,} files, hashes verified{part}"
        known = f"contents of {self.verified} verified, of {self.unlisted} not listed here"
        return f"{NAME}: names, classes and order of {self.n} files{part}; {known}"


@cache
def files() -> dict[str, File]:
    """Name -> official file, in the official order."""
    lines = [line.split() for line in LIST.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return {name: File(name, int(label), digest, at) for at, (name, label, digest) in enumerate(lines)}


def is_meant(names: Sequence[str]) -> bool:
    """Whether clips with these names pretend to be official files: one of them has the name of one."""
    return any(name in files() for name in names)


def standing(names: Sequence[str], labels: Sequence[int] | None, contents: Sequence[bytes] | None) -> Standing:
    """What is proved of these clips, in their order.

    labels: their classes; None when they are not known. contents: 490 bytes each; None when only the names are known.
    """
    known = [files()[name] for name in names if name in files()]
    listed = [file for file in known if file.sha256 != UNLISTED] if contents is not None else []
    wrong = _wrong_contents(names, contents) if contents is not None else []
    copies = _copies(names, contents) if contents is not None else []
    problems = (
        *_named("file of another name", [name for name in names if name not in files()]),
        *_named("file that is there twice", _repeated(names)),
        *_named("file with another content", wrong),
        *_named("file with the content of another", copies),
        *_wrong_labels(names, labels),
        *_disordered(known),
    )
    return Standing(len(names), len(listed) - len(wrong), len(known) - len(listed), problems)


def _wrong_contents(names: Sequence[str], contents: Sequence[bytes]) -> list[str]:
    return [
        name
        for name, content in zip(names, contents, strict=True)
        if name in files() and files()[name].sha256 not in (UNLISTED, sha256(content))
    ]


def _copies(names: Sequence[str], contents: Sequence[bytes]) -> list[str]:
    """Files without a listed hash whose content is listed under another name; none as long as they are plausible."""
    owners = {file.sha256: file for file in files().values() if file.sha256 != UNLISTED}
    pairs = zip(names, contents, strict=True)
    unlisted = [
        (files()[name], sha256(body)) for name, body in pairs if name in files() and files()[name].sha256 == UNLISTED
    ]
    found = [(file, owners[digest]) for file, digest in unlisted if digest in owners]
    if len(found) <= max(_FEW, _COPIES * len(names)):
        found = [(file, owner) for file, owner in found if file.label != owner.label]
    return [f"{file.name} as {owner.name}" for file, owner in found]


def _wrong_labels(names: Sequence[str], labels: Sequence[int] | None) -> list[str]:
    if labels is None:
        return ["their classes are not known"]
    pairs = zip(names, labels, strict=True)
    wrong = [
        f"{name} as {label}, not {files()[name].label}"
        for name, label in pairs
        if name in files() and files()[name].label != label
    ]
    return _named("file with another class", wrong)


def _disordered(known: Sequence[File]) -> list[str]:
    wrong = [later.name for earlier, later in pairwise(known) if later.place < earlier.place]
    return [f"another order, from {wrong[0]} on"] if wrong else []


def _repeated(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if name in files() and names.count(name) > 1})


def _named(what: str, names: Sequence[str]) -> list[str]:
    """One sentence with the number and the first names; none without names."""
    if not names:
        return []
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    plural = what.replace("file", "files", 1).replace("that is", "that are") if len(names) > 1 else what
    return [f"{len(names)} {plural}: {', '.join(names[:_SHOWN])}{more}"]
