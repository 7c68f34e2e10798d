"""Whether a run can be trusted: a pure check of its sections. Reasons make it invalid, warnings want to be read.

What the limits are, and why:

drift             last window / first - 1. Over 1 % warns: crystals and counters hold far better than that, so
                  temperature, a governor or another program moved it. Under an emulator nothing may.
throttling        every window of the last half slower than every window of the first, and by more than 5 % at the
                  median: the device got slower for good, and no median of such windows says how fast it is.
                  On this computer, which others share, it only warns.
the clocks        device against host, over windows of a physical board: over 2 % apart warns (an RC oscillator is
                  good for that much), over 5 % is invalid. 0.1 s is allowed for the way over the serial line.
                  A busy computer makes its own time of a window longer, which the median forgives; a window that
                  is longer on the device's clock than on the computer's is a clock that jumped, and invalid.
the meter's clock against host, in the same way, with 1 s for the text around a window at 9600 baud: a rate that is
                  not what it should be, lost samples, or edges that are not those of this window.
spread            over 5 % of the median between windows warns, of latency and of energy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from edgekws.mlperf import WINDOW_S, WINDOWS
from firmware_io.bench.modes import IDLE_S, WARMUPS, Plan
from firmware_io.bench.modes.accuracy import Accuracy
from firmware_io.bench.modes.energy import Energy
from firmware_io.bench.modes.performance import Performance
from firmware_io.bench.run import BenchRun

MODEL_ID = "kws01"
DRIFT = 0.01
THROTTLING = 0.05
CLOCKS_WARN, CLOCKS_INVALID, CLOCKS_ALLOWED_S = 0.02, 0.05, 0.1
METER_ALLOWED_S = 1.0
SPREAD = 0.05
_ANOTHER_MODEL = 0.5
"""Of the clips: a device that differs on more holds another model; one wrong kernel is seldom that wrong."""


def reasons(run: BenchRun, plan: Plan) -> tuple[str, ...]:
    """Why the run is not valid; empty when it is."""
    return (
        *_incomplete(run),
        *(_performance_reasons(run, run.performance, plan) if run.performance else ()),
        *(_accuracy_reasons(run.accuracy) if run.accuracy else ()),
        *(_energy_reasons(run, run.energy, plan) if run.energy else ()),
    )


def warnings(run: BenchRun, plan: Plan) -> tuple[str, ...]:
    """What a reader of the figures has to know."""
    return (
        *_run_warnings(run, plan),
        *(_performance_warnings(run, run.performance) if run.performance else ()),
        *(_accuracy_warnings(run.accuracy) if run.accuracy else ()),
        *(_energy_warnings(run.energy, plan) if run.energy else ()),
        *_transfer_warnings(run),
    )


def _incomplete(run: BenchRun) -> Iterator[str]:
    sections = {"performance": run.performance, "accuracy": run.accuracy, "energy": run.energy}
    if run.cause is not None:
        yield f"the run broke off: {run.incomplete}"
        return
    for mode in run.modes:
        if sections[mode] is None:
            yield f"{mode} mode: no window could be used"


def _performance_reasons(run: BenchRun, found: Performance, plan: Plan) -> Iterator[str]:
    yield from _clock_reasons(found, plan)
    for clip in found.wrong:
        yield f"performance: the answer for clip {clip} differs from the interpreter's at the end of its window"
    share = throttling(found)
    if share > THROTTLING and run.board.how != "computed":
        yield f"throttling: the last windows are {100 * share:.1f} % slower than the first"
    apart = clocks_apart(run, found)
    if apart > CLOCKS_INVALID:
        yield f"the device's clock is {100 * apart:.1f} % off this computer's: check the clock of the firmware's port"
    elif run.board.how == "measured" and found.host_s is not None:
        yield from _jumps("window", "the device's clock", found.windows_s, found.host_s)


def _clock_reasons(found: Performance, plan: Plan) -> Iterator[str]:
    previous_us = 0
    for number, ((start_us, end_us), seconds) in enumerate(zip(found.clock_us, found.windows_s, strict=True), 1):
        if end_us <= start_us or start_us < previous_us:
            times = f"{previous_us}, {start_us}, {end_us} us"
            yield (
                f"window {number}: the device's clock runs backwards ({times}); "
                "a 32-bit clock does so every 71.6 minutes"
            )
        elif seconds < plan.window_s:
            yield f"window {number}: {seconds:.3f} s, shorter than {plan.window_s:g} s"
        previous_us = end_us


def throttling(found: Performance) -> float:
    """How much slower the last half of the windows is than the first, if all of it is slower than all of the first."""
    latencies, half = found.latencies_us, len(found.latencies_us) // 2
    first, last = latencies[:half], latencies[-half:]
    if half < 2 or min(first) <= 0 or min(last) <= max(first):
        return 0.0
    return median(last) / median(first) - 1


def clocks_apart(run: BenchRun, found: Performance) -> float:
    """Share by which the device's clock differs from this computer's, at the median window of a physical board.

    Beyond what the serial line takes. 0 for emulated boards, whose time is virtual, and when the host's is unknown.
    """
    if run.board.how != "measured" or found.host_s is None:
        return 0.0
    windows = zip(found.windows_s, found.iterations, found.host_s, strict=True)
    return median(_apart(seconds * (1 + WARMUPS / n), host_s) for seconds, n, host_s in windows)


def _apart(device_s: float, host_s: float) -> float:
    excess = host_s - device_s
    if excess >= 0:  # the way over the serial line is in the host's time
        excess = max(0.0, excess - CLOCKS_ALLOWED_S)
    return abs(excess) / max(host_s, 1e-9)


def _jumps(
    what: str, whose: str, windows_s: Sequence[float], host_s: Sequence[float], allowed_s: float = CLOCKS_ALLOWED_S
) -> Iterator[str]:
    """Windows that lasted longer than the whole command did, on this computer's clock."""
    for number, (seconds, whole_s) in enumerate(zip(windows_s, host_s, strict=True), 1):
        if seconds > whole_s * (1 + CLOCKS_INVALID) + allowed_s:
            yield f"{what} {number}: {seconds:.3f} s on {whose}, but all of it took {whole_s:.3f} s on this computer's"


def _accuracy_reasons(accuracy: Accuracy) -> Iterator[str]:
    wrong, wrong_text = accuracy.n - accuracy.matches, accuracy.n - accuracy.text_matches
    if wrong:
        clips = ", ".join(mismatch.clip for mismatch in accuracy.mismatches[:3])
        other = "; it seems to hold another model" if wrong > _ANOTHER_MODEL * accuracy.n else ""
        yield f"board and interpreter differ on {wrong} of {accuracy.n} clips, first {clips}{other}"
    if wrong_text and accuracy.compared == "scores":
        yield f"the printed probabilities are wrong on {wrong_text} of {accuracy.n} clips"


def _energy_reasons(run: BenchRun, found: Energy, plan: Plan) -> Iterator[str]:
    yield from found.faults
    if found.how == "estimated":
        return
    asked_for = plan.windows if run.identity is not None else len(found.windows)
    if len(found.windows) < asked_for and not found.faults and run.cause is None:
        yield f"energy: {len(found.windows)} of {asked_for} windows could be used: samples at the end are missing"
    yield from _meter_clock_reasons(found)
    for number, window in enumerate(found.windows, 1):
        if window.seconds < plan.window_s:
            yield f"energy window {number}: {window.seconds:.3f} s, shorter than {plan.window_s:g} s"
    if found.dropped:
        yield f"the meter lost {found.dropped} samples"
    if not found.uj_per_inference > 0:  # nor when it is no number
        yield "the energy of an inference is not positive: the meter's terminals may be swapped"
    if found.limit_a and found.peak_a is not None and found.peak_a > found.limit_a:
        yield f"the current reached {1000 * found.peak_a:.1f} mA; the meter is good for {1000 * found.limit_a:g} mA"
    for clip in found.wrong:
        yield f"energy: the answer for clip {clip} differs from the interpreter's at the end of its window"


def _meter_clock_reasons(found: Energy) -> Iterator[str]:
    if found.host_s is None:
        return
    windows_s = [window.seconds for window in found.windows]
    late_s = CLOCKS_ALLOWED_S if found.how == "measured" else METER_ALLOWED_S  # the edges of an emulated board
    yield from _jumps("energy window", "the meter's clock", windows_s, found.host_s, late_s)
    windows = zip(found.windows, found.host_s, strict=True)
    short = median(
        (host_s - METER_ALLOWED_S - window.seconds * (1 + WARMUPS / window.iterations)) / max(host_s, 1e-9)
        for window, host_s in windows
    )
    if short > CLOCKS_INVALID:
        yield f"the meter's clock counts {100 * short:.1f} % less than this computer's: samples or edges are missing"


def _run_warnings(run: BenchRun, plan: Plan) -> Iterator[str]:
    if run.identity is not None and run.identity.model != MODEL_ID:
        yield f"the device says that its model is {run.identity.model}, not {MODEL_ID}"
    if run.identity is None and run.energy is not None:
        yield "a recorded trace: that the board ran this graph, and as often as was said, is not proven"
    timed = run.performance is not None or (run.energy is not None and bool(run.energy.windows))
    counted = plan.windows if run.identity is not None or run.energy is None else len(run.energy.windows)
    if timed and (plan.window_s < WINDOW_S or counted < WINDOWS):
        yield (
            f"{counted} window{'' if counted == 1 else 's'} of {plan.window_s:g} s: fewer or shorter than "
            f"MLPerf Tiny's {WINDOWS} of {WINDOW_S:g} s"
        )
    if run.performance is not None and run.board.how == "computed":
        yield "the times are of this computer and say nothing of a board"
    if run.board.how == "measured" and run.identity is not None and run.firmware is not None:
        yield "hash and sizes are of the firmware that was built here; that the board holds this one is not proven"


def _performance_warnings(run: BenchRun, found: Performance) -> Iterator[str]:
    if abs(found.drift) > DRIFT:
        yield f"drift: the last window's latency is {100 * found.drift:+.1f} % off the first's"
    if found.spread > SPREAD:
        yield f"the latency of the windows differs by {100 * found.spread:.1f} % of its median"
    share = throttling(found)
    if share > THROTTLING and run.board.how == "computed":
        yield f"this computer got {100 * share:.1f} % slower during the run"
    apart = clocks_apart(run, found)
    if CLOCKS_WARN < apart <= CLOCKS_INVALID:
        yield f"the device's clock is {100 * apart:.1f} % off this computer's, and so may be the latency"


def _accuracy_warnings(accuracy: Accuracy) -> Iterator[str]:
    if accuracy.compared == "permille":
        yield "the device has no `raw` command: printed probabilities were compared, not scores"
    if accuracy.resent:
        yield f"{accuracy.resent} inputs had to be sent again: bytes were lost on the wire"


def _energy_warnings(found: Energy, plan: Plan) -> Iterator[str]:
    if found.how == "estimated":
        yield f"the energy is estimated, no meter was there; constants: {found.source}"
        return
    if found.how == "emulated":
        yield "the energy is of an emulated board: it tests the set-up and says nothing of a chip"
    if found.uj_per_inference_above_idle is None:
        yield f"power at rest is not known: no {plan.idle_s:g} s beside a window lie outside of the windows"
    elif found.uj_per_inference_above_idle <= 0:
        yield "the board took no more in its windows than at rest beside them: see whether the edges are theirs"
    if found.uj_per_inference_above_idle is not None and plan.idle_s < IDLE_S:
        yield f"power at rest was taken over {plan.idle_s:g} s, less than {IDLE_S:g} s"
    if found.spread > SPREAD:
        yield f"the energy of the windows differs by {100 * found.spread:.1f} % of its median"
    if found.volts is None:
        yield "the supply's voltage is not known"


def _transfer_warnings(run: BenchRun) -> Iterator[str]:
    resent = run.accuracy.resent if run.accuracy else 0
    if run.transfers is not None and run.transfers.repeated and not resent:
        share = f"{run.transfers.repeated} of {run.transfers.commands}"
        yield f"{share} commands had to be repeated: bytes were lost on the wire"
