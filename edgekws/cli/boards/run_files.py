"""What a bench leaves: printed figures, the files in the run's folder, and a session folder of MLPerf Tiny."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from edgekws.cli import console
from edgekws.errors import ParityError

if TYPE_CHECKING:
    from edgekws.data.dataset import Dataset
    from edgekws.graph.ir import Graph
    from edgekws.report.attached import ShownClip
    from edgekws.types import Measurement
    from firmware_io.bench.run import BenchRun
    from firmware_io.board import Board


def write(
    folder: Path,
    run: BenchRun,
    board: Board,
    graph: Graph,
    about: dict[str, Any],
    options: Mapping[str, Any],
    dataset: Dataset | None = None,
) -> Path:
    """Print the figures, write every file of the run and point `latest` at it. Returns the report to read.

    about: arguments of build_report. options: of the command, by their names. dataset: whose test clips were sent.
    Raises ArtifactError when a file cannot be written.
    """
    from edgekws.files import write_bytes, write_json
    from edgekws.graph import io
    from edgekws.report import attached, build_report, origin, schema, write_report
    from edgekws.report.bundle import manifest, run_folder
    from edgekws.report.quality import details
    from firmware_io.board import path_of

    document = details.added(run.to_json(), run.answer_rows())
    for figure in run.measurements():  # first: a full disk must not hide them
        console.out.print(_line(figure, document), markup=False)
    for warning in run.warnings:
        console.err.print(f"warning: {warning}", style="yellow", markup=False)
    attached.write(folder, _recordings(document, dataset), *_about_model(run.provenance.model))
    title, now = f"{graph.name} on {board.title}", datetime.now().astimezone().isoformat(" ", "seconds")
    page = write_report(build_report(title, graph, document, **about, created=now), folder)[-1]
    write_json(folder / run_folder.BENCH, {**document, "answers": run.answer_rows()})
    write_bytes(folder / "board.toml", path_of(board.name).read_bytes())
    io.save(graph, folder / "graph.npz")
    write_bytes(folder / schema.SCHEMA.name, schema.SCHEMA.read_bytes())
    built = about.get("manifests", {}).get("firmware")
    compiler = built.versions.get("compiler", "") if built else ""
    manifest.write(folder, document, options, compiler)  # the last of the files
    gone = run_folder.missing(folder, (*run_folder.DOCUMENTS, manifest.NAME))
    if gone is not None:
        raise gone
    run_folder.point_to(folder)
    console.out.print(origin.line(document), markup=False)
    return page


def _about_model(model: str) -> tuple[Path | None, Path | None]:
    """(log of the training, card), which need not exist; None when the folder of the model is not known."""
    return (Path(model, "float", "log.csv"), Path(model, "card.md")) if model else (None, None)


def _recordings(document: Mapping[str, Any], dataset: Dataset | None) -> list[ShownClip]:
    """Those of the wrong answers that the page shows; none without the data set."""
    from edgekws.report.attached import ShownClip

    if dataset is None or not document["accuracy"]:
        return []
    split = dataset.splits["test"]
    places = {name: at for at, name in enumerate(split.ids)}
    names = [row["file"] for row in document["accuracy"].get("wrong", ())]
    return [
        ShownClip(number, split.samples[places[name]], dataset.rate_hz)
        for number, name in enumerate(names, 1)
        if name in places
    ]


def keep_traffic(folder: Path, record: Path | None, url: str) -> None:
    """Copy the traffic of the run, recorded elsewhere or played back, into its folder."""
    from edgekws.files import write_bytes
    from edgekws.report.bundle import run_folder
    from firmware_io import transport

    source, kept = record or transport.recording_of(url), folder / run_folder.TRAFFIC
    if source is not None and source != kept and source.is_file():  # `whole` says that it is missing
        write_bytes(kept, source.read_bytes())


def whole(run: BenchRun, folder: Path, recorded: bool) -> BenchRun:
    """The run; aborted, and so not valid, when a file that it wrote before its end is no longer in `folder`."""
    from edgekws.report.bundle import run_folder

    metered = run.energy is not None and run.energy.rate_hz > 0
    names = (run_folder.FIRMWARE, *run_folder.SAMPLES * metered, *(run_folder.TRAFFIC,) * recorded)
    error = run_folder.missing(folder, names)
    if error is None or run.cause is not None:
        return run
    run = replace(run, cause=error)
    return replace(run, reasons=(f"the run was aborted: {run.incomplete}", *run.reasons))


def conclude(run: BenchRun, page: Path, mlperf: Path | None, folder: Path) -> None:
    """Print the verdict, and write the session of a valid run. Raises what aborted the run or made it invalid."""
    from edgekws.report import text
    from edgekws.report.quality import judge

    verdict = {"valid": run.valid, "text": run.verdict}
    provenance = {"source": run.provenance.source}
    headline = text.headline({"incomplete": run.incomplete, "verdict": verdict, "provenance": provenance})
    console.out.print(f"[bold]{headline}[/], report in {escape(str(page))}")
    if run.accuracy is not None:
        quality = judge({**run.to_json(), "verdict": verdict})
        for sentence in (quality.headline, *quality.remarks):
            console.out.print(sentence, markup=False)
    if page.suffix != ".html":
        console.err.print('pip install "edgekws[report]" adds the report as a page with plots', markup=False)
    if run.cause is not None:
        raise run.cause
    if not run.valid:
        raise ParityError("the run should be valid", got="; ".join(run.reasons), hint=f"see {page}")
    if mlperf is not None:
        _write_session(run, mlperf, folder)


def next_steps(folder: Path, model: Path, dataset: Dataset | None) -> None:
    """Print what usually follows a valid run in `folder`: judge the model on all clips, compare with the run before."""
    from edgekws.report.bundle import run_folder

    if dataset is not None:
        console.next_step("evaluate", model, dataset.folder)
    earlier = run_folder.before(folder)
    if earlier is None:
        console.next_step("verify", folder)
    else:
        console.next_step("compare", earlier, folder)


def _line(figure: Measurement, document: Mapping[str, Any]) -> str:
    """A figure on one line, formatted as in the report."""
    from edgekws.report import origin, text

    value, unit = text.quantity(figure.value, figure.unit)
    row = figure.to_json()
    about = ", ".join(filter(None, (origin.how(document, figure.how), text.sample(row), text.bounds(row))))
    return f"{figure.name}: {f'{value} {unit}'.strip()} ({about})"


def _write_session(run: BenchRun, mlperf: Path, folder: Path) -> None:
    """Write a valid run as a session folder of MLPerf Tiny."""
    from edgekws.report.bundle import run_folder
    from edgekws.report.mlperf import official, write_session
    from firmware_io.traffic import log as traffic_log

    traffic = folder / run_folder.TRAFFIC
    log = traffic_log.text(traffic) if traffic.exists() else ""
    document = run.submission()
    session = write_session(document, mlperf, log)
    console.out.print(f"MLPerf Tiny session in {session}", markup=False)
    files = official(document) if run.accuracy else None
    if run.accuracy and not (files and files.whole):
        clips = files.text if files else f"{run.accuracy.n} clips of {run.accuracy.dataset}"
        text = f"warning: its accuracy is not a result of the benchmark, which takes all its files: {clips}"
        console.err.print(text, style="yellow", markup=False)
