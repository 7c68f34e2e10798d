"""Figures of a bench, computed again from what they follow from: readings of clocks, joules, and answers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

from edgekws import stats
from edgekws.report.quality import details
from edgekws.report.session_check import Finding

Row = Mapping[str, Any]


def findings(bench: Row) -> Iterator[Finding]:
    """One finding for each section of an `edgekws-bench` document that has its answers, and one for its verdict."""
    yield _finding("verdict", _verdict(bench))
    if bench["performance"]:
        yield _finding("performance", _performance(bench["performance"], bench["board"]["icount_shift"]))
    if bench["accuracy"]:
        yield _finding("accuracy", _accuracy(bench))
    if bench["energy"] and bench["energy"]["windows"]:
        yield _finding("energy", _energy(bench["energy"]))
    yield _finding("measurements", _measurements(bench))


def close(one: Any, other: Any) -> bool:  # noqa: ANN401 (values of JSON)
    """Whether two values of JSON are equal, numbers to nine digits."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(close(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(close, one, other))
    if isinstance(one, float) or isinstance(other, float):
        numbers = isinstance(one, int | float) and isinstance(other, int | float)
        return numbers and math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return bool(one == other)


def _finding(section: str, problems: Iterator[str]) -> Finding:
    found = list(problems)
    what = f"bench.json: {section}"
    if found:
        return Finding("error", what, "; ".join(found[:4]))
    return Finding(
        "ok", what, "follows from what the device gave" if section != "verdict" else "agrees with its reasons"
    )


def _differs(name: str, stored: Any, computed: Any) -> Iterator[str]:  # noqa: ANN401
    if not close(stored, computed):
        yield f"{name} is {_short(stored)}, computed {_short(computed)}"


def _short(value: object) -> str:
    return ascii(value)[:80]


def _verdict(bench: Row) -> Iterator[str]:
    accuracy = bench["accuracy"]
    if bench["valid"] and (bench["reasons"] or bench["incomplete"]):
        yield "valid in spite of reasons against it"
    if not bench["valid"] and not bench["reasons"]:
        yield "not valid without a reason"
    if bench["valid"] and accuracy and accuracy["matches"] != accuracy["n"]:
        yield "valid although answers differ from the interpreter's"


def _performance(section: Row, shift: int) -> Iterator[str]:
    windows = [(end - start) / 1e6 for start, end in section.get("clock_us") or ()]
    if windows:
        yield from _differs("windows_s", section["windows_s"], windows)
    pairs = zip(section["windows_s"], section["iterations"], strict=False)
    each = [seconds * 1e6 / count for seconds, count in pairs]
    yield from _differs("latencies_us", section["latencies_us"], each)
    usable = [us for us in each if us > 0]
    if not usable:
        yield "no window has a duration"
        return
    middle = median(usable)
    yield from _differs("latency_us", section["latency_us"], middle)
    yield from _differs("inferences_per_s", section["inferences_per_s"], 1e6 / middle)
    yield from _differs("spread", section["spread"], (max(usable) - min(usable)) / middle)
    yield from _differs("drift", section["drift"], usable[-1] / usable[0] - 1)
    yield from _differs("instructions", section["instructions"], middle * 1000 / (1 << shift) if shift >= 0 else None)


def _accuracy(bench: Row) -> Iterator[str]:
    section, answers, labels = bench["accuracy"], bench.get("answers") or [], bench["graph"]["labels"]
    yield from _differs("n", section["n"], len(answers))
    if not answers or any(len(answer["permille"]) != len(labels) for answer in answers):
        yield "each answer should have a value for each label"
        return
    yield from _differs("matches", section["matches"], sum(answer.get("equal") is True for answer in answers))
    truth = [answer["class"] for answer in answers]
    if None in truth:
        yield from _differs("correct", section["correct"], None)
        return
    if not all(0 <= label < len(labels) for label in truth):
        yield "a class is no label of the graph"
        return
    yield from _against_labels(bench, answers, np.array(truth))


def _against_labels(bench: Row, answers: Sequence[Row], truth: np.ndarray) -> Iterator[str]:
    section, labels = bench["accuracy"], tuple(bench["graph"]["labels"])
    predicted = np.array([int(np.argmax(answer.get("scores") or answer["permille"])) for answer in answers])
    table = stats.confusion(truth, predicted, len(labels))
    yield from _differs("correct", section["correct"], int(np.trace(table)))
    yield from _differs("confusion", section["confusion"], table.tolist())
    recalls = [{**vars(recall), "interval": vars(recall.interval)} for recall in stats.recalls(table, labels)]
    yield from _differs("recalls", section["recalls"], recalls)
    area = stats.macro_auc(truth, np.array([answer["permille"] for answer in answers]))
    yield from _differs("macro_auc", section["macro_auc"], area)
    if any(section.get(key) is not None for key in details.KEYS):
        again = details.of(bench, answers)
        for key in details.KEYS:
            yield from _differs(key, section.get(key), again[key])


def _energy(section: Row) -> Iterator[str]:
    totals, above = [], []
    for number, window in enumerate(section["windows"], 1):
        count, joules, idle = window["iterations"], window["joules"], window["idle_watts"]
        totals.append(joules * 1e6 / count)
        above.append(None if idle is None else (joules - idle * window["seconds"]) * 1e6 / count)
        yield from _differs(f"window {number}", window["uj_per_inference"], totals[-1])
        yield from _differs(f"window {number}, above idle", window["uj_per_inference_above_idle"], above[-1])
    middle, known = median(totals), [value for value in above if value is not None]
    yield from _differs("uj_per_inference", section["uj_per_inference"], middle)
    rest = median(known) if len(known) == len(above) else None
    yield from _differs("uj_per_inference_above_idle", section["uj_per_inference_above_idle"], rest)
    yield from _differs("spread", section["spread"], (max(totals) - min(totals)) / middle if middle else 0.0)


def _measurements(bench: Row) -> Iterator[str]:
    """Measurements repeat values of the sections; those of other packages have no section."""
    sections = {**_speeds(bench), **_shares(bench)}
    for row in bench["measurements"]:
        for name, value in sections.items():
            if row["name"] == name or row["name"].startswith(f"{name}, "):
                yield from _differs(row["name"], row["value"], value)
                break


def _speeds(bench: Row) -> dict[str, Any]:
    """Name -> value, of speed, energy and memory; the longer name first."""
    performance, energy = bench["performance"] or {}, bench["energy"] or {}
    return {
        "latency": performance.get("latency_us"),
        "throughput": performance.get("inferences_per_s"),
        "instructions per inference": performance.get("instructions"),
        "energy per inference, above idle": energy.get("uj_per_inference_above_idle"),
        "energy per inference": energy.get("uj_per_inference"),
        "peak stack": (bench.get("stack") or {}).get("used"),
    }


def _shares(bench: Row) -> dict[str, Any]:
    accuracy = bench["accuracy"] or {}
    correct, n = accuracy.get("correct"), accuracy.get("n")
    return {
        "clips equal to the interpreter": accuracy.get("matches"),
        "top-1 accuracy": correct / n if n and correct is not None else None,
        "macro AUC": accuracy.get("macro_auc"),
    }
