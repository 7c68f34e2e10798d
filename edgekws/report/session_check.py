"""Check a session folder of MLPerf Tiny's keyword spotting against the published rules.

A folder is one of ours (performance/, accuracy/, energy/, each with log.txt, results.txt, results.json), one of those
modes, or what the runner of mlcommons/tiny writes: the same three files. Nothing that results.txt says is believed: it
is computed again from results.json. What is checked, and where the rule comes from:

files         log.txt, results.txt and results.json are there                       submission checker of mlcommons/tiny
windows       exactly five, each at least 10 s on the device's (performance) or the meter's clock (energy).
              The runner itself tests only its whole loop on the host's clock       EnergyRunner's rules
figures       the lines that the submission checker reads are there, and are those of results.json: the median of the
              windows, top-1 by the first largest score, AUC one against rest of scores that sum to one, energy as the
              sum of joules per millisecond between the last two events, by the inferences
                                                                                    the runner's own arithmetic
clips         the 1,000 official files by name, class and order. A session has no contents; what it says of their
              hashes is repeated as what it says, and is an error unless all are verified
provenance    live, and of a board; the runner writes none. Where log.txt has the traffic, each time stamp and each
              answer of results.json is in it

A finding is an error (a submission would be refused, or a figure is wrong), a warning, or ok.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Literal

import numpy as np

from edgekws import stats
from edgekws.errors import ArtifactError
from edgekws.mlperf import CLOSED_TOP1, FILES, WINDOW_S, WINDOWS, kws01

NEEDED = ("log.txt", "results.txt", "results.json")
CLASSES = 12
ENERGY_TOLERANCE = 1e-3
"""Of energies: we store milliseconds of a trace with more samples, so its window ends within half a millisecond."""
SPREAD_WARN, SPREAD_ERROR = 0.05, 0.30
"""(highest - lowest window) / median."""
_MODES = {"p": "performance", "a": "accuracy", "e": "energy"}
_LINES = {
    "throughput": re.compile(r".* Median throughput is\s+([\d.]+) inf\./sec\."),
    "top-1": re.compile(r".* Top[- ]1%?\s?[:=] ([\d.]+)"),
    "AUC": re.compile(r".* AUC\s?[:=] ([\d.]+)"),
    "energy": re.compile(r".*Median energy cost is ([\d.]+) uJ/inf"),
}
"""What the submission checker reads from results.txt; the last match counts."""
_TRIAL = re.compile(r".*Energy/Inf\s*: ([\d.]+) uJ/inf")
_OURS = re.compile(r".*ulp-mlperf: edgekws: (live at .*|live, .*|REPLAY .*|an imported trace.*|origin unknown.*)")
_FILES = re.compile(r".*ulp-mlperf: (?:files|NOT (?:PROVED TO BE )?THE BENCHMARK'S \d+ FILES): (.*)")
_QUALIFIED = re.compile(r".* Top 1% \(.*\) = ")
"""Our accuracy of clips that are not proved to be official, which no checker reads."""
_CAVEAT = re.compile(r".*ulp-mlperf: (NOT LIVE.*|NOT OF A BOARD.*|ERROR.*)")
_STAMP, _ANSWER = re.compile(r"m-lap-us-(\d+)"), re.compile(r"m-results-\[([\d.,]+)\]")
"""What the device prints, in a log that has the traffic."""
_MENTIONED = 3
Entry = dict[str, Any]


@dataclass(frozen=True)
class Finding:
    """One check. level: error, warning or ok. what: rule and mode. got: the value, or what is there instead."""

    level: Literal["error", "warning", "ok"]
    what: str
    got: str


def findings(folder: Path) -> list[Finding]:
    """All findings of a session, those of performance mode first. Raises ArtifactError when `folder` is none."""
    inner = [folder / mode for mode in _MODES.values() if (folder / mode).is_dir()]
    parts = inner or ([folder] if any((folder / name).is_file() for name in NEEDED) else [])
    if not parts:
        raise ArtifactError(
            f"{folder} should be a session of MLPerf Tiny, with {', '.join(NEEDED)}",
            got="a folder without them" if folder.is_dir() else "no folder",
            hint="give the folder that `edgekws bench --mlperf` or the runner of mlcommons/tiny names at its end",
        )
    return [finding for part in parts for finding in _of_mode(part)]


def _of_mode(folder: Path) -> Iterator[Finding]:
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        yield Finding("error", f"{folder.name}: the files {', '.join(NEEDED)}", f"no {', '.join(missing)}")
    if {"results.txt", "results.json"} & set(missing):
        return
    lines = (folder / "results.txt").read_text("utf-8", errors="replace").splitlines()
    try:
        entries = _entries(folder / "results.json")
        mode = _mode(entries, folder)
        yield from _origin(mode, lines)
        yield from _CHECKS[mode](entries, lines)
        yield from _log_findings(mode, entries, folder / "log.txt")
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError) as error:
        got = f"{type(error).__name__}: {error}"[:160]
        yield Finding("error", f"{folder.name}: results.json has the fields of the runner", got)


def _entries(path: Path) -> list[Entry]:
    value = json.loads(path.read_text("utf-8"))
    if not isinstance(value, list) or not value or not all(isinstance(entry, dict) for entry in value):
        raise ValueError(f"{path.name} should be a list of entries")
    return value


def _mode(entries: Sequence[Entry], folder: Path) -> str:
    letters = {str(entry.get("mode", "")) for entry in entries}
    named = folder.name if folder.name in _MODES.values() else ""
    mode = _MODES.get(next(iter(letters)), named) if len(letters) == 1 else ""
    if not mode or (named and named != mode):
        raise ValueError(f"entries of the modes {', '.join(sorted(letters))} in {folder.name}")
    return mode


def _finding(right: bool, what: str, got: str, otherwise: Literal["error", "warning"] = "error") -> Finding:
    return Finding("ok" if right else otherwise, what, got)


# Where the figures come from


def _origin(mode: str, lines: Sequence[str]) -> Iterator[Finding]:
    said = [match[1] for line in lines if (match := _OURS.match(line))]
    caveats = [match[1] for line in lines if (match := _CAVEAT.match(line))]
    if not said:
        yield Finding(
            "warning", f"{mode}: says where its figures come from", "nothing, as the runner of mlcommons/tiny"
        )
    elif not said[-1].startswith("live"):
        level: Literal["error", "warning"] = "error" if said[-1].startswith("REPLAY") else "warning"
        yield Finding(level, f"{mode}: measured live", said[-1])
    else:
        yield Finding("ok", f"{mode}: measured live", said[-1])
    for caveat in caveats:
        emulated = caveat.startswith("NOT OF A BOARD")
        yield Finding("warning" if emulated else "error", f"{mode}: of a board, live and valid", caveat)


def _log_findings(mode: str, entries: Sequence[Entry], path: Path) -> Iterator[Finding]:
    """Whether the device printed what results.json says; nothing for a log without its lines."""
    log = path.read_text("utf-8", errors="replace") if path.is_file() else ""
    stamps, answers = set(_STAMP.findall(log)), {_scores(text.split(",")) for text in _ANSWER.findall(log)}
    infers = [entry["infer"] for entry in entries if "infer" in entry]
    times = [str(infer[key]) for infer in infers for key in ("start_time", "end_time") if key in infer]
    unknown = [f"m-lap-us-{time}" for time in times if time not in stamps] if stamps else []
    given = [_scores(infer["results"]) for infer in infers if "results" in infer]
    unknown += [f"m-results-{list(scores)}" for scores in given if scores not in answers] if answers else []
    if stamps or answers:
        got = _some(unknown) or f"{len(times)} time stamps, {len(given)} answers"
        yield _finding(not unknown, f"{mode}: log.txt has the time stamps and answers of results.json", got)


def _scores(values: Sequence[Any]) -> tuple[float, ...]:
    return tuple(round(float(value), 3) for value in values)


def _line(name: str, lines: Sequence[str]) -> float | None:
    """The figure of results.txt as the submission checker reads it; None without such a line."""
    matches = [match[1] for line in lines if (match := _LINES[name].match(line))]
    return float(matches[-1]) if matches else None


def _agrees(mode: str, name: str, lines: Sequence[str], value: float, below: float, above: float) -> Finding:
    """Whether results.txt has `value`, which may lie `below` or `above` the printed figure by rounding."""
    printed = _line(name, lines)
    what = f"{mode}: {name} of results.txt is that of results.json"
    if printed is None:
        return Finding("error", what, f"no such line; it should be {value:.6g}")
    right = -below <= value - printed <= above
    return _finding(right, what, f"{printed:.8g}" if right else f"{printed:.8g}, but computed {value:.8g}")


# Windows


def _window_findings(mode: str, whose: str, seconds: Sequence[float]) -> Iterator[Finding]:
    yield _finding(len(seconds) == WINDOWS, f"{mode}: {WINDOWS} windows", str(len(seconds)))
    short = [f"window {number}: {value:.6f} s" for number, value in enumerate(seconds, 1) if not value >= WINDOW_S]
    what = f"{mode}: each window lasts {WINDOW_S:g} s at least, on {whose} clock"
    yield _finding(not short, what, _some(short) if short else f"{min(seconds):.3f} to {max(seconds):.3f} s")


def _spread_findings(mode: str, values: Sequence[float]) -> Iterator[Finding]:
    middle = median(values)
    spread = (max(values) - min(values)) / middle if middle > 0 else math.inf
    level: Literal["error", "warning"] = "error" if spread > SPREAD_ERROR else "warning"
    what = f"{mode}: the windows agree within {SPREAD_WARN:.0%} (an error above {SPREAD_ERROR:.0%})"
    yield _finding(spread <= SPREAD_WARN, what, f"{100 * spread:.1f} % of their median", level)


def _first_files(mode: str, entries: Sequence[Entry]) -> Iterator[Finding]:
    """Windows take the first official files, one each."""
    names = [str(entry["file"]) for entry in entries if "file" in entry]
    right = names == list(kws01.files())[: len(entries)]
    got = _some(names) if names else "no names of files"
    yield _finding(right, f"{mode}: a window for each of the first {WINDOWS} official files", got, "warning")


def _performance(entries: Sequence[Entry], lines: Sequence[str]) -> Iterator[Finding]:
    mode, failed = "performance", [str(entry["error"]) for entry in entries if "error" in entry]
    windows = [entry for entry in entries if "error" not in entry]
    if failed:
        yield Finding("error", f"{mode}: the runner reported no error", ", ".join(failed))
    infers = [entry["infer"] for entry in windows]
    seconds = [_number(infer["elapsed_time"]) / 1e6 for infer in infers]
    rates = [
        _number(infer["iterations"]) / value if value > 0 else 0.0 for infer, value in zip(infers, seconds, strict=True)
    ]
    yield from _window_findings(mode, "the device's", seconds)
    yield from _clock_findings(infers)
    stated = [infer["throughput"] for infer in infers if "throughput" in infer]
    wrong = [
        f"{given:.6g}, not {rate:.6g}"
        for given, rate in zip(stated, rates, strict=False)
        if abs(given - rate) > 1e-5 * rate
    ]
    yield _finding(not wrong, f"{mode}: throughputs are iterations by elapsed time", _some(wrong) if wrong else "all")
    yield _agrees(mode, "throughput", lines, median(rates), 0.000501, 0.000501)
    yield from _spread_findings(mode, rates)
    yield from _first_files(mode, windows)


def _clock_findings(infers: Sequence[Entry]) -> Iterator[Finding]:
    """Time stamps and elapsed times belong together, and no window begins before the last one ended."""
    stamped = [infer for infer in infers if "start_time" in infer and "end_time" in infer]
    wrong = [
        f"{infer['end_time']} - {infer['start_time']} is not {infer['elapsed_time']}"
        for infer in stamped
        if infer["end_time"] - infer["start_time"] != infer["elapsed_time"]
    ]
    back = [
        f"{later['start_time']} after {earlier['end_time']}"
        for earlier, later in pairwise(stamped)
        if later["start_time"] < earlier["end_time"]
    ]
    what = "performance: elapsed times are those of the device's time stamps, which go forward"
    got = _some([*wrong, *back]) or (f"{len(stamped)} windows" if stamped else "no time stamps")
    yield _finding(not wrong and not back and bool(stamped), what, got, "error" if wrong or back else "warning")


# Accuracy


def _accuracy(entries: Sequence[Entry], lines: Sequence[str]) -> Iterator[Finding]:
    mode, names = "accuracy", [str(entry["file"]) for entry in entries]
    truth = np.array([int(entry["class"]) for entry in entries])
    scores = np.array([entry["infer"]["results"] for entry in entries], np.float64)
    if scores.shape != (len(entries), CLASSES) or not np.isfinite(scores).all() or not (scores >= 0).all():
        yield Finding(
            "error", f"{mode}: {CLASSES} scores of each file", f"an array of {scores.shape}, or other numbers"
        )
        return
    yield _finding(len(entries) == FILES, f"{mode}: {FILES} files", str(len(entries)))
    yield from _official_findings(names, truth.tolist(), lines)
    top1 = 100 * float((scores.argmax(axis=1) == truth).mean())
    qualified = any(map(_QUALIFIED.match, lines))
    if _line("top-1", lines) is not None or (len(entries) == FILES and not qualified):
        yield _agrees(mode, "top-1", lines, top1, 0.0501, 0.0999)  # the runner rounds, ours rounds down
        area = stats.macro_auc(truth, scores / np.maximum(scores.sum(axis=1, keepdims=True), 1e-9))
        if area is not None:
            yield _agrees(mode, "AUC", lines, area, 0.000501, 0.000501)
    yield _finding(
        top1 >= CLOSED_TOP1, f"{mode}: {CLOSED_TOP1:g} % for the closed division", f"{top1:.2f} %", "warning"
    )


def _official_findings(names: list[str], labels: list[int], lines: Sequence[str]) -> Iterator[Finding]:
    proved = kws01.standing(names, labels, None)
    what = "accuracy: names, classes and order of the official files"
    yield _finding(not proved.problems, what, "; ".join(proved.problems) or f"{len(names)} files")
    said = [match[1] for line in lines if (match := _FILES.match(line))]
    if not said:
        yield Finding("warning", "accuracy: contents of the official files", "not in a session; not stated either")
    else:
        verified = said[-1].startswith(kws01.NAME) and "not listed" not in said[-1]
        yield _finding(verified, "accuracy: contents of the official files, as the session states", said[-1])


# Energy


def _energy(entries: Sequence[Entry], lines: Sequence[str]) -> Iterator[Finding]:
    mode, trials = "energy", [_trial(entry) for entry in entries]
    yield from _window_findings(mode, "the meter's", [seconds for seconds, _ in trials])
    energies = [energy for _, energy in trials]
    yield _finding(min(energies) > 0, f"{mode}: every window has energy", f"{min(energies):.4g} uJ at least")
    off = ENERGY_TOLERANCE * median(energies)
    yield _agrees(mode, "energy", lines, median(energies), off, off)
    printed = [float(match[1]) for line in lines if (match := _TRIAL.match(line))]
    wrong = [
        f"{given:.6g} uJ, but computed {energy:.6g}"
        for given, energy in zip(printed, energies, strict=False)
        if abs(given - energy) > ENERGY_TOLERANCE * energy
    ]
    got = _some(wrong) if wrong else f"{len(printed)} of {len(energies)} windows"
    what = f"{mode}: the energy of each window is that of its samples"
    yield _finding(not wrong and len(printed) == len(energies), what, got)
    yield from _spread_findings(mode, energies)
    volts = [entry["power"].get("voltage") for entry in entries]
    known = all(isinstance(value, int | float) and value > 0 for value in volts)
    yield _finding(known, f"{mode}: the supply voltage", _some(sorted({str(value) for value in volts})), "warning")
    yield from _first_files(mode, entries)


def _trial(entry: Entry) -> tuple[float, float]:
    """(seconds, uJ per inference) of a window, by the arithmetic of the runner. Raises ValueError where that fails."""
    events = [(int(number), int(at)) for number, at in entry["power"]["timestamps"]]
    samples = np.array(entry["power"]["samples"], np.float64)
    if len(events) < 2 or any(later - earlier != 1 for (earlier, _), (later, _) in pairwise(events)):
        raise ValueError(f"events {[number for number, _ in events]} of a window: two in a row at least")
    first, last = (at for _, at in events[-2:])
    if not 0 <= first < last <= len(samples):
        raise ValueError(f"a window from sample {first} to {last} of {len(samples)}")
    if not np.isfinite(samples[first:last]).all():
        raise ValueError("samples of a window that are no numbers")
    iterations = _number(entry["infer"]["iterations"])
    return (last - first) / 1000, 1e6 * float(samples[first:last].sum()) / iterations


def _number(value: object) -> float:
    """A positive number. Raises ValueError for another."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"{value!r} in place of a positive number")
    return float(value)


def _some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _MENTIONED} more" if len(texts) > _MENTIONED else ""
    return ", ".join(texts[:_MENTIONED]) + more


_CHECKS = {"performance": _performance, "accuracy": _accuracy, "energy": _energy}
