"""The challenge's score of a selection, and its details."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from edgekws.curate.dataperf.formats import lists, npz, pb
from edgekws.curate.dataperf.scorer import (
    ensemble,
    first_generation,
    loader,
    march2022,
    measures,
    protocols,
    selection_rules,
)
from edgekws.curate.dataperf.scorer.loader import Block
from edgekws.curate.dataperf.scorer.protocols import Protocol
from edgekws.errors import ArtifactError, DataError
from edgekws.files import sha256_file
from edgekws.types import Interval

KIND, VERSION = "dataperf-score", 1
_PACKAGES = ("scikit-learn", "scipy", "numpy")


@dataclass(frozen=True)
class Task:
    """Files of the current challenge. limit: maximum number of clips of a selection; None: not checked."""

    selection: Path
    allowed: Path
    evaluation: Path
    train_embeddings: Path
    eval_embeddings: Path
    limit: int | None = None


@dataclass(frozen=True)
class FirstTask:
    """Files of the first generation. selection: train.npz, or train.yaml with its samples.pb."""

    selection: Path
    evaluation: Path
    samples: Path | None = None


@dataclass(frozen=True)
class Options:
    """numerics: of ensemble.NUMERICS. strict_peer: violations of the stricter rules are warnings, not errors."""

    numerics: str = ensemble.DEFAULT_NUMERICS
    protocol: Protocol = protocols.PROTOCOLS["2023-05"]
    seeds: tuple[int, ...] = protocols.OFFICIAL_SEEDS
    strict_peer: bool = False


@dataclass(frozen=True)
class Score:
    """value: mean over runs, which are seeds, or separately scored classifiers.

    classes: in the order of confusion (row = truth, summed over runs). truth: int64 [n]; labels: int64 [runs, n].
    """

    value: float
    interval: Interval
    by_run: dict[str, float]
    classes: tuple[measures.ClassScore, ...]
    confusion: np.ndarray
    options: Options
    trained: int
    evaluated: int
    files: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    truth: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    labels: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.int64))

    def _runs(self) -> dict[str, Any]:
        if self.options.protocol.classifiers:
            return {"classifiers": [{"name": name, "score": value} for name, value in self.by_run.items()]}
        return {"seeds": [{"seed": int(seed), "score": value} for seed, value in self.by_run.items()]}

    def to_json(self) -> dict[str, Any]:
        """The report as JSON, without ids and labels."""
        summed = "summed_over_classifiers" if self.options.protocol.classifiers else "summed_over_seeds"
        return {
            "kind": KIND,
            "version": VERSION,
            "score": self.value,
            "measure": self.options.protocol.measure,
            "interval": {**asdict(self.interval), "how": f"95 % bootstrap over clips, {measures.RESAMPLES} resamples"},
            **self._runs(),
            "classes": [asdict(row) for row in self.classes],
            "confusion": {"labels": [row.name for row in self.classes], summed: self.confusion.tolist()},
            "protocol": self.options.protocol.date,
            "numerics": {"name": self.options.numerics, "means": ensemble.NUMERICS[self.options.numerics]},
            "strict_peer": self.options.strict_peer,
            "clips": {"trained": self.trained, "evaluated": self.evaluated},
            "files_sha256": self.files,
            "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
            "warnings": list(self.warnings),
        }


def score(task: Task, options: Options) -> Score:
    """Raises DataError for a selection that the rules refuse, ArtifactError for damaged or foreign files."""
    if options.protocol.classifiers:
        return _score_each(task, options)
    notes: dict[str, None] = {}
    selection, allowed, evaluation = (lists.read(path) for path in (task.selection, task.allowed, task.evaluation))
    by_name = options.protocol.by_name
    with _naming_file(task.evaluation):
        selection_rules.check_evaluation(evaluation)
    with _naming_file(task.selection):
        selection_rules.check(selection, allowed, task.limit)
        if not options.strict_peer:
            selection_rules.check_strictly(selection, evaluation, by_name)
    if options.strict_peer:
        notes.update(dict.fromkeys(selection_rules.surprises(selection, evaluation, by_name)))
    notes.update(dict.fromkeys(_notes_on_evaluation(evaluation)))

    def warn(note: str) -> None:
        notes[note] = None

    train = list(loader.load(selection, task.train_embeddings, warn, by_name))
    with _naming_file(task.selection):
        x, y = _training(train)
    model = ensemble.Ensemble(x, y, options.seeds, options.numerics)
    blocks = loader.load(evaluation, task.eval_embeddings, warn, by_name)
    names = _names(evaluation, selection, by_name)
    fitting = _same_size(blocks, x, task.eval_embeddings)
    predictions = _predicted(model.predict, _common_type(fitting, x) if options.numerics == "native" else fitting)
    files = {name: sha256_file(getattr(task, name)) for name in ("selection", "allowed", "evaluation")}
    return _score(predictions, names, options, len(y), files, tuple(notes))


def _score_each(task: Task, options: Options) -> Score:
    """March 2022: each classifier is scored separately."""
    selection, allowed, evaluation = (lists.read(path) for path in (task.selection, task.allowed, task.evaluation))
    with _naming_file(task.selection):
        selection_rules.check(selection, allowed, task.limit)
        selection_rules.check_homes(selection, allowed)
        if not options.strict_peer:
            selection_rules.check_once(selection)
            selection_rules.check_filled(selection, list(evaluation.targets))
    notes = march2022.surprises(selection, list(evaluation.targets)) if options.strict_peer else []
    classes = march2022.class_ids(allowed)
    train = march2022.load(selection, task.train_embeddings, classes)
    with _naming_file(task.selection):
        model = march2022.Classifiers(train.vectors, train.classes, options.numerics)
    judged = march2022.load(evaluation, task.eval_embeddings, classes)
    predictions = _predicted(model.predict, _same_size([judged], train.vectors, task.eval_embeddings))
    files = {name: sha256_file(getattr(task, name)) for name in ("selection", "allowed", "evaluation")}
    return _score(predictions, tuple(classes), options, len(train.ids), files, tuple(notes))


def score_first(task: FirstTask, options: Options) -> Score:
    """The first generation: accuracy of a logistic regression of targets against other words."""
    training = _first_training(task)
    x = np.asarray(training.x, np.float64)
    if len(np.unique(training.y)) < 2:
        raise DataError(f"{task.selection} should have targets and other words", got="one of them only")
    model = ensemble.logistic(x, training.y, options.numerics)
    samples = pb.read(task.evaluation)
    truth = (samples.types == pb.TARGET).astype(np.int64)

    def predict(vectors: np.ndarray) -> np.ndarray:
        return np.asarray(model.probabilities(vectors).argmax(axis=1)[None])

    blocks = _same_size([Block(samples.ids, truth, samples.vectors.astype(np.float64))], x, task.evaluation)
    predictions = _predicted(predict, blocks)
    files = {"selection": sha256_file(task.selection), "evaluation": sha256_file(task.evaluation)}
    return _score(predictions, ("nontarget", "target"), options, len(training.y), files, ())


def _first_training(task: FirstTask) -> npz.TrainingSet:
    if task.samples is None:
        return npz.read(task.selection)
    where = f"{task.samples}, which {task.selection} selects from,"
    return first_generation.training(lists.read_first(task.selection), pb.read(task.samples), where)


@contextmanager
def _naming_file(path: Path) -> Iterator[None]:
    """Puts the name of the file before the error."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{path}: {error.expected}", got=error.got, hint=error.hint) from error


def _notes_on_evaluation(evaluation: lists.IdLists) -> list[str]:
    repeated = len(evaluation.nontargets) - len(set(evaluation.nontargets))
    notes = [f"the evaluation lists {repeated} nontargets twice: each counts twice"] if repeated else []
    counts = {word: len(ids) - len(set(ids)) for word, ids in evaluation.targets.items()}
    return notes + [f"the evaluation lists {n} ids of {w} twice: each counts once" for w, n in counts.items() if n]


def _training(blocks: list[Block]) -> tuple[np.ndarray, np.ndarray]:
    y = np.concatenate([block.classes for block in blocks]) if blocks else np.empty(0)
    if not (y > 0).any() or not (y == 0).any():
        missing = "other words" if (y > 0).any() else "targets"
        raise DataError("The selection is refused: it needs targets and other words", got=f"no clip of {missing}")
    return np.concatenate([block.vectors for block in blocks]), y


def _same_size(blocks: Iterable[Block], x: np.ndarray, where: Path) -> Iterable[Block]:
    """where: the file or folder that the blocks are from."""
    for block in blocks:
        if block.vectors.shape[1] != x.shape[1]:
            expected = f"vectors in {where} should have {x.shape[1]} numbers, as those to train"
            raise ArtifactError(expected, got=f"{block.vectors.shape[1]} of {block.ids[0]}", hint="embed them alike")
        yield block


def _common_type(blocks: Iterable[Block], x: np.ndarray) -> Iterable[Block]:
    """All blocks in their common dtype, as one matrix would have."""
    held = list(blocks)
    widest = np.result_type(*(block.vectors for block in held)) if held else x.dtype
    return [Block(block.ids, block.classes, block.vectors.astype(widest)) for block in held]


@dataclass(frozen=True)
class _Predictions:
    ids: tuple[str, ...]
    truth: np.ndarray
    labels: np.ndarray


def _predicted(predict: Callable[[np.ndarray], np.ndarray], blocks: Iterable[Block]) -> _Predictions:
    held: list[tuple[tuple[str, ...], np.ndarray, np.ndarray]] = []
    for batch in _batches(blocks):
        vectors = np.concatenate([block.vectors for block in batch])
        ids = tuple(clip for block in batch for clip in block.ids)
        held.append((ids, np.concatenate([block.classes for block in batch]), predict(vectors)))
    if not held:
        raise DataError("The evaluation should have clips", got="none")
    ids, truth, labels = zip(*held, strict=True)
    return _Predictions(tuple(chain.from_iterable(ids)), np.concatenate(truth), np.concatenate(labels, axis=1))


def _batches(blocks: Iterable[Block], rows: int = 4096) -> Iterable[list[Block]]:
    """Groups of blocks with about that many rows: enough for both threads, without holding too much."""
    batch: list[Block] = []
    for block in blocks:
        batch.append(block)
        if sum(len(each.ids) for each in batch) >= rows:
            yield batch
            batch = []
    if batch:
        yield batch


def _names(evaluation: lists.IdLists, selection: lists.IdLists, by_name: bool) -> tuple[str, ...]:
    """Names of classes by number; by the evaluation's list, and the selection's for numbers beyond."""
    names: dict[int, str] = {}
    for each in (selection, evaluation):
        names.update({number: word for word, number in loader.class_ids(each, by_name).items()})
    return tuple(names.get(number, "-") for number in range(max(names) + 1))


def _score(
    predictions: _Predictions,
    names: tuple[str, ...],
    options: Options,
    trained: int,
    files: dict[str, str],
    notes: tuple[str, ...],
) -> Score:
    which = options.protocol.measure
    tables = measures.confusions(predictions.truth, predictions.labels, len(names))
    values = [measures.measure(table, which) for table in tables]
    return Score(
        value=float(np.mean(values)),
        interval=measures.interval(predictions.truth, predictions.labels, len(names), which),
        by_run=dict(zip(options.protocol.classifiers or map(str, options.seeds), values, strict=True)),
        classes=measures.per_class(tables, names),
        confusion=tables.sum(axis=0),
        options=options,
        trained=trained,
        evaluated=len(predictions.truth),
        files=files,
        warnings=notes,
        ids=predictions.ids,
        truth=predictions.truth,
        labels=predictions.labels,
    )
