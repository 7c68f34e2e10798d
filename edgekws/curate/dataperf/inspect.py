"""Content of the challenge's files: kind, counts, and all problems. Nothing is raised."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgekws.curate.dataperf.formats import lists, npz, pb, words
from edgekws.curate.dataperf.scorer import loader, selection_rules
from edgekws.errors import EdgeKwsError

_SHOWN = 5


@dataclass
class Report:
    """One file or folder. facts: name -> count or text; content: the parsed file, for cross-checks."""

    path: Path
    kind: str = "unknown"
    facts: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    content: Any = None

    def to_json(self) -> dict[str, Any]:
        return {"path": str(self.path), "kind": self.kind, "facts": self.facts, "problems": self.problems}


def inspect(paths: Iterable[Path]) -> list[Report]:
    """Checks each path, then lists against each other and against folders of embeddings."""
    reports = [_one(part) for path in paths for part in _parts(path)]
    _check_selections(reports)
    _check_clips(reports)
    return reports


def _parts(path: Path) -> list[Path]:
    """The files of a challenge's folder; any other path is one part."""
    sides = [side for side in (lists.POOL, lists.EVALUATION) if (path / side[1]).is_file()]
    return [path / name for side in sides for name in reversed(side)] or [path]


def _one(path: Path, reader: Callable[[Report], None] | None = None) -> Report:
    report = Report(path)
    try:
        (reader or _reader(path))(report)
    except EdgeKwsError as error:
        report.problems.append(str(error))
    return report


def _reader(path: Path) -> Callable[[Report], None]:
    if path.is_dir():
        return _folder
    if path.suffix == ".parquet":
        return _word
    if path.suffix == ".npz":
        return _npz
    return _samples if pb.is_samples(path) else _lists


def _folder(report: Report) -> None:
    report.kind = "folder of embeddings"
    files = sorted(report.path.glob("*.parquet"))
    if not files:
        report.problems.append("no <word>.parquet in this folder")
    total, shapes = 0, Counter[str]()
    ids: dict[str, set[str]] = {}
    for path in files:
        each = _one(path, _word)
        report.problems += [f"{path.name}: {problem}" for problem in each.problems]
        if each.content is not None:
            ids[path.stem] = set(each.content.ids)
            total += len(each.content.ids)
            shapes[f"{each.facts['dimensions']} x {each.facts['type']}"] += 1
    report.facts = {"words": len(files), "clips": total, "vectors": ", ".join(shapes) or "none"}
    if len(shapes) > 1:
        report.problems.append("vectors differ: " + ", ".join(f"{shape} in {n} files" for shape, n in shapes.items()))
    report.content = ids


def _word(report: Report) -> None:
    report.kind = "embeddings of one word"
    word = words.read(report.path)
    lengths = word.lengths()
    sizes = sorted(set(lengths.tolist()))
    report.facts = {"clips": len(word.ids), "dimensions": "/".join(map(str, sizes)) or "0", "type": str(word.dtype)}
    report.problems += _repeated(word.ids)
    foreign = [clip for clip in word.ids if clip.split("/")[0] != report.path.stem]
    if foreign:
        report.problems.append(f"{len(foreign)} ids of another word ({foreign[0]})")
    if len(sizes) > 1 or (sizes and sizes[0] <= 0):
        report.problems.append(f"ragged vectors: lengths {sizes[:_SHOWN]} (-1: none)")
    elif sizes:
        try:
            word.vectors(np.arange(len(word.ids)))
        except EdgeKwsError as error:
            report.problems.append(str(error))
    report.content = word


def _npz(report: Report) -> None:
    report.kind = "train.npz, first generation"
    training = npz.read(report.path)
    clips, dimensions = training.x.shape
    targets = int(training.y.sum())
    report.facts = {
        "targets": targets,
        "nontargets": clips - targets,
        "dimensions": dimensions,
        "type": str(training.x.dtype),
    }
    if targets in (0, clips):
        report.problems.append("one class only: no classifier can be trained")
    report.content = training


def _samples(report: Report) -> None:
    report.kind = "samples or evaluation, first generation"
    samples = pb.read(report.path)
    targets = int((samples.types == pb.TARGET).sum())
    report.facts = {
        "targets": targets,
        "nontargets": len(samples.ids) - targets,
        "dimensions": samples.vectors.shape[1],
    }
    report.problems += _repeated(samples.ids)
    report.content = samples


def _lists(report: Report) -> None:
    report.kind = "lists of ids"
    if lists.kind(report.path) == "first":
        report.kind = "train.yaml, first generation"
        first = lists.read_first(report.path)
        report.facts = {"targets": len(first.targets), "nontargets": len(first.nontargets)}
        report.problems += _repeated((*first.targets, *first.nontargets))
        return
    content = lists.read(report.path)
    report.facts = {
        "clips": content.size,
        "targets": ", ".join(f"{word} {len(ids)}" for word, ids in content.targets.items()) or "none",
        "nontargets": f"{len(content.nontargets)} of {len(_words(content.nontargets))} words",
    }
    report.problems += _repeated([*content.nontargets, *(clip for ids in content.targets.values() for clip in ids)])
    report.problems += [f"no clip of the target {word}" for word, ids in content.targets.items() if not ids]
    if not content.nontargets:
        report.problems.append("no nontargets")
    if list(content.targets) != sorted(content.targets):
        report.facts["order"] = "targets are not sorted; the order of the file counts"
    report.content = content


def _words(ids: Iterable[str]) -> set[str]:
    return {clip.split("/")[0] for clip in ids}


def _repeated(ids: Iterable[str]) -> list[str]:
    repeated = [clip for clip, count in Counter(ids).items() if count > 1]
    shown = ", ".join(repeated[:_SHOWN])
    return [f"{len(repeated)} ids more than once: {shown}"] if repeated else []


def _check_selections(reports: list[Report]) -> None:
    """Selections (by name: ...train.json) by the rules, against allowed... and eval..."""
    known = [each for each in reports if isinstance(each.content, lists.IdLists)]
    allowed = [each for each in known if each.path.name.startswith("allowed")]
    evaluated = [each for each in known if each.path.name.startswith("eval")]
    for each in known:
        if each in allowed or each in evaluated:
            continue
        size = re.search(r"_(\d{1,6})_train\.", each.path.name)
        for other in allowed:
            _record_errors(each, selection_rules.check, each.content, other.content, int(size[1]) if size else None)
        for other in evaluated:
            _record_errors(each, selection_rules.check_strictly, each.content, other.content, True)


def _record_errors(report: Report, check: Callable[..., None], *values: object) -> None:
    try:
        check(*values)
    except EdgeKwsError as error:
        report.problems.append(str(error))


def _check_clips(reports: list[Report]) -> None:
    """Clips of lists that the folder of embeddings lacks: eval lists in an eval folder, others in another."""
    for folder in reports:
        if not isinstance(folder.content, dict):
            continue
        for each in reports:
            if isinstance(each.content, lists.IdLists) and _eval(each.path) == _eval(folder.path):
                each.problems += _missing(each.content, folder)


def _eval(path: Path) -> bool:
    return path.name.startswith("eval")


def _missing(listed: lists.IdLists, folder: Report) -> list[str]:
    groups = {word: list(ids) for word, ids in listed.targets.items()}
    problems: list[str] = []
    try:
        for word, ids in loader.by_word(listed.nontargets).items():
            groups.setdefault(word, []).extend(ids)
    except EdgeKwsError as error:
        problems.append(str(error))
    lacking = [word for word in groups if word not in folder.content]
    if lacking:
        problems.append(f"{folder.path} lacks {len(lacking)} words: {', '.join(lacking[:_SHOWN])}")
    absent = [clip for word, ids in groups.items() for clip in ids if clip not in folder.content.get(word, ids)]
    if absent:
        problems.append(f"{folder.path} lacks {len(absent)} clips: {', '.join(absent[:_SHOWN])}")
    return problems
