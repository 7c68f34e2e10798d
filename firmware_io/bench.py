"""Bench of a board over its serial port: how fast it answers, and whether every answer is right.

Performance: windows of at least 10 s on the device's own clock, as MLPerf Tiny asks for, one clip
each. Accuracy: every clip over the wire, compared with the interpreter integer by integer.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from edgekws import stats
from edgekws.errors import BoardError, ConfigError, EdgeKwsError, ProtocolError
from edgekws.graph import interp
from edgekws.graph.io import digest
from edgekws.graph.ir import Graph
from edgekws.graph.softmax import permille
from edgekws.types import Progress
from firmware_io.bench_run import Accuracy, BenchRun, Mismatch, Performance
from firmware_io.board import Board
from firmware_io.build import Firmware
from firmware_io.protocol.session import Answer, Identity, Session, Window

MLPERF_WINDOW_S, MLPERF_WINDOWS = 10.0, 5
MODEL_ID = "kws01"
SHOWN_MISMATCHES = 10
_CALIBRATION_US = 200_000
_CALIBRATION_HOST_S = 60.0
_CALIBRATION_ITERATIONS = 1_000_000
_MARGIN = 1.05
_WINDOW_ATTEMPTS = 4


@dataclass(frozen=True)
class Vectors:
    """Clips to be sent. features: int8 [n, frames, coefficients]; labels: int [n], None if not known."""

    dataset: str
    ids: tuple[str, ...]
    features: np.ndarray
    labels: np.ndarray | None = None


@dataclass(frozen=True)
class Plan:
    """What to run. window_s: device time of one window."""

    window_s: float = MLPERF_WINDOW_S
    windows: int = MLPERF_WINDOWS
    performance: bool = True
    accuracy: bool = True


def bench(
    session: Session,
    board: Board,
    graph: Graph,
    vectors: Vectors,
    plan: Plan | None = None,
    firmware: Firmware | None = None,
    progress: Progress | None = None,
) -> BenchRun:
    """Run the plan on a device that holds `graph`.

    A wrong answer, a short window or a clock that runs backwards makes the run invalid, with reasons.
    Raises BoardError or ProtocolError when the device breaks off, ConfigError without vectors.
    """
    plan, report = plan or Plan(), progress or _ignore
    if len(vectors.features) == 0 or len(vectors.ids) != len(vectors.features):
        got = f"{len(vectors.features)} clips with {len(vectors.ids)} names"
        raise ConfigError("the bench needs at least one clip, and a name for each", got=got)
    identity = session.start()
    windows = _windows(session, vectors, plan, report) if plan.performance else []
    accuracy = _accuracy(session, graph, vectors, report) if plan.accuracy else None
    stack = session.stack()  # last: it tells of everything before
    return BenchRun(
        board=board,
        identity=identity,
        graph_name=graph.name,
        graph_sha256=digest(graph),
        labels=graph.labels,
        firmware=firmware,
        performance=_performance(board, windows) if windows else None,
        accuracy=accuracy,
        stack=stack,
        reasons=(*_clock_reasons(windows, plan), *_accuracy_reasons(accuracy)),
        warnings=tuple(_warnings(identity, board, plan, accuracy)),
    )


def _ignore(stage: str, done: int, total: int) -> None:
    del stage, done, total


def _windows(session: Session, vectors: Vectors, plan: Plan, report: Progress) -> list[Window]:
    session.classify(vectors.features[0])  # loads, and sends again what was damaged
    us, host_s = _calibrate(session)
    windows = []
    for number in range(plan.windows):
        report("performance", number, plan.windows)
        session.classify(vectors.features[number % len(vectors.features)])
        windows.append(_window(session, plan, us, host_s))
    report("performance", plan.windows, plan.windows)
    return windows


def _window(session: Session, plan: Plan, us: float, host_s: float) -> Window:
    """One window; a busy computer calibrates too slow, so one that came out short is run again, longer."""
    iterations = max(1, math.ceil(plan.window_s * 1e6 * _MARGIN / us))
    for _ in range(_WINDOW_ATTEMPTS):
        window = session.infer(iterations, 1, timeout_s=30.0 + 5 * iterations * host_s)
        if not 0 < window.device_us < plan.window_s * 1e6:
            break
        iterations = math.ceil(plan.window_s * 1e6 * _MARGIN * iterations / window.device_us)
    return window


def _calibrate(session: Session) -> tuple[float, float]:
    """(device microseconds, host seconds) of one inference. Raises BoardError when no time passes."""
    iterations, begin = 1, time.monotonic()
    while time.monotonic() - begin < _CALIBRATION_HOST_S and iterations <= _CALIBRATION_ITERATIONS:
        start = time.monotonic()
        window = session.infer(iterations, 1)
        host_s = (time.monotonic() - start) / (iterations + 1)
        if abs(window.device_us) >= _CALIBRATION_US:  # backwards is found by the verdict
            return abs(window.device_us) / iterations, host_s
        grow = _CALIBRATION_US * _MARGIN / max(abs(window.device_us), 1)
        iterations = math.ceil(iterations * min(10.0, max(2.0, grow)))
    raise BoardError(
        "the clock of the device should run",
        got=f"{window.device_us} us for {window.iterations} inferences",
        hint="check the timer of the firmware's port",
    )


def _performance(board: Board, windows: list[Window]) -> Performance | None:
    latencies = [window.device_us / window.iterations for window in windows]
    if min(latencies) <= 0:
        return None
    latency = median(latencies)
    emulated = board.icount_shift >= 0
    return Performance(
        clock=_clock(board),
        iterations=tuple(window.iterations for window in windows),
        windows_s=tuple(window.device_us / 1e6 for window in windows),
        latencies_us=tuple(latencies),
        latency_us=latency,
        inferences_per_s=1e6 / latency,
        spread=(max(latencies) - min(latencies)) / latency,
        instructions=latency * 1000 / (1 << board.icount_shift) if emulated else None,
    )


def _clock(board: Board) -> str:
    if board.icount_shift >= 0:
        return f"virtual time of the emulator, {1 << board.icount_shift} ns for every instruction"
    return "the clock of this computer" if board.how == "computed" else "the clock of the board"


def _clock_reasons(windows: list[Window], plan: Plan) -> list[str]:
    reasons = []
    previous_us = 0
    for number, window in enumerate(windows, 1):
        if window.device_us <= 0 or window.start_us < previous_us:
            times = f"{previous_us}, {window.start_us}, {window.end_us} us"
            reasons.append(
                f"window {number}: the device's clock runs backwards ({times}); "
                "a 32-bit clock does so every 71.6 minutes"
            )
        elif window.device_us < plan.window_s * 1e6:
            reasons.append(f"window {number}: {window.device_us / 1e6:.3f} s, shorter than {plan.window_s:g} s")
        previous_us = window.end_us
    return reasons


def _accuracy(session: Session, graph: Graph, vectors: Vectors, report: Progress) -> Accuracy:
    expected = interp.run(graph, vectors.features)
    texts = permille(expected, graph.score_scale)
    start, answers = time.monotonic(), []
    for index, clip in enumerate(vectors.features):
        report("accuracy", index, len(vectors.features))
        answers.append(_classify(session, graph, vectors.ids[index], clip))
    report("accuracy", len(answers), len(answers))
    host_s = time.monotonic() - start
    compared = "scores" if session.has_raw else "permille"
    mismatches = _mismatches(vectors.ids, answers, expected, texts)
    text_matches = sum(answer.permille == tuple(text) for answer, text in zip(answers, texts.tolist(), strict=True))
    return Accuracy(
        dataset=vectors.dataset,
        n=len(answers),
        compared=compared,
        matches=len(answers) - len(mismatches),
        text_matches=text_matches,
        mismatches=tuple(mismatches[:SHOWN_MISMATCHES]),
        resent=sum(answer.loads - 1 for answer in answers),
        host_s=host_s,
        **_against_labels(graph, vectors.labels, answers),
    )


def _classify(session: Session, graph: Graph, clip_id: str, clip: np.ndarray) -> Answer:
    try:
        answer = session.classify(clip)
    except EdgeKwsError as error:
        raise type(error)(f"clip {clip_id}: {error.expected}", got=error.got, hint=error.hint) from error
    if {len(answer.permille), len(answer.scores or answer.permille)} != {len(graph.labels)}:
        got = f"{len(answer.permille)} probabilities and {len(answer.scores or ())} scores"
        hint = "flash the firmware that was built from this graph"
        raise ProtocolError(f"the device should give {len(graph.labels)} answers for a clip", got=got, hint=hint)
    return answer


def _mismatches(ids: tuple[str, ...], answers: list[Answer], expected: np.ndarray, texts: np.ndarray) -> list[Mismatch]:
    """The strictest comparison that the device allows: scores, else printed probabilities."""
    found = []
    for clip, answer, scores, text in zip(ids, answers, expected.tolist(), texts.tolist(), strict=True):
        if answer.scores is not None and answer.scores != tuple(scores):
            found.append(Mismatch(clip, "scores", tuple(scores), answer.scores))
        elif answer.scores is None and answer.permille != tuple(text):
            found.append(Mismatch(clip, "permille", tuple(text), answer.permille))
    return found


def _against_labels(graph: Graph, labels: np.ndarray | None, answers: list[Answer]) -> dict[str, Any]:
    if labels is None:
        return {"correct": None, "confusion": (), "recalls": (), "macro_auc": None}
    predicted = np.array([np.argmax(answer.scores or answer.permille) for answer in answers])  # a tie: the first
    table = stats.confusion(labels, predicted, len(graph.labels))
    probabilities = np.array([answer.permille for answer in answers])
    return {
        "correct": int(np.trace(table)),
        "confusion": tuple(map(tuple, table.tolist())),
        "recalls": stats.recalls(table, graph.labels),
        "macro_auc": stats.macro_auc(labels, probabilities),
    }


def _accuracy_reasons(accuracy: Accuracy | None) -> list[str]:
    if accuracy is None:
        return []
    wrong, wrong_text = accuracy.n - accuracy.matches, accuracy.n - accuracy.text_matches
    reasons = []
    if wrong:
        clips = ", ".join(mismatch.clip for mismatch in accuracy.mismatches[:3])
        reasons.append(f"board and interpreter differ on {wrong} of {accuracy.n} clips, first {clips}")
    if wrong_text and accuracy.compared == "scores":
        reasons.append(f"the printed probabilities are wrong on {wrong_text} of {accuracy.n} clips")
    return reasons


def _warnings(identity: Identity, board: Board, plan: Plan, accuracy: Accuracy | None) -> list[str]:
    warnings = []
    if identity.model != MODEL_ID:
        warnings.append(f"the device says that its model is {identity.model}, not {MODEL_ID}")
    if plan.performance and (plan.window_s < MLPERF_WINDOW_S or plan.windows < MLPERF_WINDOWS):
        warnings.append(
            f"{plan.windows} windows of {plan.window_s:g} s: fewer or shorter than MLPerf Tiny's "
            f"{MLPERF_WINDOWS} of {MLPERF_WINDOW_S:g} s"
        )
    if plan.performance and board.how == "computed":
        warnings.append("the times are of this computer and say nothing of a board")
    if accuracy is not None and accuracy.compared == "permille":
        warnings.append("the device has no `raw` command: printed probabilities were compared, not scores")
    if accuracy is not None and accuracy.resent:
        warnings.append(f"{accuracy.resent} inputs had to be sent again: bytes were lost on the wire")
    return warnings
