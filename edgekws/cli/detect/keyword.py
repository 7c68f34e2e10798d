"""`edgekws keyword`: a custom keyword from its text and a few recordings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from edgekws.cli import console
from edgekws.errors import ConfigError

if TYPE_CHECKING:
    from edgekws.pipeline.keyword.plan import KeywordPlan

_BUDGET = re.compile(r"(\d+(?:\.\d+)?)\s*(?:/\s*h(?:our)?)?")


def keyword(
    phrase: Annotated[str, typer.Argument(help='What is to be detected, in English: "hey lamp".')],
    out: Annotated[Path, typer.Option("--out", help="Folder of the keyword: model, threshold, report.")],
    recordings: Annotated[
        Path | None, typer.Option(help="Folder of 1 to 50 recordings of the phrase. Default: none.")
    ] = None,
    test: Annotated[Path | None, typer.Option(help="Folder of other recordings of it, only for the report.")] = None,
    background: Annotated[
        list[Path] | None, typer.Option(help="Folder of sound without the phrase, as long as you have; several times.")
    ] = None,
    noise: Annotated[list[Path] | None, typer.Option(help="Folder of noises; several times.")] = None,
    rooms: Annotated[list[Path] | None, typer.Option(help="Folder of impulse responses; several times.")] = None,
    engine: Annotated[
        list[str] | None, typer.Option(help="A speech engine; several times. Default: all that are installed.")
    ] = None,
    budget: Annotated[str, typer.Option(help="False accepts that are allowed, per hour: 0.5/h.")] = "0.5/h",
    start: Annotated[
        str, typer.Option(help="Network to start from: a model's folder or a released model.")
    ] = "dscnn_stream",
    spoken: Annotated[int, typer.Option(help="Clips of the phrase to synthesize.", min=8)] = 360,
    scenes: Annotated[int, typer.Option(help="Scenes to train on.", min=100)] = 12_000,
    steps: Annotated[int, typer.Option(help="Steps of the training.", min=10)] = 2_500,
    seed: Annotated[int, typer.Option(help="Of all random draws.", min=0)] = 0,
) -> None:
    """Make a model that detects a phrase of your own, from its text and 0 to 50 recordings; offline, in half an hour.

    Speech engines say the phrase and what nearly sounds like it; a streamed network is trained, turned into integers,
    and its threshold set for the budget on sound that it was not trained on. The same command continues a run that was
    stopped.

    Examples:

    - without recordings: `edgekws keyword "hey lamp" --out work/hey_lamp`
    - with recordings: `edgekws keyword "hey lamp" --recordings my_clips --background office --out work/hey_lamp`
    """
    from edgekws import models
    from edgekws.pipeline import keyword as pipeline
    from edgekws.pipeline.keyword import sound
    from edgekws.pipeline.keyword.plan import Folder, KeywordPlan

    def listed(folder: Path | None, option: str) -> tuple[Path, ...]:
        return sound.listed(folder.expanduser(), option) if folder is not None else ()

    plan = KeywordPlan(
        " ".join(phrase.split()),
        listed(recordings, "--recordings"),
        listed(test, "--test"),
        tuple(background or ()),
        tuple(noise or ()),
        tuple(rooms or ()),
        tuple(engine or ()),
        start,
        per_hour(budget),
        spoken,
        scenes,
        steps,
        seed=seed,
    )
    out = out.expanduser()
    console.out.print("about half an hour on two cores; a run that is stopped goes on with the same command")
    with console.progress() as report:
        document = pipeline.make(plan, Folder(out), report)
    _write_page(document, out)
    _show(plan, document)
    console.next_step("listen", out)
    console.next_step("detect", out, "RECORDING")
    console.next_step("export", "--out", out, "--vectors", out / models.GOLDEN)


def per_hour(text: str) -> float:
    """0.5, 0.5/h or 0.5/hour. Raises ConfigError for anything else."""
    match = _BUDGET.fullmatch(text.strip())
    if not match or not float(match[1]):
        raise ConfigError("--budget should be false accepts per hour, such as 0.5/h", got=text)
    return float(match[1])


def _write_page(document: dict[str, Any], out: Path) -> None:
    from edgekws.files import write_text
    from edgekws.report import phrase

    write_text(out / "report.html", phrase.to_html(document))


def _show(plan: KeywordPlan, document: dict[str, Any]) -> None:
    from edgekws.report import phrase

    table = Table("", "", box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, text in phrase.rows(document):
        table.add_row(escape(name), escape(text))
    console.out.print(table)
    for text in phrase.warnings(document):
        console.warn(text)
    console.out.print(f"the report of {escape(plan.phrase)!r} is report.html beside the model", soft_wrap=True)
