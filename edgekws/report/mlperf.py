"""MLPerf Tiny: a run as a session folder for a submission.

    sessions/<YYYYmmdd_HHMMSS>/
        performance/    results.txt  results.json  log.txt
        accuracy/       the same three
        energy/         the same three

One folder for each mode of the run, with exactly the files that tools/submission/submission_checker.py of
mlcommons/tiny expects in results/<system>/kws/<mode>/; copy them there. The lines of results.txt and the fields of
results.json are those of the runner of mlcommons/tiny (benchmark/runner): the samples of an energy window are joules
per millisecond, so that the runner's own arithmetic gives these figures again. Edgekws is stricter: a run that is not
valid has no median and no accuracy in its results.txt, and one whose clips are not proved to be the benchmark's
official files, by the hash of each, has no accuracy there, so no checker accepts it. edgekws/report/session_check.py
checks such a folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from edgekws import stats
from edgekws.errors import ArtifactError
from edgekws.files import new_folder, write_json, write_text
from edgekws.mlperf import FILES, WINDOW_S, WINDOWS, kws01
from edgekws.report import origin
from edgekws.report.document import MODES, checked

Row = dict[str, Any]


def write_session(
    document: Mapping[str, Any], folder: Path, log: str, *, invalid_too: bool = False, at: datetime | None = None
) -> Path:
    """Write folder/sessions/<time>/ and return its path; a killed run leaves none.

    document: an `edgekws-bench` document; accuracy needs its `answers`, energy its `samples`, and windows have their
    clips from its `window_answers`. log: the traffic of the session.
    invalid_too: also write a run that a submission would refuse, with the reasons instead of the results.
    Raises ArtifactError when the run is not valid for a submission, or the folder cannot be written.
    """
    bench = checked(document, "the bench")
    faults = problems(bench)
    if faults and not invalid_too:
        hint = "measure again; without --mlperf the run is reported as it is"
        raise ArtifactError("only a valid run can become a session of MLPerf Tiny", got="; ".join(faults), hint=hint)
    time = at or datetime.now()
    target = folder / "sessions" / time.strftime("%Y%m%d_%H%M%S")
    with new_folder(target) as partial:
        for mode in (mode for mode in MODES if bench[mode]):
            _write_mode(partial / mode, mode, bench, log, faults, time)
    return target


def problems(bench: Mapping[str, Any]) -> list[str]:
    """Why a submission would refuse the run; empty when it would not."""
    faults = [] if bench["valid"] else list(bench["reasons"]) or ["the run is not valid"]
    if bench["incomplete"] and not any(bench["incomplete"] in fault for fault in faults):
        faults.append(bench["incomplete"])
    if not any(bench[mode] for mode in MODES):
        faults.append("nothing was measured")
    if bench["accuracy"] and len(bench.get("answers") or ()) != bench["accuracy"]["n"]:
        faults.append(f"{len(bench.get('answers') or ())} answers were recorded for {bench['accuracy']['n']} clips")
    if bench["performance"]:
        faults += _window_problems("performance", bench["performance"]["windows_s"])
    if bench["energy"]:
        faults += _window_problems("energy", [window["seconds"] for window in bench["energy"]["windows"]])
        faults += _sample_problems(bench)
    return faults


def _sample_problems(bench: Mapping[str, Any]) -> list[str]:
    """Why the runner could not compute the energy again."""
    windows, kept = bench["energy"]["windows"], bench.get("samples") or []
    if bench["energy"]["how"] == "estimated":
        return ["the energy is estimated, not measured"]
    return (
        []
        if len(kept) == len(windows)
        else [f"energy: samples of {len(kept)} windows were kept, not of {len(windows)}"]
    )


def official(bench: Mapping[str, Any]) -> kws01.Standing | None:
    """What is proved of the clips of an accuracy run; None for clips that are not named as the benchmark's files."""
    files = bench["accuracy"].get("files")
    if files is None:
        return None
    return kws01.Standing(files["n"], files["verified"], files["unlisted"], tuple(files["problems"]))


def _window_problems(mode: str, seconds: Sequence[float]) -> list[str]:
    faults = [f"{mode}: {len(seconds)} windows, not {WINDOWS}"] if len(seconds) != WINDOWS else []
    short = [f"{value:.3f} s" for value in seconds if value < WINDOW_S]
    return [*faults, f"{mode}: windows of {', '.join(short)}, shorter than {WINDOW_S:g} s"] if short else faults


def _write_mode(folder: Path, mode: str, bench: Row, log: str, faults: list[str], time: datetime) -> None:
    prefix = time.strftime("%m%d.%H%M%S ulp-mlperf: ")
    head = _origin(bench, mode)
    details, summary, entries = _WRITERS[mode](bench)
    lines = [*head, *details, *(summary if not faults else [f"ERROR: not valid: {fault}" for fault in faults])]
    text = "".join(f"{prefix}{' '.join(line.splitlines())}\n" for line in lines)
    write_text(folder / "results.txt", text)
    write_json(folder / "results.json", [{**entry, "mode": mode[0]} for entry in entries])
    write_text(folder / "log.txt", text + log + ("" if log.endswith("\n") or not log else "\n"))


def _origin(bench: Row, mode: str) -> list[str]:
    """Board, graph and caveats, which the checker ignores."""
    how = bench["energy"]["how"] if mode == "energy" else bench["board"]["how"]
    lines = [f"edgekws: {bench['board']['title']}, graph {bench['graph']['sha256']}"]
    lines.append(f"edgekws: {origin.line(bench)}")
    if bench["provenance"]["source"] == "replay":
        lines.append("NOT LIVE: recorded traffic was played back")
    if how != "measured":
        lines.append(f"NOT OF A BOARD: the figures are {how}")
    if mode == "accuracy":
        accuracy, files = bench["accuracy"], official(bench)
        clips = files.text if files else f"{accuracy['n']} clips of {accuracy['dataset']}"
        lines.append(f"{_caveat(files)}: {clips}")
    return lines


def _caveat(files: kws01.Standing | None) -> str:
    """How the line about the clips begins."""
    if files and files.whole:
        return "files"
    unproved = files and not files.problems and files.n == FILES
    return f"NOT {'PROVED TO BE ' if unproved else ''}THE BENCHMARK'S {FILES} FILES"


Written = tuple[list[str], list[str], list[Row]]
"""(lines on each window, lines with the result, entries of results.json)"""


def _performance(bench: Row) -> Written:
    performance, lines, entries, rates = bench["performance"], [], [], []
    for number, (count, seconds) in enumerate(zip(performance["iterations"], performance["windows_s"], strict=True), 1):
        rate = count / seconds if seconds > 0 else 0.0
        rates.append(rate)
        lines += [
            f"Performance results for window {number}:",
            f"  # Inferences : {count:>13}",
            f"  Runtime      : {seconds:>10.3f} sec.",
            f"  Throughput   : {rate:>10.3f} inf./sec.",
        ]
        infer = {"elapsed_time": round(seconds * 1e6), "iterations": count, "throughput": rate}
        if performance.get("clock_us"):
            infer["start_time"], infer["end_time"] = performance["clock_us"][number - 1]
        infer |= {"warmups": 1, "total_inferences": 1}
        entries.append(_entry(bench, "performance", number - 1, infer))
    return lines, _framed(f"Median throughput is {median(rates):>10.3f} inf./sec."), entries


def _accuracy(bench: Row) -> Written:
    answers = bench.get("answers") or []
    infer = {"total_inferences": 1, "iterations": 1, "warmups": 0}
    entries = [_entry(bench, "accuracy", index, infer) for index in range(len(answers))]
    if not answers:
        return [], [], []
    truth = np.array([answer["class"] for answer in answers])
    values = np.array([answer["permille"] for answer in answers], np.float64)
    scores = values / np.maximum(values.sum(axis=1, keepdims=True), 1)  # the runner's probabilities sum to one
    tenths = (
        int((scores.argmax(axis=1) == truth).sum()) * 1000 // len(truth)
    )  # rounded down, so that no threshold is met by rounding
    area = stats.macro_auc(truth, scores)
    of = _qualified(official(bench), len(truth))
    summary = [f"Top 1%{of} = {tenths // 10}.{tenths % 10}", *([] if area is None else [f"AUC{of} = {area:.3f}"])]
    return [f"{len(truth)} files"], summary, entries


def _qualified(files: kws01.Standing | None, n: int) -> str:
    """What stands between the name of a result and its value, so that no checker reads it; "" for official files."""
    if files and files.whole:
        return ""
    if files and not files.problems and files.n == n == FILES:
        return f" ({n} files, contents of {files.verified} verified)"
    return f" ({n} clips, not the benchmark's {FILES} files)"


def _energy(bench: Row) -> Written:
    energy, lines, entries = bench["energy"], [], []
    for number, window in enumerate(energy["windows"]):
        lines += [
            f"Energy data for trial {number}",
            f"  Elapsed time  : {window['seconds']:.3f}",
            f"  Inferences    : {window['iterations']}",
            f"  Power         : {1e3 * window['joules'] / max(window['seconds'], 1e-9):5.4f} mW.",
            f"  Total Energy  : {window['joules'] * 1e6:.3f} uJ",
            f"  Energy/Inf    : {window['uj_per_inference']:.3f} uJ/inf",
        ]
        entry = _entry(
            bench, "energy", number, {"iterations": window["iterations"], "warmups": 1, "total_inferences": 1}
        )
        more = {"voltage": energy["volts"], "joules": window["joules"], "meter": energy["meter"]}
        entries.append({**entry, "power": {**_power(bench, number), **more}})
    return lines, _framed(f"Median energy cost is {energy['uj_per_inference']:5.4f} uJ/inf."), entries


def _power(bench: Row, number: int) -> Row:
    """Joules per millisecond of a window and of some rest beside it, and its edges as (event, index of a sample)."""
    kept = bench.get("samples") or []
    if number >= len(kept):
        return {"samples": [], "timestamps": []}
    samples = [float(f"{joules:.7g}") for joules in kept[number]["joules"]]  # a meter has four digits
    return {"samples": samples, "timestamps": [[f"{event:03d}", at] for event, at in enumerate(kept[number]["edges"])]}


def _entry(bench: Row, mode: str, index: int, infer: Row) -> Row:
    """One clip in the fields of the runner. Without its answer or its class, as in a trace, only `infer` is known."""
    answers = bench.get("answers") if mode == "accuracy" else (bench.get("window_answers") or {}).get(mode)
    if not answers or index >= len(answers) or answers[index]["class"] is None:
        return {"infer": infer}
    answer = answers[index]
    known = {"file": answer["file"], "classes": str(len(bench["graph"]["labels"])), "class": str(answer["class"])}
    return {**known, "infer": {"results": [value / 1000 for value in answer["permille"]], **infer}}


def _framed(line: str) -> list[str]:
    return ["-" * 57, line, "-" * 57]


_WRITERS: dict[str, Callable[[Row], Written]] = {
    "performance": _performance,
    "accuracy": _accuracy,
    "energy": _energy,
}
