"""The verdict: whether a run can be trusted. Pure functions of its sections; reasons invalidate a run, warnings do not.

The limits and why they were chosen:

drift             last window / first - 1. Over 1 % warns: crystals and counters are far more stable than that, so the
                  cause is temperature, a frequency governor or another program. An emulator must not drift at all; its
                  windows are instructions, and so are their drift, spread and slowdown.
throttling        every window of the last half is slower than every window of the first, and by more than 5 % at the
                  median. The device has slowed down for good, so the median of its windows is meaningless.
                  On this computer, which other programs share, it only warns.
device clock      against this computer's, over the windows of a physical board: a difference over 2 % warns (that is
                  the tolerance of an RC oscillator), over 5 % invalidates. 0.1 s is allowed for the serial line.
                  On a busy computer the host's time of a window is too long, which the median tolerates. A window that
                  is longer on the device's clock than on the host's is a clock that jumped, and invalidates.
meter clock       against this computer's in the same way, with 1 s for the text around a window at 9600 baud: finds
                  a wrong sampling rate, lost samples, and edges that do not belong to this window.
spread            between windows, of latency and of energy, as a share of the median: over 5 % warns, over 30 %
                  invalidates. Submissions to MLPerf Tiny repeat within 0.3 %; over 5 % something else ran or the supply
                  moved, over 30 % the median of five windows says nothing any more. The same limits hold for the
                  latency of boards: a microcontroller does the same work in the same cycles. On this computer, which
                  other programs share, the latency only warns, and so does the energy of an emulated board.
plausibility      of a metered energy, against the board's data sheet and the graph's work: see plausible.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from edgekws.graph.ir import Graph
from edgekws.mlperf import WINDOW_S, WINDOWS
from firmware_io.bench import plausible
from firmware_io.bench.modes import IDLE_S, WARMUPS, Plan
from firmware_io.bench.modes.accuracy import Accuracy
from firmware_io.bench.modes.energy import Energy
from firmware_io.bench.modes.performance import Performance
from firmware_io.bench.run import BenchRun
from firmware_io.board import Board
from firmware_io.build import model_id

DRIFT = 0.01
THROTTLING = 0.05
CLOCKS_WARN, CLOCKS_INVALID, CLOCKS_ALLOWED_S = 0.02, 0.05, 0.1
METER_ALLOWED_S = 1.0
SPREAD, SPREAD_INVALID = 0.05, 0.30
_ANOTHER_MODEL = 0.5
"""Share of the clips: a device that differs on more holds another model; a wrong kernel rarely affects so many."""


def reasons(run: BenchRun, plan: Plan, graph: Graph | None = None) -> tuple[str, ...]:
    """Why the run is not valid, in sentences; empty when it is. graph: whose work the times are compared with."""
    return (
        *_incomplete(run),
        *(_performance_reasons(run, run.performance, plan) if run.performance else ()),
        *(_accuracy_reasons(run.accuracy) if run.accuracy else ()),
        *(_energy_reasons(run, run.energy, plan) if run.energy else ()),
        *(plausible.time_reasons(run.board, graph, run.energy) if run.energy and graph else ()),
        *(f"{mode}: {reason}" for mode, section in run.others.items() for reason in section.reasons),
    )


def warnings(run: BenchRun, plan: Plan) -> tuple[str, ...]:
    """What a reader of the figures has to know, in sentences."""
    return (
        *_run_warnings(run, plan),
        *(_performance_warnings(run, run.performance) if run.performance else ()),
        *(_accuracy_warnings(run.accuracy) if run.accuracy else ()),
        *(_energy_warnings(run.energy, plan) if run.energy else ()),
        *(plausible.warnings(run.board, run.energy) if run.energy else ()),
        *_transfer_warnings(run),
    )


def _incomplete(run: BenchRun) -> Iterator[str]:
    sections = {"performance": run.performance, "accuracy": run.accuracy, "energy": run.energy, **run.others}
    if run.cause is not None:
        yield f"the run was aborted: {run.incomplete}"
        return
    for mode in run.modes:
        if sections.get(mode) is None:
            yield f"{mode} mode: no usable window"


def _performance_reasons(run: BenchRun, performance: Performance, plan: Plan) -> Iterator[str]:
    yield from _clock_reasons(run.board, performance, plan)
    for clip in performance.wrong:
        yield f"performance: the answer for clip {clip} differs from the interpreter's at the end of its window"
    share = throttling(performance)
    if share > THROTTLING and run.board.how != "computed":
        if run.board.how == "emulated":
            yield f"the last windows took {100 * share:.1f} % more instructions per inference than the first"
        else:
            yield f"throttling: the last windows are {100 * share:.1f} % slower than the first"
    if _is_scattered(run, performance):
        yield _scattered(run, performance)
    apart = clocks_apart(run, performance)
    if apart > CLOCKS_INVALID:
        yield f"the device's clock differs by {100 * apart:.1f} % from this computer's: check its clock configuration"
    elif run.board.how == "measured" and performance.host_s is not None:
        yield from _jumps("window", "the device's clock", performance.windows_s, performance.host_s)


def _is_scattered(run: BenchRun, performance: Performance) -> bool:
    """Whether the windows differ by so much that their median means nothing."""
    return performance.spread > SPREAD_INVALID and run.board.how != "computed"


def _scattered(run: BenchRun, performance: Performance) -> str:
    figure = "number of instructions" if run.board.how == "emulated" else "latency"
    return f"the {figure} of the windows differs by {100 * performance.spread:.1f} % of its median"


def _clock_reasons(board: Board, performance: Performance, plan: Plan) -> Iterator[str]:
    previous_us, where = 0, " on the emulator's clock" if board.how == "emulated" else ""
    for number, ((start_us, end_us), seconds) in enumerate(
        zip(performance.clock_us, performance.windows_s, strict=True), 1
    ):
        if end_us <= start_us or start_us < previous_us:
            times = f"{previous_us}, {start_us}, {end_us} us"
            yield (
                f"window {number}: the device's clock runs backwards ({times}); "
                "a 32-bit clock does so every 71.6 minutes"
            )
        elif seconds < plan.window_s:
            yield f"window {number}: {seconds:.3f} s{where}, shorter than {plan.window_s:g} s"
        previous_us = end_us


def throttling(performance: Performance) -> float:
    """By which share the last half of the windows is slower than the first; 0 unless each is slower than each."""
    latencies, half = performance.latencies_us, len(performance.latencies_us) // 2
    first, last = latencies[:half], latencies[-half:]
    if half < 2 or min(first) <= 0 or min(last) <= max(first):
        return 0.0
    return median(last) / median(first) - 1


def clocks_apart(run: BenchRun, performance: Performance) -> float:
    """Share by which the device's clock differs from this computer's at the median window, less the serial line's time.

    0 for emulated boards, whose time is virtual, and when the host's time is unknown.
    """
    if run.board.how != "measured" or performance.host_s is None:
        return 0.0
    windows = zip(performance.windows_s, performance.iterations, performance.host_s, strict=True)
    return median(_apart(seconds * (1 + WARMUPS / n), host_s) for seconds, n, host_s in windows)


def _apart(device_s: float, host_s: float) -> float:
    excess = host_s - device_s
    if excess >= 0:  # the host's time includes the serial line
        excess = max(0.0, excess - CLOCKS_ALLOWED_S)
    return abs(excess) / max(host_s, 1e-9)


def _jumps(
    what: str, whose: str, windows_s: Sequence[float], host_s: Sequence[float], allowed_s: float = CLOCKS_ALLOWED_S
) -> Iterator[str]:
    """Windows that lasted longer than their whole command did on this computer's clock."""
    for number, (seconds, whole_s) in enumerate(zip(windows_s, host_s, strict=True), 1):
        if seconds > whole_s * (1 + CLOCKS_INVALID) + allowed_s:
            yield f"{what} {number}: {seconds:.3f} s on {whose}, but all of it took {whole_s:.3f} s on this computer's"


def _accuracy_reasons(accuracy: Accuracy) -> Iterator[str]:
    wrong, wrong_text = accuracy.n - accuracy.matches, accuracy.n - accuracy.text_matches
    if wrong:
        clips = ", ".join(mismatch.clip for mismatch in accuracy.mismatches[:3])
        other = "; it appears to hold another model" if wrong > _ANOTHER_MODEL * accuracy.n else ""
        yield f"board and interpreter differ on {wrong} of {accuracy.n} clips, first {clips}{other}"
    if wrong_text and accuracy.compared == "scores":
        yield f"the printed probabilities are wrong on {wrong_text} of {accuracy.n} clips"


def _energy_reasons(run: BenchRun, energy: Energy, plan: Plan) -> Iterator[str]:
    yield from energy.faults
    if energy.how == "estimated":
        return
    asked_for = plan.windows if run.identity is not None else len(energy.windows)
    if len(energy.windows) < asked_for and not energy.faults and run.cause is None:
        yield f"energy: only {len(energy.windows)} of {asked_for} windows are usable: samples at the end are missing"
    yield from _meter_clock_reasons(energy)
    for number, window in enumerate(energy.windows, 1):
        if window.seconds < plan.window_s:
            yield f"energy window {number}: {window.seconds:.3f} s, shorter than {plan.window_s:g} s"
    if energy.dropped:
        yield f"the meter lost {energy.dropped} samples"
    if not energy.uj_per_inference > 0:  # also true for NaN
        yield "the energy of an inference is not positive: the meter's terminals may be swapped"
    if energy.limit_a and energy.peak_a is not None and energy.peak_a > energy.limit_a:
        yield f"the current reached {1000 * energy.peak_a:.1f} mA; the meter's limit is {1000 * energy.limit_a:g} mA"
    if energy.spread > SPREAD_INVALID and energy.how == "measured":
        yield f"the energy of the windows differs by {100 * energy.spread:.1f} % of its median"
    yield from plausible.reasons(run.board, energy)
    for clip in energy.wrong:
        yield f"energy: the answer for clip {clip} differs from the interpreter's at the end of its window"


def _meter_clock_reasons(energy: Energy) -> Iterator[str]:
    if energy.host_s is None:
        return
    windows_s = [window.seconds for window in energy.windows]
    late_s = CLOCKS_ALLOWED_S if energy.how == "measured" else METER_ALLOWED_S  # the edges of an emulated board
    yield from _jumps("energy window", "the meter's clock", windows_s, energy.host_s, late_s)
    windows = zip(energy.windows, energy.host_s, strict=True)
    short = median(
        (host_s - METER_ALLOWED_S - window.seconds * (1 + WARMUPS / window.iterations)) / max(host_s, 1e-9)
        for window, host_s in windows
    )
    if short > CLOCKS_INVALID:
        yield f"the meter's clock counts {100 * short:.1f} % less than this computer's: samples or edges are missing"


def _run_warnings(run: BenchRun, plan: Plan) -> Iterator[str]:
    known = (model_id.BENCHMARK, model_id.OWN_INPUTS, model_id.STREAM, model_id.SWW01)
    if run.identity is not None and run.identity.model not in known:
        yield f"the device reports the model {run.identity.model}, not {model_id.BENCHMARK}"
    if run.identity is None and run.energy is not None:
        yield "a recorded trace: it is not proven that the board ran this graph, or this number of inferences"
    timed = run.performance is not None or (run.energy is not None and bool(run.energy.windows))
    counted = plan.windows if run.identity is not None or run.energy is None else len(run.energy.windows)
    if timed and (plan.window_s < WINDOW_S or counted < WINDOWS):
        clock = " on the emulator's clock" if run.board.how == "emulated" and run.performance is not None else ""
        yield (
            f"{counted} window{'' if counted == 1 else 's'} of {plan.window_s:g} s{clock}: fewer or shorter than "
            f"MLPerf Tiny's {WINDOWS} of {WINDOW_S:g} s"
        )
    if run.performance is not None and run.board.how == "computed":
        yield "the times are this computer's and say nothing about a board"
    if run.build.status == "unverified":
        yield "build unverified: the device reports no build id, so no flash, RAM and hash of its firmware are claimed"


def _performance_warnings(run: BenchRun, performance: Performance) -> Iterator[str]:
    figure = "number of instructions" if run.board.how == "emulated" else "latency"
    if abs(performance.drift) > DRIFT:
        yield f"drift: the last window's {figure} differs by {100 * performance.drift:+.1f} % from the first's"
    if performance.spread > SPREAD and not _is_scattered(run, performance):
        yield _scattered(run, performance)
    share = throttling(performance)
    if share > THROTTLING and run.board.how == "computed":
        yield f"this computer got {100 * share:.1f} % slower during the run"
    apart = clocks_apart(run, performance)
    if CLOCKS_WARN < apart <= CLOCKS_INVALID:
        yield f"the device's clock differs by {100 * apart:.1f} % from this computer's, and so may the latency"


def _accuracy_warnings(accuracy: Accuracy) -> Iterator[str]:
    if accuracy.files is not None and (not accuracy.files.whole or accuracy.files.unlisted):
        yield accuracy.files.text
    if accuracy.compared == "permille":
        yield "the device has no `raw` command: printed probabilities were compared, not scores"
    if accuracy.resent:
        yield f"{accuracy.resent} inputs were sent again: bytes were lost on the wire"


def _energy_warnings(energy: Energy, plan: Plan) -> Iterator[str]:
    if energy.how == "estimated":
        chip = f" (for {energy.chip})" if energy.chip else ""
        yield f"the energy is estimated, not measured{chip}; constants: {energy.source}"
        return
    if energy.how == "emulated":
        yield "the energy is an emulated board's: it tests the set-up and says nothing about a chip"
    if energy.uj_per_inference_above_idle is None:
        yield f"the idle power is not known: no window has {plan.idle_s:g} s of rest beside it"
    elif energy.uj_per_inference_above_idle <= 0 and energy.how != "measured":
        yield "the board drew no more power in its windows than at rest: check that the edges belong to the windows"
    if energy.uj_per_inference_above_idle is not None and plan.idle_s < IDLE_S:
        yield f"the idle power was measured over {plan.idle_s:g} s, less than {IDLE_S:g} s"
    if energy.spread > SPREAD and (energy.spread <= SPREAD_INVALID or energy.how != "measured"):
        yield f"the energy of the windows differs by {100 * energy.spread:.1f} % of its median"
    if energy.volts is None:
        yield "the supply voltage is not known"


def _transfer_warnings(run: BenchRun) -> Iterator[str]:
    resent = run.accuracy.resent if run.accuracy else 0
    if run.transfers is not None and run.transfers.repeated and not resent:
        share = f"{run.transfers.repeated} of {run.transfers.commands}"
        yield f"{share} commands were retried: bytes were lost on the wire"
