"""Bench of a board over its serial port: how fast it answers, whether every answer is right, what it takes.

One bench is a plan of modes (firmware_io/bench/modes) run on one session; the verdict (verdict.py) then
checks what they found.
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
from firmware_io.bench.modes import Mode, Plan, Runner, Setup, Vectors, accuracy, energy
from firmware_io.bench.modes.energy import Energy
from firmware_io.bench.run import BenchRun
from firmware_io.board import Board
from firmware_io.build import Firmware
from firmware_io.energy import meter as meters
from firmware_io.energy.meter import Meter
from firmware_io.monitors import Monitor
from firmware_io.protocol.parser import StackUse
from firmware_io.protocol.session import Identity, Session

__all__ = ["Plan", "Vectors", "bench", "import_trace"]
_OUR_NAME = "edgekws-"
_METERS = "give --meter URL, for example lpm01a:/dev/ttyACM1, csv:FILE, or model: for an estimate"
_OTHER_MODELS = {"vww01": "person detection", "ad01": "anomaly detection", "ic01": "image classification"}
_OTHER_MODELS |= {"sww01": "streaming wake word", "strww01": "streaming wake word"}


@dataclass
class _Found:
    """What there is so far, wherever the run breaks off."""

    identity: Identity | None = None
    runners: dict[Mode, Runner] = field(default_factory=dict)
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
    """Run the plan on a device that holds `graph`; energy mode with `meter`, live or a model.

    Whatever makes the figures doubtful makes the run invalid, with reasons. A device or a meter that breaks off
    after something was measured, and Ctrl-C, give a run that holds it, with `cause` set; before that, the error
    itself is raised: BoardError, ProtocolError, or ConfigError for a plan that cannot be run.
    """
    plan, found = _checked(plan or Plan(), meter, board), _Found()
    setup = Setup(session, board, graph, vectors, plan, progress or _ignore, firmware, meter)
    try:
        with _power(plan, meter) as monitor:
            found.identity = session.start()
            _require_our_firmware(board, found.identity)
            _measure(replace(setup, monitor=monitor), found)
            found.stack = session.stack()  # last: it tells of everything before
    except (EdgeKwsError, KeyboardInterrupt) as error:
        found.cause = error
    run = _collected(setup, found)
    if found.cause is not None and not (run.performance or run.accuracy or run.energy):
        raise found.cause
    return _judged(run, plan)


def import_trace(board: Board, graph: Graph, meter: Meter, plan: Plan, firmware: Firmware | None = None) -> BenchRun:
    """The run that some other instrument recorded, with windows of `meter.iterations` inferences; no board is asked.

    Raises ConfigError for a trace without windows, and what the meter's file raises.
    """
    meters.check(meter)
    section = energy.recorded(meter, board, plan)
    run = BenchRun(board, graph.name, digest(graph), graph.labels, ("energy",), firmware=firmware, energy=section)
    return _judged(run, plan)


def _checked(plan: Plan, meter: Meter | None, board: Board) -> Plan:
    """The plan, which for a model begins with performance mode. Raises ConfigError when it cannot be run."""
    if "energy" not in plan.modes:
        return plan
    if meter is None:
        raise ConfigError("energy mode needs a meter", got="none", hint=_METERS)
    meters.check(meter)
    kind = meter.capabilities.kind
    if kind == "file":
        raise ConfigError("a recorded trace is imported, not run", got=meter.url, hint="use import_trace")
    if kind == "live" and "performance" in plan.modes:
        hint = "run --mode performance with one firmware, then --mode energy with the other"
        got = "both: their firmwares differ, one prints its time stamps, the other gives edges"
        raise ConfigError("a run should be of performance mode or of energy mode", got=got, hint=hint)
    if kind != "model":
        return plan
    energy.estimate(meter, board, 1.0, None)  # whether it knows the board is found before minutes of windows
    return replace(plan, modes=modes.in_order(["performance", *plan.modes]))


def _power(plan: Plan, meter: Meter | None) -> AbstractContextManager[Monitor | None]:
    live = "energy" in plan.modes and meter is not None and meter.capabilities.kind == "live"
    return meters.powered(meter) if live and meter else nullcontext()


def _require_our_firmware(board: Board, identity: Identity) -> None:
    """Raises BoardError for our firmware of another board, and for another benchmark's model."""
    hint = "check --port and --board, and flash the firmware of this board: edgekws flash"
    if identity.name.startswith(_OUR_NAME) and identity.name != f"{_OUR_NAME}{board.name}":
        got = f"{identity.name}, the firmware of another board"
        raise BoardError(f"the device should be {_OUR_NAME}{board.name}", got=got, hint=hint)
    if identity.model in _OTHER_MODELS:
        got = f"{identity.model}, a model for {_OTHER_MODELS[identity.model]}, by {identity.name}"
        raise BoardError(f"the device should hold {verdict.MODEL_ID}", got=got, hint=hint)


def _measure(setup: Setup, found: _Found) -> None:
    for mode in setup.plan.modes:
        if mode == "energy" and setup.monitor is None:
            found.estimate = _estimate(setup, found)
            continue
        found.runners[mode] = modes.runner(mode, setup)
        found.runners[mode].measure()


def _estimate(setup: Setup, found: _Found) -> Energy | None:
    """A model's section: it asks no device, but needs performance mode, which ran before."""
    speed = found.runners["performance"].section()
    return energy.estimated(setup.meter, setup.board, speed) if setup.meter and speed else None


def _collected(setup: Setup, found: _Found) -> BenchRun:
    sections: dict[str, Any] = {mode: runner.section() for mode, runner in found.runners.items()}
    sections.setdefault("energy", found.estimate)
    answered = found.runners.get("accuracy")
    return BenchRun(
        board=setup.board,
        graph_name=setup.graph.name,
        graph_sha256=digest(setup.graph),
        labels=setup.graph.labels,
        modes=setup.plan.modes,
        identity=found.identity,
        firmware=setup.firmware,
        **sections,
        answers=answered.answers() if isinstance(answered, accuracy.Runner) else (),
        stack=found.stack,
        transfers=setup.session.transfers,
        cause=found.cause,
    )


def _judged(run: BenchRun, plan: Plan) -> BenchRun:
    return replace(run, reasons=verdict.reasons(run, plan), warnings=verdict.warnings(run, plan))


def _ignore(stage: str, done: int, total: int) -> None:
    del stage, done, total
