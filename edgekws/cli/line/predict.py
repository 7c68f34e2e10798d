"""`edgekws predict`: the words in recordings."""

from __future__ import annotations

import csv
import io
import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from edgekws.cli import console
from edgekws.cli.paths import user_path
from edgekws.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from edgekws.inference.classifier import Classifier
    from edgekws.inference.model import Model
    from edgekws.inference.predict import Prediction, Window

    Failures = list[tuple[str, DataError]]

KIND, VERSION = "edgekws-prediction", 1
NONE = "none of the words"
_SHOWN_FAILURES = 5
_SAVED = (".json", ".csv")
_MOST_WINDOWS = 40
"""Of a longer recording only the windows with a word are printed."""
_PLACE_WIDTH = 16
"""Columns of a narrow terminal that a recording's name has, at least."""
_COLUMNS = ("file", "start_s", "word", "label", "probability")

ModelArgument = Annotated[
    Path,
    typer.Argument(
        help="A model folder, its graph.npz, an exported .onnx or .tflite, a checkpoint of `edgekws train`, or a model "
        "of `edgekws models`."
    ),
]
OnOption = Annotated[
    str,
    typer.Option(
        "--on", help="What runs the model: interp, c, onnx, tflite or board:NAME. Default: c.", metavar="EXECUTOR"
    ),
]
PortOption = Annotated[str, typer.Option("--port", help="With board:NAME, its port. Default: the board's own.")]


def predict(
    model: ModelArgument,
    recordings: Annotated[
        list[str], typer.Argument(help="Recordings, folders of recordings, or - alone for standard input.")
    ],
    on: OnOption = "",
    hop_ms: Annotated[
        float, typer.Option(help="Of a recording longer than a clip: from one window to the next.", min=1.0)
    ] = 500.0,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="A less probable word is none; `edgekws evaluate` suggests a threshold.",
            min=0,
            max=1,
            show_default="0; 0.5 where a recording has several windows",
        ),
    ] = None,
    raw: Annotated[
        int | None, typer.Option(help="Standard input is raw int16 samples, little-endian, of this rate.", min=1)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead, a line for each window.")] = False,
    save: Annotated[Path | None, typer.Option(help="Also write all windows into this .json or .csv file.")] = None,
    port: PortOption = "",
) -> None:
    """Recognize the words in recordings: label, probability and the next best of each file or window.

    Examples:

    - one file: `edgekws predict dscnn yes.wav`
    - several files: `edgekws predict dscnn *.wav`
    - a folder, as CSV: `edgekws predict work/my_words/model recordings --csv > words.csv`
    - on an emulated board: `edgekws predict dscnn yes.wav --on board:qemu-an386`
    - from a pipe: `arecord -f S16_LE -r 16000 -d 2 | edgekws predict dscnn -`
    """
    from edgekws.cli.line import executors
    from edgekws.data.labels import reject_note
    from edgekws.inference import model as models

    if as_json and as_csv:
        raise ConfigError("--json or --csv, not both", got="both")
    if save is not None and save.suffix.lower() not in _SAVED:
        raise ConfigError("--save should be a .json or .csv file", got=str(save))
    if raw is not None and recordings != ["-"]:
        raise ConfigError(
            "--raw belongs to standard input", got=f"--raw {raw} with {' '.join(recordings)}", hint="give - for it"
        )
    subject = models.read(model)
    sources = _sources(recordings, subject.features.rate_hz, raw)
    with executors.opened(subject, on, port) as classifier:
        results, failures = _predicted(classifier, sources, hop_ms, threshold)
    note = reject_note(subject.labels)
    document = _document(classifier, results, failures, note)
    if save is not None:
        _save(save, document, results)
    if as_json:
        typer.echo(json.dumps(document, indent=1))
    elif as_csv:
        typer.echo(_csv(results), nl=False)
    else:
        _show(classifier, results)
    for warning in filter(None, (classifier.note, note)):
        console.warn(warning)
    _report(failures, len(sources))
    if not (as_json or as_csv):
        long = next((result.file for result in results if len(result.windows) > 1), None)
        if long is not None and _streams(subject):
            console.next_step("detect", model, long)
        else:
            console.next_step("evaluate" if _has_data(subject) else "info", model)


def _streams(model: Model) -> bool:
    """Whether it hears words in sound of any length, rather than in clips."""
    from edgekws.graph.stream import rules

    streams_sound = model.graph is not None and model.features.level == "stream"
    return streams_sound and model.graph is not None and not rules.study(model.graph).obstacles


def _sources(recordings: list[str], rate_hz: int, raw: int | None) -> list[tuple[str, Callable[[], np.ndarray]]]:
    """(name, how to read it) of each recording."""
    from edgekws.inference import recordings as reading

    if recordings == ["-"]:
        return [(reading.STDIN, lambda: reading.from_bytes(sys.stdin.buffer.read(), rate_hz, raw))]
    if "-" in recordings:
        raise ConfigError("- for standard input should be alone", got=" ".join(recordings))
    files = dict.fromkeys(path for each in recordings for path in reading.listed(user_path(Path(each))))
    return [(str(path), partial(reading.read, path, rate_hz)) for path in files]


def _predicted(
    classifier: Classifier, sources: list[tuple[str, Callable[[], np.ndarray]]], hop_ms: float, threshold: float | None
) -> tuple[list[Prediction], Failures]:
    """(predictions, name and error of each recording that could not be read)."""
    from edgekws.inference.predict import predict as run

    results, failures = [], []
    with console.progress() as report:
        for number, (name, read) in enumerate(sources):
            if len(sources) > 1:
                report("predict", number + 1, len(sources))
            try:
                samples = read()
            except DataError as error:
                failures.append((name, error))
                continue
            results.append(run(classifier, samples, name, hop_ms, threshold))
    return results, failures


def _show(classifier: Classifier, results: list[Prediction]) -> None:
    """One recording with all of its windows; of several a line each."""
    if not results:
        return
    model = classifier.model
    console.out.print(f"{model.name} ({model.path}) on {classifier.runtime}", markup=False)
    if len(results) == 1:
        _show_one(results[0])
        return
    rows = [(_place(result), result.best) for result in results]
    console.out.print(_table("recording", rows))


def _show_one(result: Prediction) -> None:
    if len(result.windows) > 1:
        shown = [window for window in result.windows if window.word or len(result.windows) <= _MOST_WINDOWS]
        console.out.print(_table("at", [(f"{window.start_s:.2f}\u00a0s", window) for window in shown]))
        if len(shown) < len(result.windows):
            without = len(result.windows) - len(shown)
            console.out.print(f"{without} of {len(result.windows)} windows have {NONE} and are not shown")
    best = result.best
    following = "" if len(result.windows) > 1 else f"; next: {_following(best)}"
    console.out.print(f"{_place(result)}: {_answer(best)}, probability {best.probability:.2f}{following}", markup=False)


def _table(what: str, rows: list[tuple[str, Window]]) -> Table:
    columns = (
        Column(what, overflow="fold", min_width=min(_PLACE_WIDTH, max((len(place) for place, _ in rows), default=0))),
        *(Column(name, no_wrap=True) for name in ("answer", "probability")),
        Column("next"),
    )
    table = Table(*columns, box=None)
    for place, window in rows:
        cells = (place, _answer(window), f"{window.probability:.2f}", _following(window))
        table.add_row(*map(escape, cells))
    return table


def _place(result: Prediction) -> str:
    """The recording; of a long one also where its answer is."""
    return f"{result.file} at {result.best.start_s:.2f} s" if len(result.windows) > 1 else result.file


def _following(window: Window) -> str:
    """The next best labels."""
    following = list(window.probabilities.items())[1:3]
    return ", ".join(f"{name} {value:.2f}" for name, value in following)


def _answer(window: Window) -> str:
    return window.label if window.word else f"{NONE} ({window.label})"


def _document(classifier: Classifier, results: list[Prediction], failures: Failures, note: str) -> dict[str, Any]:
    from edgekws.inference.documents import subject

    return {
        "kind": KIND,
        "version": VERSION,
        **subject(classifier),
        "reject_note": note,
        "predictions": [result.to_json() for result in results],
        "left_out": [{"file": name, "reason": str(error)} for name, error in failures],
    }


def _save(path: Path, document: dict[str, Any], results: list[Prediction]) -> None:
    from edgekws.files import write_json, write_text

    if path.suffix.lower() == ".csv":
        write_text(path, _csv(results))
    else:
        write_json(path, document)


def _has_data(model: Model) -> bool:
    """Whether the model's data set is where the model remembers it."""
    from edgekws.models import memory

    try:
        return memory.data_of(model.folder, None) is not None
    except DataError:
        return False


def _csv(results: list[Prediction]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(_rows(results))
    return text.getvalue()


def _rows(results: list[Prediction]) -> Iterator[tuple[str, ...]]:
    for result in results:
        for window in result.windows:
            yield (
                result.file,
                f"{window.start_s:.3f}",
                window.word or "",
                window.label,
                f"{window.probability:.6f}",
            )


def _report(failures: Failures, total: int) -> None:
    """Name what could not be read. Raises DataError when that was everything."""
    if not failures:
        return
    if total == 1:
        raise failures[0][1]
    if len(failures) == total:
        got = f"{failures[0][1]} (and {total - 1} more)"
        raise DataError("there should be a recording that can be read", got=got)
    console.warn(f"{len(failures)} of {total} files were left out:")
    for _, error in failures[:_SHOWN_FAILURES]:
        console.warn(str(error))
    if len(failures) > _SHOWN_FAILURES:
        console.warn(f"and {len(failures) - _SHOWN_FAILURES} more; --json names all of them")
