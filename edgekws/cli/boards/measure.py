"""A bench from the options of the command line: plan, meter, port, firmware and session."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekws import mlperf as rules
from edgekws.cli import console
from edgekws.cli._model import data_for, model_folder, require_graph, vectors_for
from edgekws.cli._options import BOARD, DATA, OUT
from edgekws.cli.boards import clips as clips_of
from edgekws.cli.boards import locks, run_files
from edgekws.cli.boards.flash import detector_of, emitted_model, listening_model
from edgekws.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

    from edgekws.graph.ir import Graph
    from edgekws.types import Manifest
    from firmware_io.bench import Vectors
    from firmware_io.bench.modes import Plan
    from firmware_io.bench.provenance import Provenance
    from firmware_io.bench.run import BenchRun
    from firmware_io.board import Board
    from firmware_io.build import Firmware
    from firmware_io.energy.meter import Meter


STREAMS = ("stream", "sww01")
"""The modes of the firmware that listens."""
_NOT_OF_STREAMS = ("meter", "voltage", "iterations", "vectors", "save_vectors", "mlperf", "image", "min_ram", "clips")


@dataclass(frozen=True)
class Options:
    """What the options of `edgekws bench` say, by their names. clips: 0 is all. port: "" is the board's own.

    data: None is the data set of the model's training. image: the firmware that the board holds; None: the one that is
    built.
    """

    board: str = BOARD
    data: Path | None = None
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
    image: Path | None = None
    audio: Path | None = None
    labels: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """The options as JSON, by their names."""
        values = {option.name: getattr(self, option.name) for option in fields(self)}
        plain = {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}

    @property
    def folder(self) -> Path:
        """The board's folder, where each run gets its own. Energy that a meter measured needs another firmware; its
        runs are in a folder beside those of performance mode.
        """
        return self.out / "bench" / f"{self.board}{'-energy' if self.metered else ''}"

    @property
    def metered(self) -> bool:
        """Whether an instrument measures, and not the model. Raises ConfigError for a meter that does not exist."""
        from firmware_io import monitors

        return bool(self.meter) and monitors.load(self.meter)[0].CAPABILITIES.kind != "model"


@dataclass(frozen=True)
class _Job:
    """The inputs of a run. model: its C; empty when nothing is built: for a given image and an imported trace."""

    options: Options
    board: Board
    graph: Graph
    plan: Plan
    meter: Meter | None
    port: str = ""
    model: dict[str, bytes] = field(default_factory=dict)

    @property
    def streams(self) -> bool:
        """Whether the firmware is the one that listens."""
        return self.plan.modes[0] in STREAMS


def measure(options: Options) -> None:
    """Measure, print the figures, write the report; then raise the error that stopped the run or made it invalid."""
    from edgekws.graph import io
    from firmware_io import board as boards

    board, out = boards.load(options.board), model_folder(options.out)
    require_graph(out)
    options = replace(options, out=out)
    plan, meter = _plan(options), _meter(options)
    if plan.audio or plan.labels:
        _require_sww01(plan)
    if any(mode in STREAMS for mode in plan.modes):
        _measure_stream(options, board, plan)
        return
    options = replace(options, vectors=vectors_for(options.vectors, options.data, out))
    if options.image is not None:
        _require_a_board_with_it(options, board, meter)
    if options.mlperf is not None:
        _require_a_session(plan, meter)
    _require_outputs(options)
    if meter is not None and meter.capabilities.kind == "file":
        job = _Job(options, board, io.load(options.out / "graph.npz"), plan, meter)
        _import(job, meter)
        return
    port = port_of(options, board, _is_live(meter))
    if options.image is not None:
        _run(_Job(options, board, io.load(options.out / "graph.npz"), plan, meter, port))
        return
    graph, model = emitted_model(board, options.out, options.min_ram)
    _run(_Job(options, board, graph, plan, meter, port, model))


def _measure_stream(options: Options, board: Board, plan: Plan) -> None:
    """Raises ConfigError for other modes beside it, which need another firmware, and for options without a meaning."""
    given = [f"--{name.replace('_', '-')}" for name in _NOT_OF_STREAMS if getattr(options, name)]
    if len(plan.modes) > 1 or given:
        got = f"--mode {','.join(plan.modes)}" if len(plan.modes) > 1 else f"{given[0]}"
        mode = next(mode for mode in plan.modes if mode in STREAMS)
        hint = f"run --mode {mode} alone: its firmware listens and classifies no clips"
        raise ConfigError(f"{mode} mode should be the only one, with sound of its own", got=got, hint=hint)
    _require_outputs(options)
    graph, files = listening_model(options.out)
    port = port_of(options, board, stream=True)
    plan = replace(plan, detector=detector_of(options.out, graph), sound=_sound(plan, graph))
    _run(_Job(options, board, graph, plan, None, port, files))


def _sound(plan: Plan, graph: Graph) -> np.ndarray | None:
    """The recording to play, int16 [n], resampled where it has another rate. Raises DataError as audio.read."""
    from edgekws.data import audio

    return audio.read(plan.audio, graph.front_end.rate_hz) if plan.audio else None


def _require_sww01(plan: Plan) -> None:
    if plan.modes != ("sww01",):
        got, hint = f"--mode {','.join(plan.modes)}", "give --mode sww01"
        raise ConfigError("--audio and --labels belong to --mode sww01", got=got, hint=hint)


def _plan(options: Options) -> Plan:
    from firmware_io.bench import modes

    names = [name.strip() for text in options.modes for name in text.split(",") if name.strip()]
    return modes.Plan(
        modes=modes.in_order(names),
        window_s=options.window_s or rules.WINDOW_S,
        windows=options.windows or rules.WINDOWS,
        host_clock="replay:" not in options.port,
        audio=options.audio,
        labels=options.labels,
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


def _require_outputs(options: Options) -> None:
    """Raises ArtifactError for an output that cannot be written, before it takes minutes."""
    from edgekws.files import preflight
    from firmware_io import traffic

    for folder in (options.folder, options.mlperf):
        if folder is not None:
            preflight.require_folder(folder)
    for file in (options.spy, options.save_vectors):
        if file is not None:
            preflight.require_file(file)
    if options.spy is not None:
        traffic.require_free(options.spy)


def _require_a_board_with_it(options: Options, board: Board, meter: Meter | None) -> None:
    """Raises ConfigError for options that contradict --image, and ArtifactError for a file that is no firmware."""
    from firmware_io import build

    if options.min_ram or (meter is not None and meter.capabilities.kind == "file"):
        got = "--min-ram, which chooses what is built" if options.min_ram else "--meter csv:, which uses no board"
        raise ConfigError("--image is the firmware that a board holds", got=got, hint="leave out one")
    if options.image is not None:
        build.existing(board, options.image)


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


def _import(job: _Job, meter: Meter) -> None:
    from edgekws.report.bundle import run_folder
    from firmware_io.bench import import_trace, provenance

    if job.plan.modes != ("energy",):
        got, hint = ", ".join(job.plan.modes), "measure the board without --meter, then import the trace"
        raise ConfigError("a recorded trace is imported with --mode energy alone", got=got, hint=hint)
    run, now = import_trace(job.board, job.graph, meter, job.plan), datetime.now()
    outputs, modes = job.options.folder, job.plan.modes
    with locks.output(outputs), run_folder.new_run(outputs, modes, now) as folder:
        moment = provenance.now()
        model = str(job.options.out)
        source = provenance.Provenance("trace", folder.name, started=moment, ended=moment, model=model)
        run = replace(run, provenance=source)
        page = run_files.write(folder, run, job.board, job.graph, {}, job.options.to_json())
    run_files.conclude(run, page, job.options.mlperf, folder)


@console.when_stopped("stopped; a bench does not continue: run again, it measures everything")
def _run(job: _Job) -> None:
    """Measure in a folder of its own. Everything that can be checked is checked before that is made."""
    from edgekws.report.bundle import run_folder
    from firmware_io.bench import vectors
    from firmware_io.protocol import probe

    options = job.options
    if job.streams:
        clips, dataset = clips_of.none(job.graph), None
    else:
        data = DATA if options.vectors else data_for(options.data, options.out)
        clips, dataset = clips_of.chosen(options.vectors, data, options.clips, job.graph)
    _require_labels(job, clips)
    about = clips_of.origin(options.out, job.graph, dataset)  # a damaged file is reported before minutes of measurement
    if options.save_vectors is not None:
        vectors.write(options.save_vectors, clips, job.graph.features)
    url = probe.resolved(job.port)
    source = _source(url, clips, options.out)
    with (
        locks.board(url, job.board.name),
        locks.output(options.folder),
        run_folder.new_run(options.folder, job.plan.modes, datetime.now()) as folder,
    ):
        run = _measured(job, url, replace(source, run_id=folder.name), clips, folder)
        if run.firmware is not None:
            about = {**about, "manifests": {**about.get("manifests", {}), "firmware": _built(job, run.firmware)}}
        page = run_files.write(folder, run, job.board, job.graph, about, options.to_json(), dataset)
    run_files.conclude(run, page, options.mlperf, folder)
    run_files.next_steps(folder, options.out, dataset)


def _measured(job: _Job, url: str, source: Provenance, clips: Vectors, folder: Path) -> BenchRun:
    """The run. Its firmware stays in its folder, where no other run replaces it, if the device proved that it ran."""
    from edgekws.report.bundle import run_folder
    from firmware_io import transport as transports
    from firmware_io.bench import bench, provenance
    from firmware_io.build import memory_plan
    from firmware_io.listening.board import wake
    from firmware_io.protocol.session import Session
    from firmware_io.transport import open_transport, spy

    firmware = _firmware(job, folder / run_folder.FIRMWARE)
    meter = job.meter and replace(job.meter, folder=folder)
    record = job.options.spy or _log(job, folder)
    console.out.print(f"device at {job.port}", markup=False)
    traced = spy.url_of(record, url) if record else url
    with open_transport(traced, firmware.elf) as transport, console.progress() as report:
        if job.streams:
            wake(transport)
        run = bench(Session(transport), job.board, job.graph, clips, job.plan, firmware, report, meter)
    run_files.keep_traffic(folder, record, url)
    run = run_files.whole(run, folder, recorded=bool(record or transports.recording_of(url)))
    if run.firmware is None:
        firmware.elf.unlink(missing_ok=True)
    known = run.firmware is not None and job.options.image is None and not job.streams  # else it is not known
    arena = memory_plan.arena(job.board, job.graph, job.options.min_ram) if known else None
    return replace(run, provenance=replace(source, ended=provenance.now()), arena=arena)


def _firmware(job: _Job, elf: Path) -> Firmware:
    """What the device should run, as the file `elf`: the image that is given, or one that is built now."""
    from firmware_io import build

    if job.options.image is not None:
        return build.copied(job.board, job.options.image, elf)
    return build.build(job.board, job.model, elf, energy=_is_live(job.meter))


def _source(url: str, clips: Vectors, model: Path) -> Provenance:
    """Where the figures will come from. Raises ArtifactError for a replay of anything but recorded traffic."""
    from firmware_io import traffic, transport
    from firmware_io.bench import provenance

    recording = transport.recording_of(url)
    return provenance.Provenance(
        source="live" if recording is None else "replay",
        started=provenance.now(),
        recorded="" if recording is None else traffic.header(recording).recorded,
        port=url,
        emulator=transport.emulator_of(url),
        clips_sha256=provenance.clips_sha256(clips),
        model=str(model),
    )


def _built(job: _Job, firmware: Firmware) -> Manifest:
    from edgekws.graph.io import digest
    from edgekws.types import Manifest
    from firmware_io import build

    inputs = {"graph": digest(job.graph), "firmware": firmware.sha256}
    if job.options.image is not None:
        return Manifest("firmware", inputs, {"image": job.options.image.name})
    flags = " ".join((*build.CFLAGS, *job.board.cflags))
    recipe = {"flags": flags, "min_ram": job.options.min_ram}
    return Manifest("firmware", inputs, recipe, {"compiler": build.compiler_version(job.board)})


def _require_labels(job: _Job, clips: Vectors) -> None:
    if job.options.mlperf is not None and "accuracy" in job.plan.modes and clips.labels is None:
        hint = "leave out --mlperf, or give clips with labels"
        raise ConfigError("an MLPerf Tiny session needs the label of each clip", got="clips without", hint=hint)


def port_of(options: Options, board: Board, energy: bool = False, stream: bool = False) -> str:
    """The URL of the device; a serial line gets the baud rate of the firmware when none is given.

    energy: of energy mode; stream: the one that listens.

    Raises ConfigError for a URL that starts another board: its figures would carry the wrong name.
    """
    from firmware_io import board as boards
    from firmware_io import transport

    port = transport.device_url(options.port) or board.transport
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
    baud = board.energy_baud if energy else board.stream_baud if stream else board.baud
    return f"{port}{'&' if '?' in port else '?'}baud={baud}" if serial else port


def _log(job: _Job, folder: Path) -> Path | None:
    """The file of recorded traffic for an MLPerf Tiny session, which has a log even without --spy; not of a replay."""
    from edgekws.report.bundle import run_folder
    from firmware_io import transport

    wanted = job.options.mlperf is not None and transport.recording_of(job.port) is None
    return folder / run_folder.TRAFFIC if wanted else None
