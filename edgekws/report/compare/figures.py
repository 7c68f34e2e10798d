"""The figures of a document that can be compared: what each is, and how sure it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edgekws import stats
from edgekws.errors import ArtifactError
from edgekws.types import How

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Metric:
    """A row of a comparison. better: which direction; change: how two values are compared.

    exact: whether it is counted or computed, so that a repetition gives the same.
    """

    title: str
    better: Literal["less", "more"]
    change: Literal["ratio", "points"] = "ratio"
    exact: bool = False


METRICS = {
    "latency": Metric("latency", "less"),
    "instructions": Metric("instructions per inference", "less", exact=True),
    "energy": Metric("energy per inference", "less"),
    "energy-above-idle": Metric("energy per inference, above idle", "less"),
    "accuracy": Metric("top-1 accuracy", "more", "points"),
    "auc": Metric("macro AUC", "more", "points"),
    "flash": Metric("flash", "less", exact=True),
    "ram": Metric("RAM", "less", exact=True),
    "stack": Metric("peak stack", "less", exact=True),
    "parameters": Metric("parameters", "less", exact=True),
}


@dataclass(frozen=True)
class Value:
    """One figure of a run. unit: of `text.quantity`.

    spread: (low, high) around the true value: the 95 % interval of a share, the extremes of the windows, or the bounds
    of an estimate; None when unknown, as for a single window of real time; (value, value) when exact.
    basis: values are comparable when this is the same.
    answers: clip -> whether the answer was right, of an accuracy; None where they were not kept.
    """

    value: float
    unit: str
    how: How
    spread: tuple[float, float] | None
    basis: str
    answers: Mapping[str, bool] | None = None


def read(content: Row) -> dict[str, Value]:
    """Metric -> figure of a report or bench in this version. Raises ArtifactError for one that cannot be."""
    return {key: value for key, reader in _READERS.items() if (value := reader(content)) is not None}


def _latency(content: Row) -> Value | None:
    """None for an emulated board: its clock counts instructions."""
    performance = content["performance"]
    if not performance or content["board"]["how"] == "emulated":
        return None
    how, each = content["board"]["how"], performance["latencies_us"]
    return Value(performance["latency_us"], "us", how, (min(each), max(each)) if len(each) > 1 else None, how)


def _instructions(content: Row) -> Value | None:
    value = (content["performance"] or {}).get("instructions")
    return None if value is None else _exact(value, "instructions", content["board"]["how"])


def _energy(key: str) -> Callable[[Row], Value | None]:
    def read(content: Row) -> Value | None:
        energy = content["energy"]
        if not energy or energy[key] is None:
            return None
        each = [window[key] for window in energy["windows"] if window[key] is not None]
        spread = (min(each), max(each)) if len(each) > 1 else None
        if energy["interval"] and key == "uj_per_inference":
            spread = (energy["interval"]["low"], energy["interval"]["high"])
        return Value(energy[key], "uJ", energy["how"], spread, energy["how"])

    return read


def _accuracy(content: Row) -> Value | None:
    accuracy = content["accuracy"]
    if not accuracy or accuracy["correct"] is None:
        return None
    if not 0 <= accuracy["correct"] <= accuracy["n"]:
        raise ArtifactError("correct answers should not exceed the clips", got=f"{accuracy['correct']}")
    bounds = stats.wilson(accuracy["correct"], accuracy["n"])
    basis = f"{content['board']['how']}, {accuracy['dataset']}"
    share = accuracy["correct"] / accuracy["n"]
    return Value(share, "share", content["board"]["how"], (bounds.low, bounds.high), basis, _answers(content))


def _answers(content: Row) -> dict[str, bool] | None:
    """None without answers, or when they do not give the accuracy: int8 scores decide ties, and may be missing."""
    rows, accuracy = content.get("answers") or (), content["accuracy"]
    right = {row["file"]: _best(row.get("scores") or row["permille"]) == row["class"] for row in rows}
    return right if len(right) == accuracy["n"] and sum(right.values()) == accuracy["correct"] else None


def _best(scores: Sequence[int]) -> int:
    return scores.index(max(scores))


def _auc(content: Row) -> Value | None:
    accuracy = content["accuracy"]
    if not accuracy or accuracy["macro_auc"] is None:
        return None
    how = content["board"]["how"]
    return Value(accuracy["macro_auc"], "area", how, None, f"{how}, {accuracy['dataset']}")


def _memory(name: str) -> Callable[[Row], Value | None]:
    def read(content: Row) -> Value | None:
        firmware = content.get("firmware") or {}
        rows = {row["name"].lower(): row["used"] for row in content.get("memory", ())}
        used = rows.get(name, firmware.get(f"{name}_bytes"))
        # Sizes of the host build say nothing about a board.
        return None if used is None or content["board"]["how"] == "computed" else _exact(used, "bytes", "computed")

    return read


def _stack(content: Row) -> Value | None:
    rows = content.get("figures", content.get("measurements", ()))
    used = next((row["value"] for row in rows if row["name"] == "peak stack" and content["board"]), None)
    return None if used is None else _exact(used, "bytes", content["board"]["how"])


def _parameters(content: Row) -> Value | None:
    size = content["graph"].get("parameter_bytes")
    return _exact(size, "bytes", "computed") if isinstance(size, int) else None


def _exact(value: float, unit: str, how: How) -> Value:
    return Value(value, unit, how, (value, value), how)


_READERS: dict[str, Callable[[Row], Value | None]] = {
    "latency": _latency,
    "instructions": _instructions,
    "energy": _energy("uj_per_inference"),
    "energy-above-idle": _energy("uj_per_inference_above_idle"),
    "accuracy": _accuracy,
    "auc": _auc,
    "flash": _memory("flash"),
    "ram": _memory("ram"),
    "stack": _stack,
    "parameters": _parameters,
}
