"""Figures of saved reports and benches, in a form that can be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from string import ascii_uppercase
from typing import Any, Literal

from edgekws import stats
from edgekws.errors import ArtifactError
from edgekws.report import document
from edgekws.types import How

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Metric:
    """A row of a comparison. better: which direction; change: how two values are compared."""

    title: str
    better: Literal["less", "more"]
    change: Literal["ratio", "points"] = "ratio"


METRICS = {
    "latency": Metric("latency", "less"),
    "instructions": Metric("instructions per inference", "less"),
    "energy": Metric("energy per inference", "less"),
    "energy-above-idle": Metric("energy per inference, above idle", "less"),
    "accuracy": Metric("top-1 accuracy", "more", "points"),
    "auc": Metric("macro AUC", "more", "points"),
    "flash": Metric("flash", "less"),
    "ram": Metric("RAM", "less"),
    "parameters": Metric("parameters", "less"),
}


@dataclass(frozen=True)
class Value:
    """One figure of a run. unit: of `text.quantity`.

    spread: (low, high) around the true value: the 95 % interval of a share, the extremes of the windows, or the bounds
    of an estimate; None when unknown, as for a single window of real time; (value, value) when exact.
    basis: values are comparable when this is the same.
    """

    value: float
    unit: str
    how: How
    spread: tuple[float, float] | None
    basis: str


@dataclass(frozen=True)
class Run:
    """name: a letter. valid: None when no board was measured. how: of the board, "computed" without one."""

    name: str
    source: str
    title: str
    how: How
    board: str
    graph: str
    graph_sha256: str
    dataset: str
    valid: bool | None
    why: str
    values: dict[str, Value]


def load(paths: Sequence[Path]) -> list[Run]:
    """The runs in files or folders, named A, B, C and so on.

    Raises ArtifactError for a file that is neither a report nor a bench, or a folder without one.
    """
    return [run(_name(number), str(path), document.read(_file(path))) for number, path in enumerate(paths)]


def run(name: str, source: str, content: Row) -> Run:
    """The figures of a document. content: valid and of this version (document.read or document.checked)."""
    board, graph, accuracy = content["board"] or {}, content["graph"], content["accuracy"] or {}
    reported = content["kind"] == document.KIND
    verdict = content["verdict"] if reported else content
    return Run(
        name=name,
        source=source,
        title=content["title"] if reported else f"{graph['name']} on {board['title']}",
        how=board.get("how", "computed"),
        board=board.get("name", ""),
        graph=graph["name"],
        graph_sha256=graph["sha256"],
        dataset=accuracy.get("dataset", ""),
        valid=verdict["valid"],
        why=content["incomplete"] or "; ".join(verdict["reasons"]),
        values={key: value for key, read in _READERS.items() if (value := read(content)) is not None},
    )


def _name(number: int) -> str:
    return ascii_uppercase[number] if number < len(ascii_uppercase) else f"R{number + 1}"


def _file(path: Path) -> Path:
    if not path.is_dir():
        return path
    for name in ("report.json", "bench.json"):
        if (path / name).is_file():
            return path / name
    below = [str(path_below.parent) for path_below in islice(path.glob("**/report.json"), 4)]
    hint = f"give {' or '.join(sorted(below))}" if below else "run `edgekws bench` first"
    raise ArtifactError(f"{path} should be a folder with a report.json", got="none in it", hint=hint)


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
    return Value(share, "share", content["board"]["how"], (bounds.low, bounds.high), basis)


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
    "parameters": _parameters,
}
