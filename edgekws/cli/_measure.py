"""A bench from the options of the command line: firmware, clips, session, report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekws import console, rules
from edgekws.cli._options import BOARD, DATA, OUT
from edgekws.cli.board import emitted_model
from edgekws.errors import ConfigError, ParityError

if TYPE_CHECKING:
    from edgekws.data.dataset import Dataset
    from edgekws.graph.ir import Graph
    from firmware_io.bench import Vectors
    from firmware_io.bench_run import BenchRun
    from firmware_io.board import Board
    from firmware_io.meter import Meter
    from firmware_io.modes import Plan


@dataclass(frozen=True)
class Options:
    """What the options of `edgekws bench` say, by their names. clips: 0 is all. port: "" is the board's own."""

    board: str = BOARD
    data: Path = DATA
    out: Path = OUT
    clips: int = 0
    min_ram: bool = False
    modes: tuple[str, ...] = ("performance", "accuracy")
    port: str = ""
    spy: Path | None = None
    meter: str = ""
    voltage: float | None = None
    iterations: int = 0
    windows: int | None = None
    window_s: float | None = None
    vectors: Path | None = None
    save_vectors: Path | None = None
    mlperf: Path | None = None

    @property
    def folder(self) -> Path:
        """Where the report goes."""
        return self.out / "bench" / self.board


@dataclass(frozen=True)
class _Job:
    """What a run is made of."""

    options: Options
    board: Board
    graph: Graph
    model: dict[str, bytes]
    plan: Plan
    meter: Meter | None


def measure(options: Options) -> None:
    """Measure, write the report, print the figures; then raise what broke the run off or made it invalid."""
    from firmware_io import board as boards

    board = boards.load(options.board)
    plan, meter = _plan(options), _meter(options)
    graph, model = emitted_model(board, options.out, options.min_ram)
    job = _Job(options, board, graph, model, plan, meter)
    if meter is not None and meter.capabilities.kind == "file":
        run, dataset = _imported(job, meter), None
    else:
        run, dataset = _run(job)
    _finish(job, run, dataset)


def _plan(options: Options) -> Plan:
    from firmware_io import modes

    names = [name.strip() for text in options.modes for name in text.split(",") if name.strip()]
    return modes.Plan(
        modes=modes.in_order(names),
        window_s=options.window_s or rules.WINDOW_S,
        windows=options.windows or rules.WINDOWS,
        host_clock="replay:" not in options.port,
    )


def _meter(options: Options) -> Meter | None:
    """Raises ConfigError for an option of a meter without the mode, and for a meter that does not exist."""
    from firmware_io.meter import Meter, check

    if not options.meter:
        return None
    if "energy" not in _plan(options).modes:
        raise ConfigError("--meter belongs to --mode energy", got=", ".join(options.modes), hint="add --mode energy")
    meter = Meter(options.meter, options.folder, options.voltage, options.iterations)
    check(meter)
    return meter


def _imported(job: _Job, meter: Meter) -> BenchRun:
    from firmware_io.bench import import_trace

    if job.plan.modes != ("energy",):
        got, hint = ", ".join(job.plan.modes), "measure the board without --meter, then import the trace"
        raise ConfigError("a recorded trace is imported with --mode energy alone", got=got, hint=hint)
    return import_trace(job.board, job.graph, meter, job.plan)


def _run(job: _Job) -> tuple[BenchRun, Dataset | None]:
    """The run, and the data set of its clips when they come from one."""
    from firmware_io import build, vectors
    from firmware_io.bench import bench
    from firmware_io.protocol.session import Session
    from firmware_io.transport import open_transport

    options, board = job.options, job.board
    clips, dataset = _clips(job)
    if options.save_vectors is not None:
        vectors.write(options.save_vectors, clips, job.graph.features)
    live = job.meter is not None and job.meter.capabilities.kind == "live"
    elf = options.out / "firmware" / f"{board.name}{'-energy' if live else ''}.elf"
    firmware = build.build(board, job.model, elf, energy=live)
    port, record = _port(job, live), options.spy or _log(options)
    with open_transport(port, elf, record) as transport, console.progress() as report:
        run = bench(Session(transport), board, job.graph, clips, job.plan, firmware, report, job.meter)
    return run, dataset


def _port(job: _Job, energy: bool) -> str:
    """The URL of the device; a serial line gets the baud rate of the firmware when none is given."""
    port = job.options.port or job.board.transport
    serial = port.startswith("serial:") and "baud=" not in port
    baud = job.board.energy_baud if energy else job.board.baud
    return f"{port}{'&' if '?' in port else '?'}baud={baud}" if serial else port


def _log(options: Options) -> Path | None:
    """An MLPerf Tiny session has a log, so its traffic is recorded even if nobody asked for it."""
    return options.folder / "traffic.jsonl" if options.mlperf is not None else None


def _clips(job: _Job) -> tuple[Vectors, Dataset | None]:
    """Clips of a file, or of the test split: --clips of them, spread over all labels."""
    import numpy as np

    from edgekws.data import dataset
    from edgekws.features import cache
    from firmware_io import vectors
    from firmware_io.bench import Vectors

    if job.options.vectors is not None:
        found = vectors.read(job.options.vectors, job.graph)
        chosen = _spread(len(found.ids), job.options.clips)
        labels = None if found.labels is None else found.labels[chosen]
        ids = tuple(found.ids[at] for at in chosen)
        return Vectors(found.dataset, ids, np.ascontiguousarray(found.features[chosen]), labels), None
    loaded = dataset.load(job.options.data)
    test = loaded.splits["test"]
    chosen = _spread(len(test), job.options.clips)
    features = cache.int8_features(loaded, "test", job.graph.features)[chosen]
    return Vectors(f"{loaded.name} test", tuple(test.ids[at] for at in chosen), features, test.labels[chosen]), loaded


def _spread(there: int, wanted: int) -> Any:  # noqa: ANN401 (int64 [n])
    import numpy as np

    count = min(wanted or there, there)
    return np.unique(np.linspace(0, there - 1, count).astype(int))


def _finish(job: _Job, run: BenchRun, dataset: Dataset | None) -> None:
    from edgekws.report import write_report

    path = write_report(_report(job, run, dataset), job.options.folder)[-1]
    for figure in run.measurements():
        bounds = f", {figure.interval.low:.6g} to {figure.interval.high:.6g}" if figure.interval else ""
        line = f"{figure.name}: {figure.value:.6g} {figure.unit} ({figure.how}, n = {figure.n}{bounds})"
        console.out.print(line, markup=False)
    for warning in run.warnings:
        console.err.print(f"warning: {warning}", style="yellow", markup=False)
    console.out.print(f"[bold]{run.verdict}[/], report in {path}")
    if run.cause is not None:
        raise run.cause
    if not run.valid:
        raise ParityError("the run should be valid", got="; ".join(run.reasons), hint=f"see {path}")
    _write_session(job.options, run)


def _report(job: _Job, run: BenchRun, dataset: Dataset | None) -> Any:  # noqa: ANN401
    from edgekws import pipeline
    from edgekws.report import build_report

    title, out = f"{job.graph.name} on {job.board.title}", job.options.out
    if dataset is None:
        return build_report(title, job.graph, run.to_json())
    return build_report(
        title,
        job.graph,
        run.to_json(),
        figures=pipeline.figures(out, dataset),
        parity=pipeline.parity_rows(out / "export" / "parity.json", job.graph),
        manifests=pipeline.manifests(out, dataset, job.graph),
        warnings=dataset.notes,
    )


def _write_session(options: Options, run: BenchRun) -> None:
    """A session folder of MLPerf Tiny, of a run that is valid."""
    from edgekws.report.mlperf import write_session
    from firmware_io import traffic_log

    if options.mlperf is None:
        return
    recorded = options.spy or _log(options)
    if run.identity is None:  # no board was asked: what is there is of another run
        recorded = None
    log = traffic_log.text(recorded) if recorded is not None and recorded.exists() else ""
    folder = write_session(run.submission(), options.mlperf, log)
    console.out.print(f"MLPerf Tiny session in {folder}")
