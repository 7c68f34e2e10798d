"""`edgekws select score` and `inspect`: the score of a selection, and the contents of the challenge's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from edgekws.cli import console
from edgekws.cli.select.options import AllowedOption, DataOption, TrainVectorsOption

if TYPE_CHECKING:
    from edgekws.curate.dataperf.commands import Request
    from edgekws.curate.dataperf.scorer.score import Score

_Language = Annotated[str, typer.Option("--language", help="en, id, pt, ...: names the default folder and files.")]
_Size = Annotated[
    int | None,
    typer.Option(
        "--train-size", help="Maximum number of clips; 25 or 60 on the leaderboards.", show_default="from the file name"
    ),
]


def score(
    language: _Language = "en",
    train_size: _Size = None,
    train_file: Annotated[
        Path | None,
        typer.Option(
            help="The selection: .json, .yaml, or train.npz.", show_default="workspace/LANGUAGE_SIZE_train.json"
        ),
    ] = None,
    data: DataOption = None,
    allowed: AllowedOption = None,
    eval_file: Annotated[
        Path | None,
        typer.Option(help="eval.yaml, or eval.pb of the first generation.", show_default="DATA/eval.yaml"),
    ] = None,
    train_dir: TrainVectorsOption = None,
    eval_dir: Annotated[
        Path | None,
        typer.Option(
            "--eval-embeddings-dir",
            help="Embeddings to evaluate, one word.parquet per word.",
            show_default="DATA/eval_embeddings",
        ),
    ] = None,
    input_samples: Annotated[
        Path | None, typer.Option(help="samples.pb, the pool of a first-generation train.yaml.")
    ] = None,
    config_file: Annotated[
        Path | None, typer.Option(help="YAML with eval_random_seeds. Default: the official seeds.")
    ] = None,
    numerics: Annotated[str, typer.Option(help="2023 (the leaderboard's), 2024, or native.")] = "2023",
    protocol: Annotated[
        str, typer.Option(help="2022-02, -03, -04, -09, -11, 2023-03, -05. Default: by the file types.")
    ] = "",
    strict_peer: Annotated[
        bool, typer.Option("--strict-peer", help="Score invalid selections that the challenge scores, with a warning.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole report as JSON.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Also write the report to this JSON file.")] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="Write the predicted label of each clip and seed to this CSV file.")
    ] = None,
) -> None:
    """Score a selection as the challenge does; add figures per class, the confusion matrix and an interval.

    Example: `edgekws select score --data work/challenge --train-file en_25_train.json`
    """
    from edgekws.curate.dataperf import commands

    request = commands.Request(
        language, train_size, train_file, allowed, eval_file, train_dir, eval_dir, input_samples, config_file,
        numerics, protocol, strict_peer, data,
    )  # fmt: skip
    _deliver(request, as_json, out, predictions)


def _deliver(request: Request, as_json: bool, out: Path | None, predictions: Path | None) -> None:
    from edgekws.curate.dataperf import commands
    from edgekws.files import write_json, write_text

    with console.waiting("scoring"):
        result = commands.scored(request)
    document = result.to_json()
    if predictions is not None:
        write_text(predictions, commands.predictions_csv(result))
    if out is not None:
        write_json(out, document)
    if as_json:
        print(json.dumps(document, indent=1))
        return
    _show_score(result)
    print(commands.peer_line(result))


def _show_score(result: Score) -> None:
    options, document = result.options, result.to_json()
    console.out.print(
        f"{options.protocol.measure}, {result.trained} clips to train, {result.evaluated:,} evaluated, "
        f"{_runs(result)}, protocol {options.protocol.date}, "
        f"numerics {options.numerics} ({document['numerics']['means']})"
    )
    console.out.print(_class_table(result))
    console.out.print(_confusion_table(result))
    low, high = result.interval.low, result.interval.high
    values = list(result.by_run.values())
    spread = f"; {_runs(result)} {min(values):.4f} to {max(values):.4f}" if len(values) > 1 else ""
    console.out.print(f"95 % interval over evaluation clips: {low:.4f} to {high:.4f}{spread}")
    for note in result.warnings:
        console.warn(note)


def _runs(result: Score) -> str:
    return (
        " and ".join(result.options.protocol.classifiers)
        or f"{len(result.by_run)} seed{'s' * (len(result.by_run) > 1)}"
    )


def _class_table(result: Score) -> Table:
    table = Table("class", "F1", "precision", "recall", "clips", box=None, header_style="bold")
    for row in result.classes:
        figures = [f"{value:.4f}" for value in (row.f1, row.precision, row.recall)]
        table.add_row(escape(row.name), *figures, f"{row.support:,}")
    return table


def _confusion_table(result: Score) -> Table:
    """Clips by truth (row) and prediction (column), mean over seeds or classifiers."""
    names, runs = [row.name for row in result.classes], len(result.by_run)
    table = Table("truth \\ predicted", *map(escape, names), box=None, header_style="bold")
    for name, counts in zip(names, result.confusion.tolist(), strict=True):
        table.add_row(escape(name), *(f"{count / runs:,.1f}" for count in counts))
    return table


def inspect(
    paths: Annotated[
        list[Path], typer.Argument(help="Files of the challenge, its folder, or folders of word.parquet files.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Describe files of the challenge: kind, counts and every problem. Exits with 3 when there is one.

    A selection is checked against an allowed_training_set.yaml beside it, lists against folders of embeddings.

    Example: `edgekws select inspect en_25_train.json work/challenge`
    """
    from edgekws.curate.dataperf import inspect as inspecting

    result = inspecting.inspect(paths)
    if as_json:
        print(json.dumps([each.to_json() for each in result], indent=1))
    else:
        for each in result:
            console.out.print(f"[bold]{escape(str(each.path))}[/]  {escape(each.kind)}")
            for name, value in each.facts.items():
                console.out.print(f"  {name}: {escape(str(value))}")
            for problem in each.problems:
                console.out.print(f"  [red]problem:[/] {escape(problem)}")
    if any(each.problems for each in result):
        raise typer.Exit(3)
