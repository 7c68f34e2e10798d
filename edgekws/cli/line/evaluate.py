"""`edgekws evaluate`: how good a model is on labelled recordings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from edgekws.cli import console
from edgekws.cli._options import DATA
from edgekws.cli.line.predict import ModelArgument, OnOption, PortOption
from edgekws.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

    from edgekws.evaluation.figures import Evaluation
    from edgekws.inference.classifier import Classifier
    from edgekws.inference.labelled import Labelled
    from edgekws.inference.model import Model

KIND, VERSION = "edgekws-evaluation", 1
_CHUNK = 64
_SHOWN = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_WIDEST_CONFUSION = 16
"""Labels of the largest confusion table that is printed."""
_PICTURES = (".svg", ".png")


def evaluate(
    model: ModelArgument,
    clips: Annotated[
        Path | None,
        typer.Argument(
            help="A folder of word folders, a .csv (file,label[,start_ms]), or a prepared data set. Default: the data "
            "set of the model's training."
        ),
    ] = None,
    on: OnOption = "",
    split: Annotated[str, typer.Option(help="Of a prepared data set: train, validation or test.")] = "test",
    worst: Annotated[int, typer.Option(help="Wrong answers to list, the most confident first.", min=0)] = 10,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all figures into this file; - prints them instead.")
    ] = None,
    confusion: Annotated[Path | None, typer.Option(help="Draw the confusion table into this .svg or .png.")] = None,
    port: PortOption = "",
) -> None:
    """Score a model on labelled recordings: accuracy, recall, precision, confusion, calibration, thresholds.

    Examples:

    - the test split of the training's data set: `edgekws evaluate work/my_words/model`
    - other recordings, a folder per word: `edgekws evaluate work/my_words/model new_recordings`
    - a list: `edgekws evaluate dscnn list.csv --json figures.json`
    - on an emulated board: `edgekws evaluate dscnn recordings --on board:qemu-an386`
    """
    from edgekws.evaluation import figures
    from edgekws.inference import labelled
    from edgekws.inference import model as models

    if confusion is not None and confusion.suffix.lower() not in _PICTURES:
        raise ConfigError("--confusion should be a .svg or .png file", got=str(confusion))
    subject = models.read(model)
    with console.progress() as report:
        data = labelled.read(_clips(clips, subject), subject, split, report)
    probabilities, classifier = _answered(subject, on, port, data)
    result = figures.evaluate(probabilities, data.truth, subject.labels)
    document = to_json(classifier, data, result, probabilities)
    if str(json_file) == "-":
        typer.echo(json.dumps(document, indent=1))
    else:
        _show(classifier, data, result, document["mistakes"][:worst])
    _write(document, json_file, confusion, result, data)
    if str(json_file) != "-":
        _next(model, clips, result)


def _clips(given: Path | None, model: Model) -> Path:
    """What to evaluate by: `given`, the data set of the training, or work/data. Raises ConfigError without any."""
    from edgekws.data.dataset import INDEX
    from edgekws.models import memory

    data = memory.data_of(model.folder, given, "after the model")
    if data is None and (DATA / INDEX).exists():
        return DATA
    if data is None:
        raise ConfigError(
            "evaluate needs labelled recordings",
            got=f"none, and {model.name} remembers no data set",
            hint="give a folder of word folders, a .csv of file,label, or a prepared data set",
        )
    return data


def _answered(model: Model, on: str, port: str, data: Labelled) -> tuple[np.ndarray, Classifier]:
    """(probabilities float64 [n, labels], what computed them)."""
    import numpy as np

    from edgekws.cli.line import executors

    with executors.opened(model, on, port) as classifier, console.progress() as report:
        total, parts = len(data.ids), []
        for at in range(0, total, _CHUNK):
            parts.append(classifier.answer(data.features[at : at + _CHUNK])[0])
            report("evaluate", min(at + _CHUNK, total), total)
    return np.concatenate(parts), classifier


def to_json(classifier: Classifier, data: Labelled, result: Evaluation, probabilities: np.ndarray) -> dict[str, Any]:
    """The document of --json: every figure, every mistake, every file that was left out."""
    from dataclasses import asdict

    from edgekws.data.labels import reject_note
    from edgekws.evaluation import texts
    from edgekws.inference.documents import subject

    return {
        "kind": KIND,
        "version": VERSION,
        **subject(classifier),
        "data": {"name": data.name, "sha256": data.sha256, "clips": len(data.ids)},
        "findings": [*filter(None, [reject_note(result.labels)]), *texts.findings(result)],
        "threshold_advice": texts.threshold_advice(result),
        "suggested_threshold": result.suggested and result.suggested.threshold,
        **result.to_json(),
        "mistakes": _mistakes(data, result.labels, probabilities),
        "notes": list(data.notes),
        "left_out": [asdict(each) for each in data.left_out],
    }


def _mistakes(data: Labelled, labels: tuple[str, ...], probabilities: np.ndarray) -> list[dict[str, Any]]:
    """The wrong answers, the most confident first."""
    from edgekws.evaluation import figures

    rows = []
    for index in figures.mistakes(probabilities, data.truth).tolist():
        row, true = probabilities[index], int(data.truth[index])
        rows.append(
            {
                "file": data.ids[index],
                "true": labels[true],
                "answer": labels[int(row.argmax())],
                "probability": float(row.max()),
                "probability_of_true": float(row[true]),
            }
        )
    return rows


def _show(classifier: Classifier, data: Labelled, result: Evaluation, mistakes: list[dict[str, Any]]) -> None:
    from edgekws.data.labels import reject_note
    from edgekws.evaluation import texts

    model = classifier.model
    print_ = console.out.print
    print_(f"{model.name} ({model.path}) on {classifier.runtime}: {result.n} clips of {data.name}", markup=False)
    print_(f"accuracy {texts.percent(result.accuracy)}, with its 95 % interval", markup=False, style="bold")
    print_(f"chance, always the most frequent label: {100 * result.chance:.1f} %; balanced accuracy, the mean recall: "
           f"{100 * result.balanced_accuracy:.1f} %", markup=False)  # fmt: skip
    print_(_classes(result))
    if len(result.labels) <= _WIDEST_CONFUSION:
        print_(_confusion(result))
    error = 100 * result.calibration_error
    print_(f"expected calibration error: {error:.1f} points between probability and accuracy", markup=False)
    print_(_thresholds(result))
    print_(texts.threshold_advice(result), markup=False)
    if mistakes:
        print_(_worst(mistakes))
    for warning in (*texts.findings(result), *filter(None, (reject_note(model.labels), classifier.note))):
        console.warn(warning)
    _left_out(data)


def _classes(result: Evaluation) -> Table:
    from edgekws.evaluation import texts

    table = Table(Column("label", overflow="fold"), *_whole("clips", "recall, %", "precision, %"), box=None)
    for row in result.classes:
        table.add_row(escape(row.label), str(row.recall.n), texts.short(row.recall), texts.short(row.precision))
    return table


def _confusion(result: Evaluation) -> Table:
    """Rows are true labels, numbered; columns are answers, by these numbers."""
    numbers = [str(number) for number in range(1, len(result.labels) + 1)]
    table = Table(Column("true \\ answer", overflow="fold"), *_whole(*numbers), box=None)
    for number, label, row in zip(numbers, result.labels, result.confusion.tolist(), strict=True):
        table.add_row(f"{number} {escape(label)}", *(str(count) if count else "." for count in row))
    return table


def _thresholds(result: Evaluation) -> Table:
    from edgekws.evaluation import texts

    names = ("threshold", "recall of words", "wrong word", "silence accepted", "other words")
    table = Table(
        *_whole(*names), box=None, title="accepted at a threshold of the probability, %", title_justify="left"
    )
    for point in result.thresholds:
        if point.threshold in _SHOWN:
            shares = (point.recall, point.wrong, point.silence, point.other)
            table.add_row(f"{point.threshold:g}", *(texts.short(share) for share in shares))
    return table


def _worst(mistakes: list[dict[str, Any]]) -> Table:
    columns = (Column("most confident wrong answers", overflow="fold"), *_whole("true", "answer", "probability"))
    table = Table(*columns, box=None)
    for row in mistakes:
        table.add_row(*map(escape, (row["file"], row["true"], row["answer"])), f"{row['probability']:.2f}")
    return table


def _whole(*names: str) -> list[Column]:
    return [Column(name, no_wrap=True) for name in names]


def _left_out(data: Labelled) -> None:
    for note in data.notes:
        console.out.print(f"[yellow]note:[/] {escape(note)}")
    if data.left_out:
        console.warn(f"{len(data.left_out)} of {len(data.left_out) + len(data.ids)} files were left out:")
        for each in data.left_out[:5]:
            console.warn(f"{each.file}: {each.reason}")


def _write(
    document: dict[str, Any], json_file: Path | None, confusion: Path | None, result: Evaluation, data: Labelled
) -> None:
    from edgekws.files import write_bytes, write_json

    if json_file is not None and str(json_file) != "-":
        write_json(json_file, document)
        console.out.print(f"all figures: {json_file}", markup=False)
    if confusion is not None:
        from edgekws.evaluation import plots

        kind = confusion.suffix.lower().removeprefix(".")
        write_bytes(confusion, plots.confusion(result, f"{data.name}: {result.n} clips", kind))
        console.out.print(f"confusion: {confusion}", markup=False)


def _next(model: Path, clips: Path | None, result: Evaluation) -> None:
    """Try the suggested threshold on the recordings, or look at the model."""
    from edgekws.data.dataset import INDEX

    if clips is not None and clips.is_dir() and not (clips / INDEX).exists():
        threshold = (
            ("--threshold", f"{result.suggested.threshold:g}")
            if result.suggested and result.suggested.threshold
            else ()
        )
        console.next_step("predict", model, clips, *threshold)
    else:
        console.next_step("info", model)
