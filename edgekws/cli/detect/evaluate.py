"""`edgekws detect-eval`: how good a detector is, and thresholds for a budget of false accepts."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from edgekws.cli import console
from edgekws.cli.detect import subject
from edgekws.cli.detect.subject import EngineOption, ModelArgument
from edgekws.errors import ArtifactError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgekws.detect.evaluation import document as doc
    from edgekws.detect.evaluation.run import Inputs, Options, Part
    from edgekws.detect.settings import Settings
    from edgekws.graph.ir import Graph
    from edgekws.inference.model import Model

REPORT, PAGE = "report.json", "report.html"
_CLEAN = "clean"
_SHOWN = 5
_HOURS = {"": 1.0, "h": 1.0, "hour": 1.0, "day": 24.0, "d": 24.0}
"""What a rate is of, in hours."""


def detect_eval(
    model: ModelArgument,
    positives: Annotated[
        list[Path], typer.Option(help="A folder of recordings per word, or long recordings with Audacity's labels.")
    ],
    negatives: Annotated[list[Path], typer.Option(help="Sound without any of the words: a recording or a folder.")],
    validation: Annotated[
        Path | None,
        typer.Option(help="Choose thresholds on this: positives/, negatives/, perhaps synthetic/, noise/, rooms/."),
    ] = None,
    budget: Annotated[str, typer.Option(help="False accepts that are allowed: 0.5/h, 12/day.")] = "0.5/h",
    synthetic: Annotated[list[Path] | None, typer.Option(help="Negatives that a program spoke; told apart.")] = None,
    noise: Annotated[list[Path] | None, typer.Option(help="Recordings of noise around the words.")] = None,
    rooms: Annotated[list[Path] | None, typer.Option(help="Impulse responses of rooms that the words are in.")] = None,
    snr: Annotated[str, typer.Option(help="Signal-to-noise ratios in dB, with commas; clean is without noise.")] = (
        "clean,20,10"
    ),
    tau_ms: Annotated[float, typer.Option(help="How long after a word's end its event may come.", min=0)] = 500.0,
    latency_ms: Annotated[
        float, typer.Option(help="Choose a smoothing with which 95 % of the events come this soon, if any.", min=0)
    ] = 300.0,
    seed: Annotated[int, typer.Option(help="Of the scenes that words are put into.", min=0)] = 0,
    on: EngineOption = "",
    out: Annotated[Path | None, typer.Option(help="Folder of the report.", show_default="MODEL/detect-eval")] = None,
) -> None:
    """Judge a detector on streams, and choose its thresholds for a budget of false accepts per hour.

    Events are counted, not frames. Thresholds and smoothing are chosen on --validation and judged on the others.
    Without --validation those of the model's detector.json are judged.

    Examples:

    - judge: `edgekws detect-eval work/my_words/model --positives words --negatives talk.flac`
    - choose, then judge: `edgekws detect-eval MODEL --validation mine --positives words --negatives talk --budget 1/h`
    - in noise and rooms: `edgekws detect-eval MODEL --positives words --negatives talk --noise noise --rooms rooms`
    """
    from edgekws.detect import settings as detectors
    from edgekws.detect.evaluation import run
    from edgekws.files import preflight, write_json, write_text
    from edgekws.report.detection import pages

    require_report()
    per_hour = rate(budget)
    options = run.Options(ratios(snr), tau_ms, seed, on or None)
    read, graph = subject.graph_of(model)
    given = run.Inputs(
        tuple(positives), tuple(negatives), tuple(synthetic or ()), tuple(noise or ()), tuple(rooms or ())
    )
    folder = out or read.folder / "detect-eval"
    preflight.require_folder(folder)
    base = _blank(read, graph) if validation else subject.settings_of(read, graph)
    options = replace(options, gate=base.gate)
    base, chosen_on = _chosen(graph, base, validation, per_hour, latency_ms, options)
    test = _heard(graph, base, given, options)
    judged = (test, test.evaluate(base, tau_ms))
    before = (chosen_on, chosen_on.evaluate(base, tau_ms)) if chosen_on else None
    document = run.document(graph, read.name, on or "the fastest engine here", base, judged, before, tau_ms)
    write_json(folder / REPORT, document.model_dump(mode="json"))
    write_text(folder / PAGE, pages.to_html(document, (*test.background, *test.scenes)))
    detectors.save(base, folder / detectors.FILE, read.sha256)
    _show(document)
    _warn_of_unheard(document)
    console.out.print(f"report: {folder / PAGE}", markup=False)
    if chosen_on is not None:
        console.next_step("detect", model, "RECORDING", "--detector", folder / detectors.FILE)
    else:
        console.next_step("detect", model, "RECORDING")


def require_report() -> None:
    """Raises ModuleNotFoundError of a package that pages need, before long work rather than after it."""
    import jinja2  # noqa: F401
    import matplotlib as mpl  # noqa: F401


def rate(text: str) -> float:
    """Per hour. Raises ConfigError for another form than 0.5, 0.5/h or 12/day."""
    number, _, unit = text.strip().partition("/")
    try:
        value = float(number) / _HOURS[unit.strip()]
    except (ValueError, KeyError) as error:
        raise ConfigError("--budget should be a rate, such as 0.5/h or 12/day", got=text) from error
    if not 0 <= value < 1e6:
        raise ConfigError("--budget should be 0 or more", got=text)
    return value


def ratios(text: str) -> tuple[float | None, ...]:
    """dB; None for clean. Raises ConfigError for others."""
    try:
        given = [None if part.strip() == _CLEAN else float(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError("--snr should be ratios in dB, such as clean,20,10", got=text) from error
    return tuple(dict.fromkeys(given))


def _blank(read: Model, graph: Graph) -> Settings:
    """The default, behind the gate of the detector beside this graph, if it has one."""
    from edgekws.detect import settings

    blank, path = settings.default(graph.labels, subject.step_ms(graph)), read.folder / settings.FILE
    with suppress(ArtifactError):  # of another graph, or none
        return replace(blank, gate=settings.load(path, read.sha256).gate)
    return blank


def _chosen(
    graph: Graph, base: Settings, validation: Path | None, per_hour: float, latency_ms: float, options: Options
) -> tuple[Settings, Part | None]:
    """The detector to judge, and the streams that it was chosen on."""
    from edgekws.detect.evaluation import run

    if validation is None:
        return base, None
    part = _heard(graph, base, run.inputs_below(validation), replace(options, seed=options.seed + 1))
    with console.waiting("choosing thresholds"):
        return run.chosen(part, base, per_hour, options.tau_ms, latency_ms), part


def _heard(graph: Graph, base: Settings, given: Inputs, options: Options) -> Part:
    from edgekws.detect.evaluation import run

    with console.progress() as report:
        part = run.hear(graph, base.keywords, given, options, report)
    for fault in part.faults[:_SHOWN]:
        console.warn(fault)
    if len(part.faults) > _SHOWN:
        console.warn(f"and {len(part.faults) - _SHOWN} more, in {REPORT}")
    return part


def _show(document: doc.Document) -> None:
    from edgekws.detect.evaluation import texts

    print_, detector = console.out.print, document.detector
    if document.budget_per_hour is not None:
        print_(f"thresholds for {document.budget_per_hour:g} false accepts an hour", markup=False, style="bold")
    print_(f"smoothing {detector.smoothing_steps} steps of {detector.step_ms:g} ms; a hit comes within [onset, end + "
           f"{detector.tau_ms:g} ms]", markup=False)  # fmt: skip
    if document.validation is not None:
        print_("validation, where the thresholds were chosen (optimistic):", style="bold")
        for line in texts.lines(document.validation):
            print_(f"  {line}", markup=False)
    print_("test:", style="bold")
    for line in texts.lines(document.test):
        print_(f"  {line}", markup=False)
    print_(_table(texts.KEYWORD_HEADS, texts.keyword_rows(document.test)))
    print_(_table(texts.CONDITION_HEADS, texts.condition_rows(document.test)))
    if document.validation is None:
        console.warn("no --validation: nothing shows that these thresholds were chosen on other sound than this")


def _warn_of_unheard(document: doc.Document) -> None:
    """A threshold that was chosen without a recording of its word follows from false accepts alone."""
    part = document.validation
    names = [each.keyword for each in part.keywords if not each.missed.n] if part is not None else []
    if names:
        console.warn(
            f"no recording of {', '.join(names)} in --validation: their thresholds follow from false accepts alone. "
            "Add recordings, or switch these words off: 1001 in detector.json"
        )


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    first, *others = heads
    table = Table(Column(first), *(Column(head, justify="right", no_wrap=True) for head in others), box=None)
    for row in rows:
        table.add_row(*map(escape, row))
    return table
