"""A bench from the options of the command line: firmware, clips, session, report."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from edgekws import mlperf as rules
from edgekws.cli import console
from edgekws.cli._options import BOARD, DATA, OUT, model_folder, vectors_for
from edgekws.cli.boards.flash import emitted_model, image_path
from edgekws.errors import ConfigError, DataError, ParityError

if TYPE_CHECKING:
    from edgekws.data.dataset import Dataset
    from edgekws.graph.ir import Graph
    from edgekws.types import Manifest, Measurement
    from firmware_io.bench import Vectors
    from firmware_io.bench.modes import Plan
    from firmware_io.bench.provenance import Provenance
    from firmware_io.bench.run import BenchRun
    from firmware_io.board import Board
    from firmware_io.build import Firmware
    from firmware_io.energy.meter import Meter


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
        """Where the report goes. Energy that a meter measured needs a firmware and so a run of its own, whose report
        stands beside the one of performance mode.
        """
        return self.out / "bench" / f"{self.board}{'-energy' if self.metered else ''}"

    @property
    def metered(self) -> bool:
        """Whether an instrument measures, and not the model. Raises ConfigError for a meter that does not exist."""
        from firmware_io import monitors

        return bool(self.meter) and monitors.load(self.meter)[0].CAPABILITIES.kind != "model"


@dataclass(frozen=True)
class _Job:
    """The inputs of a run. model: its C; empty when a recorded trace is imported and no board is used."""

    options: Options
    board: Board
    graph: Graph
    plan: Plan
    meter: Meter | None
    port: str = ""
    model: dict[str, bytes] = field(default_factory=dict)


def measure(options: Options) -> None:
    """Measure, print the figures, write the report; then raise the error that stopped the run or made it invalid."""
    from edgekws.graph import io
    from firmware_io import board as boards

    board, out = boards.load(options.board), model_folder(options.out)
    options = replace(options, out=out, vectors=vectors_for(options.vectors, options.data, out))
    plan, meter = _plan(options), _meter(options)
    if options.mlperf is not None:
        _require_a_session(plan, meter)
    if meter is not None and meter.capabilities.kind == "file":
        job = _Job(options, board, io.load(options.out / "graph.npz"), plan, meter)
        _finish(job, _imported(job, meter), {})
        return
    port = _port(options, board, _is_live(meter))
    graph, model = emitted_model(board, options.out, options.min_ram)
    job = _Job(options, board, graph, plan, meter, port, model)
    run, origin = _run(job)
    _finish(job, run, origin)


def _plan(options: Options) -> Plan:
    from firmware_io.bench import modes

    names = [name.strip() for text in options.modes for name in text.split(",") if name.strip()]
    return modes.Plan(
        modes=modes.in_order(names),
        window_s=options.window_s or rules.WINDOW_S,
        windows=options.windows or rules.WINDOWS,
        host_clock="replay:" not in options.port,
    )


def _meter(options: Options) -> Meter | None:
    """Raises ConfigError for an option of a meter without the mode, and for a meter that does not exist."""
    from firmware_io.energy.meter import Meter, check

    if not options.meter:
        if options.voltage is not None or options.iterations:
            got = "--voltage" if options.voltage is not None else "--iterations"
            raise ConfigError("--voltage and --iterations belong to --meter", got=f"{got} alone", hint="give --meter")
        return None
    if "energy" not in _plan(options).modes:
        raise ConfigError("--meter belongs to --mode energy", got=", ".join(options.modes), hint="add --mode energy")
    meter = Meter(options.meter, options.folder, options.voltage, options.iterations)
    check(meter)
    return meter


def _is_live(meter: Meter | None) -> bool:
    return meter is not None and meter.capabilities.kind == "live"


def _require_a_session(plan: Plan, meter: Meter | None) -> None:
    """Raises ConfigError for a run that cannot become a session of MLPerf Tiny, before it takes minutes."""
    exact = plan.windows == rules.WINDOWS and plan.window_s >= rules.WINDOW_S
    if plan.modes != ("accuracy",) and not exact:
        raise ConfigError(
            f"a session of MLPerf Tiny has {rules.WINDOWS} windows of at least {rules.WINDOW_S:g} s",
            got=f"{plan.windows} of {plan.window_s:g} s",
            hint="leave out --windows and --window-s, or --mlperf",
        )
    if meter is not None and meter.capabilities.kind == "model":
        hint = "measure the energy, or leave it out of this run"
        raise ConfigError("a session of MLPerf Tiny takes no estimates", got="--meter model:", hint=hint)


def _imported(job: _Job, meter: Meter) -> BenchRun:
    from firmware_io.bench import import_trace, provenance

    if job.plan.modes != ("energy",):
        got, hint = ", ".join(job.plan.modes), "measure the board without --meter, then import the trace"
        raise ConfigError("a recorded trace is imported with --mode energy alone", got=got, hint=hint)
    run = import_trace(job.board, job.graph, meter, job.plan)
    now = provenance.now()
    return replace(run, provenance=provenance.Provenance("trace", started=now, ended=now))


def _run(job: _Job) -> tuple[BenchRun, dict[str, Any]]:
    """The run, and the arguments of build_report about its origin."""
    from firmware_io import build
    from firmware_io.bench import bench, provenance, vectors
    from firmware_io.protocol import probe
    from firmware_io.protocol.session import Session
    from firmware_io.transport import open_transport, spy

    options, live = job.options, _is_live(job.meter)
    clips, dataset = _clips(job)
    _require_labels(job, clips)
    origin = (
        {} if dataset is None else _origin(job, dataset)
    )  # a damaged file is reported before minutes of measurement
    if options.save_vectors is not None:
        vectors.write(options.save_vectors, clips, job.graph.features)
    elf = image_path(options.out, job.board, live)
    firmware = build.build(job.board, job.model, elf, energy=live)
    origin = {**origin, "manifests": {**origin.get("manifests", {}), "firmware": _built(job, firmware)}}
    record = options.spy or _log(options)
    console.out.print(f"device at {job.port}", markup=False)
    url = probe.resolved(job.port)
    source = _provenance(url, clips)
    with open_transport(spy.url_of(record, url) if record else url, elf) as transport, console.progress() as report:
        run = bench(Session(transport), job.board, job.graph, clips, job.plan, firmware, report, job.meter)
    return replace(run, provenance=replace(source, ended=provenance.now())), origin


def _provenance(url: str, clips: Vectors) -> Provenance:
    from firmware_io import transport
    from firmware_io.bench import provenance

    return provenance.Provenance(
        source="replay" if transport.recording_of(url) else "live",
        started=provenance.now(),
        port=url,
        emulator=transport.emulator_of(url),
        clips_sha256=provenance.clips_sha256(clips),
    )


def _built(job: _Job, firmware: Firmware) -> Manifest:
    from edgekws.graph.io import digest
    from edgekws.types import Manifest
    from firmware_io import build

    inputs = {"graph": digest(job.graph), "firmware": firmware.sha256}
    flags = " ".join((*build.CFLAGS, *job.board.cflags))
    recipe = {"flags": flags, "min_ram": job.options.min_ram}
    return Manifest("firmware", inputs, recipe, {"compiler": build.compiler_version(job.board)})


def _require_labels(job: _Job, clips: Vectors) -> None:
    if job.options.mlperf is not None and "accuracy" in job.plan.modes and clips.labels is None:
        hint = "leave out --mlperf, or give clips with labels"
        raise ConfigError("an MLPerf Tiny session needs the label of each clip", got="clips without", hint=hint)


def _origin(job: _Job, dataset: Dataset) -> dict[str, Any]:
    """Arguments of build_report: figures, parity, manifests and warnings of what made the graph."""
    from edgekws import pipeline

    out, graph = job.options.out, job.graph
    return {
        "figures": pipeline.figures(out, dataset, graph),
        "parity": pipeline.parity_rows(out / "export" / "parity.json", graph),
        "manifests": pipeline.manifests(out, dataset, graph),
        "warnings": dataset.notes,
    }


def _port(options: Options, board: Board, energy: bool) -> str:
    """The URL of the device; a serial line gets the baud rate of the firmware when none is given.

    Raises ConfigError for a URL that starts another board: its figures would carry the wrong name.
    """
    from firmware_io import board as boards
    from firmware_io import transport

    port = options.port or board.transport
    started = transport.board_of(port)
    if started not in ("", board.name):
        got = f"{port}, which starts {started}"
        if not options.port:
            scheme = port.partition(":")[0]
            hint = f'write transport = "{scheme}:{board.name}" into its file'
            raise ConfigError(f"transport of the board {board.name} should start this board", got=got, hint=hint)
        hint = f"give --board {boards.load(started).name}, or leave out --port"
        raise ConfigError(f"--port should be one of the board {board.name}", got=got, hint=hint)
    serial = re.match(r"(spy:.*:)?serial:", port) and "baud=" not in port
    baud = board.energy_baud if energy else board.baud
    return f"{port}{'&' if '?' in port else '?'}baud={baud}" if serial else port


def _log(options: Options) -> Path | None:
    """The file of recorded traffic for an MLPerf Tiny session, which has a log even without --spy."""
    return options.folder / "traffic.jsonl" if options.mlperf is not None else None


def _clips(job: _Job) -> tuple[Vectors, Dataset | None]:
    """Clips of a file, or of the test split: --clips of them, spread over all labels."""
    import numpy as np

    from edgekws.data import dataset
    from edgekws.features import cache
    from firmware_io.bench import Vectors, vectors

    if job.options.vectors is not None:
        read = vectors.read(job.options.vectors, job.graph)
        chosen = _spread(len(read.ids), job.options.clips)
        labels = None if read.labels is None else read.labels[chosen]
        ids = tuple(read.ids[at] for at in chosen)
        return Vectors(read.dataset, ids, np.ascontiguousarray(read.features[chosen]), labels), None
    loaded = dataset.load(job.options.data)
    if loaded.labels != job.graph.labels:
        expected = f"the data set should have the labels of the graph: {', '.join(job.graph.labels)}"
        hint = "give the data set of its training with --data, or the folder of another model with --out"
        raise DataError(expected, got=", ".join(loaded.labels), hint=hint)
    test = loaded.splits["test"]
    chosen = _spread(len(test), job.options.clips)
    features = cache.int8_features(loaded, "test", job.graph.features)[chosen]
    return Vectors(f"{loaded.name} test", tuple(test.ids[at] for at in chosen), features, test.labels[chosen]), loaded


def _spread(total: int, limit: int) -> Any:  # noqa: ANN401 (int64 [n])
    """At most `limit` indices below `total`, evenly spaced; all of them for 0."""
    import numpy as np

    count = min(limit or total, total)
    return np.unique(np.linspace(0, total - 1, count).astype(int))


def _finish(job: _Job, run: BenchRun, origin: dict[str, Any]) -> None:
    from edgekws.report import build_report, write_report
    from edgekws.report import origin as origin_of

    for figure in run.measurements():  # first: a full disk must not hide them
        console.out.print(_line(figure), markup=False)
    for warning in run.warnings:
        console.err.print(f"warning: {warning}", style="yellow", markup=False)
    title, now = f"{job.graph.name} on {job.board.title}", datetime.now().astimezone().isoformat(" ", "seconds")
    written = build_report(title, job.graph, run.to_json(), **origin, created=now)
    path = write_report(written, job.options.folder)[-1]
    console.out.print(origin_of.line(run.to_json()), markup=False)
    console.out.print(f"[bold]{run.verdict}[/], report in {escape(str(path))}")
    if path.suffix != ".html":
        console.err.print('pip install "edgekws[report]" adds the report as a page with plots', markup=False)
    if run.cause is not None:
        raise run.cause
    if not run.valid:
        raise ParityError("the run should be valid", got="; ".join(run.reasons), hint=f"see {path}")
    _write_session(job.options, run)


def _line(figure: Measurement) -> str:
    """A figure on one line, formatted as in the report."""
    from edgekws.report import text

    value, unit = text.quantity(figure.value, figure.unit)
    row = figure.to_json()
    about = ", ".join(filter(None, (figure.how, text.sample(row), text.bounds(row))))
    return f"{figure.name}: {f'{value} {unit}'.strip()} ({about})"


def _write_session(options: Options, run: BenchRun) -> None:
    """Write a valid run as a session folder of MLPerf Tiny, if --mlperf is given."""
    from edgekws.report.mlperf import write_session
    from firmware_io.traffic import log as traffic_log

    if options.mlperf is None:
        return
    recorded = options.spy or _log(options)
    if run.identity is None:  # no board was used: an existing recording belongs to another run
        recorded = None
    log = traffic_log.text(recorded) if recorded is not None and recorded.exists() else ""
    folder = write_session(run.submission(), options.mlperf, log)
    console.out.print(f"MLPerf Tiny session in {folder}", markup=False)
