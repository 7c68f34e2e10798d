"""What a prepared data set holds, for people: clips, speakers, formats, changes, and every file that was left out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from edgekws.cli import console
from edgekws.cli._options import DATA

if TYPE_CHECKING:
    from edgekws.data.dataset import Dataset
    from edgekws.data.listing import LeftOut

_SHOWN_NAMES, _SHOWN_FORMATS = 3, 6
_MANY_LOST, _FEW = 0.5, 10


def show(data: Dataset, folder: Path) -> None:
    """Print the data set in `folder`."""
    from edgekws.data import cuts, labels

    console.out.print(_clips(data))
    own_words = data.listed_by == "folder"
    if own_words:
        console.out.print(f"recordings: {escape(_formats(data))}")
        _show_few(data)
    for what, count in sorted(data.changed.items(), key=lambda item: (-item[1], item[0])):
        console.out.print(f"changed: {count:,} clips {escape(what)}")
    if (folder / cuts.FILE).exists():
        console.out.print(f"cuts: {escape(str(folder / cuts.FILE))}; edit it and run the same command again")
    left_out(data.left_out, ", all named in index.json")
    for word, lost, every in _mostly_lost(data):
        console.out.print(f"[bold red]{escape(word)}: {lost} of {every} files could not be used[/]")
    for label, text in data.reject.items():
        console.out.print(f"{escape(label)}: {escape(text)}")
    for note in (*data.notes, *filter(None, [labels.reject_note(data.labels)])):
        console.out.print(f"[yellow]note:[/] {escape(note)}")
    console.out.print(f"{escape(data.name)} in {escape(str(data.folder))}, hash {data.sha256[:16]}")


def training(out: Path) -> tuple[str | Path, ...]:
    """The command that trains on the data set in `out`; own words get a model folder beside it."""
    if out == DATA:
        return ("train",)
    model = out.with_name("model") if out.name == "data" else out.with_name(f"{out.name}-model")
    return ("train", "--data", out, "--out", model)


def _clips(data: Dataset) -> Table:
    import numpy as np

    table = Table("label", *data.splits, "speakers", box=None)
    counts = [np.bincount(split.labels, minlength=len(data.labels)) for split in data.splits.values()]
    speakers = _speakers(data)
    for number, label in enumerate(data.labels):
        table.add_row(escape(label), *(str(count[number]) for count in counts), f"{len(speakers[number])}")
    everyone = set().union(*speakers.values()) if speakers else set()
    table.add_row("all", *(str(len(split)) for split in data.splits.values()), f"{len(everyone)}", style="bold")
    return table


def _show_few(data: Dataset) -> None:
    """Words with too few clips to train on, and to judge by."""
    import numpy as np

    from edgekws.data import labels

    every = np.concatenate([split.labels for split in data.splits.values()])
    counts = np.bincount(every, minlength=len(data.labels))
    few = {word: int(counts[data.labels.index(word)]) for word in labels.words(data.labels)}
    shown = ", ".join(f"{word} has {count}" for word, count in few.items() if count < _FEW)
    if shown:
        console.out.print(f"[bold yellow]few recordings:[/] {escape(shown)}; about 30 a word are a start")


def _speakers(data: Dataset) -> defaultdict[int, set[str]]:
    by_label: defaultdict[int, set[str]] = defaultdict(set)
    for split in data.splits.values():
        for label, speaker in zip(split.labels.tolist(), split.speakers, strict=True):
            by_label[label].add(speaker)
    return by_label


def _formats(data: Dataset) -> str:
    """Files of words per format, by the suffix of their names: "60 m4a, 30 wav"."""
    from edgekws.data import labels

    words = [data.labels[number] not in labels.REJECT for number in range(len(data.labels))]
    own = [
        clip
        for split in data.splits.values()
        for clip, label in zip(split.ids, split.labels.tolist(), strict=True)
        if words[label]
    ]
    files = {clip.rpartition("@")[0] or clip for clip in own}
    counts = Counter(Path(name).suffix.lower().removeprefix(".") or "without a suffix" for name in files)
    shown = [f"{count:,} {suffix}" for suffix, count in counts.most_common(_SHOWN_FORMATS)]
    rest = counts.total() - sum(count for _, count in counts.most_common(_SHOWN_FORMATS))
    return ", ".join([*shown, *([f"{rest:,} others"] if rest else [])])


def left_out(files: Sequence[LeftOut], where: str = "") -> None:
    """Print how many files were left out, by reason, with the first names. where: who names all of them."""
    if not files:
        return
    noun = "file" if len(files) == 1 else "files"
    console.out.print(f"[bold yellow]left out: {len(files):,} {noun}[/]{escape(where)}")
    by_reason: dict[str, list[LeftOut]] = {}
    for each in files:
        by_reason.setdefault(each.reason, []).append(each)
    for why, same in sorted(by_reason.items(), key=lambda item: -len(item[1])):
        console.out.print(f"  {len(same):,} {escape(why)}: {escape(_names(same))}")


def _names(files: Sequence[LeftOut]) -> str:
    more = len(files) - _SHOWN_NAMES
    return ", ".join(each.file for each in files[:_SHOWN_NAMES]) + (f" and {more:,} more" if more > 0 else "")


def _mostly_lost(data: Dataset) -> list[tuple[str, int, int]]:
    """(word, files lost, all its files) of each word that lost more than half of them."""
    from edgekws.data.listing import HIDDEN

    files = {clip.rpartition("@")[0] or clip for split in data.splits.values() for clip in split.ids}
    used = Counter(name.partition("/")[0] for name in files)
    lost = Counter(each.file.partition("/")[0] for each in data.left_out if each.reason != HIDDEN and "/" in each.file)
    every = {word: lost[word] + used[word] for word in lost}
    return [(word, lost[word], count) for word, count in every.items() if lost[word] > _MANY_LOST * count]
