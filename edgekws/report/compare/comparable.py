"""When two figures may be compared, and the reasons when they may not: the table REASONS.

A condition that neither document knows is not a reason, for then nothing says that it differs; `unknown` lists it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from edgekws.errors import ConfigError, unknown
from edgekws.report.compare.figures import METRICS
from edgekws.report.compare.runs import Conditions, Run, Windows

_ENERGIES = ("energy", "energy-above-idle")
_SCORES = ("accuracy", "auc")
_SIZES = ("flash", "ram")
_ON_A_BOARD = tuple(metric for metric in METRICS if metric != "parameters")
_VOLTS, _WINDOW = 0.01, 1.5
"""Largest ratio, less 1, of two supplies; and largest ratio of two lengths of a window, that count as the same."""
_INFERENCES = 5.0
"""Largest ratio of two times of an inference on one board and graph. MLPerf Tiny's DS-CNN takes 181.9 ms by the
reference and 43.2 ms by the best firmware of NUCLEO-L4R5ZI, a ratio of 4.2.
"""


@dataclass(frozen=True)
class Issue:
    """One reason against one comparison. text: what differs, with both sides."""

    id: str
    text: str


@dataclass(frozen=True)
class Figure:
    """A metric of a run, which the run need not have."""

    metric: str
    run: Run

    @property
    def how(self) -> str:
        """measured, emulated, estimated or computed. Raises KeyError without the figure."""
        return self.run.values[self.metric].how

    @property
    def conditions(self) -> Conditions:
        return self.run.conditions

    @property
    def emulator(self) -> str:
        return str((self.run.provenance or {}).get("emulator", ""))

    @property
    def origin(self) -> str:
        """live, replay, trace or unknown."""
        return str((self.run.provenance or {}).get("source", "unknown"))

    @property
    def build(self) -> Mapping[str, str]:
        return self.run.build or {"status": "unknown", "id": "", "expected": ""}

    @property
    def windows(self) -> Windows | None:
        return self.conditions.energy_windows if self.metric in _ENERGIES else self.conditions.latency_windows


@dataclass(frozen=True)
class Reason:
    """A row of the table. metrics: the figures that it concerns. why: for the reader. final: `--allow` cannot help.

    found: base, other -> what differs, "" if nothing does. known: whether a document says anything about it at all;
    None when it always does.
    """

    id: str
    title: str
    metrics: tuple[str, ...]
    why: str
    found: Callable[[Figure, Figure], str]
    known: Callable[[Figure], bool] | None = None
    final: bool = False


def issues(metric: str, base: Run, run: Run) -> list[Issue]:
    """The reasons against a comparison of a metric of two runs, in the order of the table."""
    old, new = Figure(metric, base), Figure(metric, run)
    missing = REASONS["missing"]
    reasons = [reason for reason in REASONS.values() if metric in reason.metrics]
    if missing.found(old, new):
        reasons = [missing]
    texts = [(reason, reason.found(old, new)) for reason in reasons]
    return [Issue(reason.id, f"{reason.title}: {text}") for reason, text in texts if text]


def unchecked(metric: str, base: Run, run: Run) -> list[str]:
    """Ids of the reasons that could not be checked, because neither document says anything about them."""
    both = Figure(metric, base), Figure(metric, run)
    if _missing(*both):
        return []
    reasons = [reason for reason in REASONS.values() if metric in reason.metrics]
    return [reason.id for reason in reasons if reason.known and not any(map(reason.known, both))]


def require_known(ids: Iterable[str], where: str) -> None:
    """Raises ConfigError for an id that is not in the table, or cannot be allowed."""
    for name in ids:
        if name not in REASONS:
            raise ConfigError(unknown(where, name, (key for key, reason in REASONS.items() if not reason.final)))
        if REASONS[name].final:
            raise ConfigError(f"{where} cannot accept {name}", got=REASONS[name].why, hint=f"leave out {where} {name}")


def _differ(old: str, new: str) -> str:
    return "" if old == new else f"{new or 'unknown'} against {old or 'unknown'}"


def _of(read: Callable[[Figure], str]) -> Callable[[Figure, Figure], str]:
    return lambda base, other: _differ(read(base), read(other))


def _says(read: Callable[[Figure], str]) -> Callable[[Figure], bool]:
    return lambda figure: read(figure) not in ("", "unknown")


def _runs(base: Figure, other: Figure) -> list[Run]:
    """Both; one where a run is held against itself, as for a limit."""
    return [base.run] if base.run is other.run else [base.run, other.run]


def _invalid(base: Figure, other: Figure) -> str:
    runs = _runs(base, other)
    return "; ".join(f"{run.name}: {run.why}" for run in runs if run.valid is False and not run.incomplete)


def _incomplete(base: Figure, other: Figure) -> str:
    return "; ".join(f"{run.name}: {run.why}" for run in _runs(base, other) if run.incomplete)


def _missing(base: Figure, other: Figure) -> str:
    metric, runs = base.metric, _runs(base, other)
    without = [run for run in runs if metric not in run.values]
    if not without:
        return ""
    hints = []
    if metric == "latency" and all(run.how == "emulated" for run in without):
        hints.append(" (emulated boards have instructions and no time)")
    if metric in _SIZES and any(Figure(metric, run).build["status"] == "unverified" for run in without):
        hints.append(" (a run whose build is unverified claims no size)")
    return f"{METRICS[metric].title} in {' and '.join(run.name for run in without)}{''.join(hints)}"


def _emulator(base: Figure, other: Figure) -> str:
    emulated = base.how == other.how == "emulated"
    return _differ(base.emulator, other.emulator) if emulated else ""


def _knows_emulator(figure: Figure) -> bool:
    return figure.run.how != "emulated" or bool(figure.emulator)


def _build_mismatch(base: Figure, other: Figure) -> str:
    texts = []
    for run in _runs(base, other):
        build = Figure(base.metric, run).build
        ran, expected = build["id"], build["expected"]
        if expected and ran != expected:
            texts.append(f"{run.name} ran {ran[:8] or 'an unknown build'}, and the size is of {expected[:8]}")
    return "; ".join(texts)


def _clips(base: Figure, other: Figure) -> str:
    old, new = (
        f"{n:,} clips {digest[:8] or 'of unknown content'}"
        for digest, n in (base.conditions.clips, other.conditions.clips)
    )
    return "" if base.conditions.clips == other.conditions.clips else _differ(old, new)


def _volts(base: Figure, other: Figure) -> str:
    old, new = base.conditions.volts, other.conditions.volts
    if old is not None and new is not None and math.isclose(old, new, rel_tol=_VOLTS):
        return ""
    return _differ(*("" if volts is None else f"{volts:g} V" for volts in (old, new)))


def _knows_volts(figure: Figure) -> bool:
    return figure.conditions.volts is not None or figure.how == "estimated"


def _windows(base: Figure, other: Figure) -> str:
    old, new = base.windows, other.windows
    if old is None or new is None:
        return ""
    return (
        ""
        if old[0] == new[0] and _as_long(old, new)
        else f"{new[0]} of {new[1]:.3g} s against {old[0]} of {old[1]:.3g} s"
    )


def _as_long(old: Windows, new: Windows) -> bool:
    """Whether two lengths are similar, or differ only because an inference takes longer.

    A window is a whole number of inferences: with as many in both it is as long as they are, and else it may exceed
    the length that was asked for by less than one.
    """
    shorter, longer = sorted((old, new), key=lambda windows: windows[1])
    _, seconds, inferences = longer
    similar = seconds <= _WINDOW * shorter[1]
    return similar or inferences == shorter[2] or seconds - shorter[1] < seconds / max(inferences, 1.0)


def _inferences(base: Figure, other: Figure) -> str:
    """Nothing for different boards and graphs, whose inferences may well differ."""
    windows = [figure.windows for figure in (other, base) if figure.windows is not None and figure.windows[2] > 0]
    alike = (base.run.board, base.run.graph_sha256) == (other.run.board, other.run.graph_sha256)
    if len(windows) < 2 or not alike:
        return ""
    counts, each_s = [count for _, _, count in windows], [seconds / count for _, seconds, count in windows]
    if all(max(pair) <= _INFERENCES * min(pair) for pair in (counts, each_s)):
        return ""
    return " against ".join(f"{n:,.0f} of {1e3 * s:.3g} ms" for n, s in zip(counts, each_s, strict=True))


_TABLE = (
    Reason(
        "missing",
        "missing figure",
        tuple(METRICS),
        "there is nothing to compare",
        _missing,
        final=True,
    ),
    Reason(
        "incomplete",
        "incomplete run",
        tuple(METRICS),
        "the run was aborted; the rest might have changed the figure",
        _incomplete,
    ),
    Reason(
        "invalid",
        "invalid run",
        tuple(METRICS),
        "the run itself says that its figures cannot be trusted",
        _invalid,
    ),
    Reason(
        "kind",
        "other kind of figure",
        _ON_A_BOARD,
        "measured, emulated, estimated and computed figures have different errors",
        _of(lambda figure: figure.how),
    ),
    Reason(
        "source",
        "other source",
        _ON_A_BOARD,
        "a replay repeats old traffic, and an imported trace does not prove which firmware ran",
        _of(lambda figure: figure.origin),
        _says(lambda figure: figure.origin),
    ),
    Reason(
        "build",
        "other build status",
        _ON_A_BOARD,
        "nothing shows which firmware ran in a run whose build is unverified",
        _of(lambda figure: figure.build["status"]),
        _says(lambda figure: figure.build["status"]),
    ),
    Reason(
        "build-id",
        "size of another build",
        _SIZES,
        "a size counts only for the firmware that ran",
        _build_mismatch,
    ),
    Reason(
        "board",
        "other board",
        ("latency", "instructions", *_ENERGIES, *_SIZES, "stack"),
        "another CPU or instruction set is not a change of the software",
        _of(lambda figure: figure.run.board),
    ),
    Reason(
        "clock",
        "other clock",
        ("latency", *_ENERGIES),
        "time and energy change with the clock of the CPU",
        _of(lambda figure: figure.conditions.clock),
    ),
    Reason(
        "emulator",
        "other emulator",
        ("instructions", *_ENERGIES, "stack"),
        "another version may count instructions differently",
        _emulator,
        _knows_emulator,
    ),
    Reason(
        "windows",
        "other windows",
        ("latency", "instructions", *_ENERGIES),
        "fewer windows have other extremes, and shorter ones more of the overhead",
        _windows,
    ),
    Reason(
        "inferences",
        "other inferences in a window",
        _ENERGIES,
        "on one board and graph a time or number that differs more than 5 times is of a wrong `--iterations`",
        _inferences,
    ),
    Reason(
        "dataset",
        "other data set",
        _SCORES,
        "scores on different data are not a change of the model",
        _of(lambda figure: figure.conditions.dataset),
    ),
    Reason(
        "clips",
        "other clips",
        _SCORES,
        "the hash over names, features and labels differs: part of the clips, or other content under the same name",
        _clips,
        _says(lambda figure: figure.conditions.clips[0]),
    ),
    Reason(
        "volts",
        "other supply voltage",
        _ENERGIES,
        "energy grows with about the square of the voltage; 1 % is accepted as equal",
        _volts,
        _knows_volts,
    ),
    Reason(
        "meter",
        "other meter",
        _ENERGIES,
        "meters differ in range, offset and burden voltage, and estimates in their chip",
        _of(lambda figure: figure.conditions.meter),
    ),
)
REASONS = {reason.id: reason for reason in _TABLE}
"""Id -> reason, in the order in which they are listed."""
