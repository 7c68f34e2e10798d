"""Benchmark a board over its serial port: latency, correctness of every answer, energy.

A bench runs the modes of a plan (firmware_io/bench/modes) in one session; the verdict (verdict.py) then decides
whether the results are valid.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from edgekws.errors import BoardError, ConfigError, EdgeKwsError
from edgekws.graph.io import digest
from edgekws.graph.ir import Graph
from edgekws.types import Progress
from firmware_io.bench import modes, verdict
from firmware_io.bench.build_check import BuildCheck, compared
from firmware_io.bench.modes import Plan, Runner, Setup, Vectors, accuracy, energy, performance
from firmware_io.bench.modes.energy import Energy
from firmware_io.bench.run import BenchRun
from firmware_io.board import Board
from firmware_io.build import Firmware, model_id
from firmware_io.energy import meter as meters
from firmware_io.energy.meter import Meter
from firmware_io.monitors import Monitor
from firmware_io.protocol.parser import StackUse
from firmware_io.protocol.session import Identity, Session

__all__ = ["Plan", "Vectors", "bench", "import_trace"]
_OUR_NAME = "edgekws-"
_OWN_SECTIONS = ("performance", "accuracy", "energy")
_METERS = "give --meter URL, for example lpm01a:/dev/ttyACM1, csv:FILE, or model: for an estimate"
_OTHER_MODELS = {"vww01": "person detection", "ad01": "anomaly detection", "ic01": "image classification"}
_OTHER_MODELS |= {"sww01": "streaming wake word", "strww01": "streaming wake word"}
_LISTENING = {"stream", "sww01"}
"""Modes of a firmware that listens."""


@dataclass
class _Results:
    """Results so far; complete or not, a run is made of them."""

    identity: Identity | None = None
    build: BuildCheck = field(default_factory=BuildCheck)
    runners: dict[str, Runner] = field(default_factory=dict)
    estimate: Energy | None = None
    stack: StackUse | None = None
    cause: BaseException | None = None


def bench(
    session: Session,
    board: Board,
    graph: Graph,
    vectors: Vectors,
    plan: Plan | None = None,
    firmware: Firmware | None = None,
    progress: Progress | None = None,
    meter: Meter | None = None,
) -> BenchRun:
    """Run the plan on a device that holds `graph`. meter: for energy mode, a live meter or a model.

    firmware: what the device should run. Another build is refused; the run has no firmware when the device does not say
    which build it runs.

    Anything that makes the figures doubtful makes the run invalid, with its reasons. When device or meter fail, or the
    user presses Ctrl-C, the run holds what was measured until then and has `cause` set. When nothing was measured the
    error itself is raised: BoardError, ProtocolError, or ConfigError for a plan that cannot be run.
    """
    plan, results = _checked(plan or Plan(), meter, board), _Results()
    setup = Setup(session, board, graph, vectors, plan, progress or _ignore, firmware, meter)
    try:
        with _power(plan, meter) as monitor:
            results.identity = session.start()
            _require_our_firmware(board, results.identity, plan)
            results.build = compared(board, session, firmware)
            _measure(replace(setup, monitor=monitor), results)
            results.stack = session.stack()  # last: the peak covers all modes
    except (EdgeKwsError, KeyboardInterrupt) as error:
        results.cause = error
    run = _collected(setup, results)
    if results.cause is not None and not (run.performance or run.accuracy or run.energy or run.others):
        raise results.cause
    return _judged(run, plan, graph)


def import_trace(board: Board, graph: Graph, meter: Meter, plan: Plan) -> BenchRun:
    """The run of a trace that another instrument recorded; uses no board. `meter.iterations`: inferences per window.

    Raises ConfigError for a trace without windows, and ArtifactError for a file that cannot be read.
    """
    meters.check(meter)
    section, samples = energy.recorded(meter, board, plan)
    run = BenchRun(board, graph.name, digest(graph), graph.labels, ("energy",), energy=section)
    run = replace(run, samples=samples)
    return _judged(run, plan, graph)


def _checked(plan: Plan, meter: Meter | None, board: Board) -> Plan:
    """The plan; with a model as the meter it starts with performance mode. Raises ConfigError if it cannot be run."""
    if "energy" not in plan.modes:
        return plan
    if meter is None:
        raise ConfigError("energy mode needs a meter", got="none", hint=_METERS)
    meters.check(meter)
    kind = meter.capabilities.kind
    if kind == "file":
        raise ConfigError("a recorded trace is imported, it cannot be run", got=meter.url, hint="use import_trace")
    if kind == "live" and "performance" in plan.modes:
        hint = "run --mode performance with one firmware, then --mode energy with the other"
        got = "both: their firmwares differ, one prints its time stamps, the other makes edges"
        raise ConfigError("a run should be in performance mode or in energy mode", got=got, hint=hint)
    if kind != "model":
        return plan
    energy.estimate(meter, board, 1.0, None)  # an unknown board is refused now, not after minutes of measurement
    return replace(plan, modes=modes.in_order(["performance", *plan.modes]))


def _power(plan: Plan, meter: Meter | None) -> AbstractContextManager[Monitor | None]:
    live = "energy" in plan.modes and meter is not None and meter.capabilities.kind == "live"
    return meters.powered(meter) if live and meter else nullcontext()


def _require_our_firmware(board: Board, identity: Identity, plan: Plan) -> None:
    """Raises BoardError for our firmware of another board, and for another benchmark's model."""
    hint = "check --port and --board, and flash the firmware of this board: edgekws flash"
    if identity.name.startswith(_OUR_NAME) and identity.name != f"{_OUR_NAME}{board.name}":
        got = f"{identity.name}, the firmware of another board"
        raise BoardError(f"the device should be {_OUR_NAME}{board.name}", got=got, hint=hint)
    listens = identity.model == model_id.SWW01 and set(plan.modes) <= _LISTENING
    if identity.model in _OTHER_MODELS and not listens:
        got = f"{identity.model}, a model for {_OTHER_MODELS[identity.model]}, by {identity.name}"
        raise BoardError(f"the device should hold {model_id.BENCHMARK}", got=got, hint=hint)


def _measure(setup: Setup, results: _Results) -> None:
    for mode in setup.plan.modes:
        if mode == "energy" and setup.monitor is None:
            results.estimate = _estimate(setup, results)
            continue
        results.runners[mode] = modes.runner(mode, setup)
        results.runners[mode].measure()


def _estimate(setup: Setup, results: _Results) -> Energy | None:
    """The energy section of a model. It needs no device, but the latency of performance mode, which ran before."""
    speed = results.runners["performance"].section()
    return energy.estimated(setup.meter, setup.board, speed) if setup.meter and speed else None


def _collected(setup: Setup, results: _Results) -> BenchRun:
    sections: dict[str, Any] = {mode: runner.section() for mode, runner in results.runners.items()}
    sections.setdefault("energy", results.estimate)
    own = {mode: sections.pop(mode) for mode in _OWN_SECTIONS if mode in sections}
    answered, metered = results.runners.get("accuracy"), results.runners.get("energy")
    return BenchRun(
        board=setup.board,
        graph_name=setup.graph.name,
        graph_sha256=digest(setup.graph),
        labels=setup.graph.labels,
        modes=setup.plan.modes,
        identity=results.identity,
        firmware=setup.firmware if results.build.status == "verified" else None,
        build=results.build,
        **own,
        others={mode: section for mode, section in sections.items() if section is not None},
        answers=answered.answers() if isinstance(answered, accuracy.Runner) else (),
        window_answers={
            mode: runner.answers()
            for mode, runner in results.runners.items()
            if isinstance(runner, performance.Runner | energy.Runner)
        },
        samples=metered.samples() if isinstance(metered, energy.Runner) else (),
        stack=results.stack,
        transfers=setup.session.transfers,
        cause=results.cause,
    )


def _judged(run: BenchRun, plan: Plan, graph: Graph) -> BenchRun:
    return replace(run, reasons=verdict.reasons(run, plan, graph), warnings=verdict.warnings(run, plan))


def _ignore(stage: str, done: int, total: int) -> None:
    del stage, done, total
