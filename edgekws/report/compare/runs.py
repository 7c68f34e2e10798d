"""Saved reports and benches, in a form that can be compared: their figures, and the conditions of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from string import ascii_uppercase
from typing import Any

from edgekws.report import document
from edgekws.report.bundle.run_folder import newest
from edgekws.report.compare import figures
from edgekws.report.compare.figures import Value
from edgekws.types import How

Row = Mapping[str, Any]
Windows = tuple[int, float, float]


@dataclass(frozen=True)
class Conditions:
    """How the figures of a run were obtained, besides provenance and build. "" and None: unknown, or there is none.

    clock: of the CPU. meter: of an estimate with its chip. clips: hash of all that were sent, and number of answers.
    latency_windows, energy_windows: number, median seconds, and median number of inferences.
    """

    clock: str = ""
    dataset: str = ""
    clips: tuple[str, int] = ("", 0)
    meter: str = ""
    volts: float | None = None
    latency_windows: Windows | None = None
    energy_windows: Windows | None = None


@dataclass(frozen=True)
class Run:
    """name: a letter. valid: None when no board was measured. how: of the board, "computed" without one.

    incomplete: whether it was aborted. provenance, build: as in the document, None without a board.
    """

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
    incomplete: bool = False
    provenance: Row | None = None
    build: Row | None = None
    conditions: Conditions = field(default_factory=Conditions)

    def to_json(self) -> dict[str, Any]:
        """What an `edgekws-compare` document says of the run."""
        return {key: value for key, value in asdict(self).items() if key != "values"}


def load(paths: Sequence[Path]) -> list[Run]:
    """The runs in files or folders, named A, B, C and so on.

    A folder is one of a run, or of a board, whose `latest` run is taken.
    Raises ArtifactError for a file that is neither a report nor a bench, or a folder without one.
    """
    return [run(_name(number), str(path), _read(_file(path))) for number, path in enumerate(paths)]


def _read(path: Path) -> Row:
    """The document; of a report with the answers in the bench of the same run, if that lies beside it."""
    content, beside = document.read(path), path.with_name("bench.json")
    if content["kind"] != document.KIND or not content["accuracy"] or not beside.is_file():
        return content
    bench = document.read(beside)
    same = all(bench[part] == content[part] for part in ("provenance", "accuracy"))
    return {**content, "answers": bench.get("answers")} if same else content


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
        values=figures.read(content),
        incomplete=bool(content["incomplete"]),
        provenance=content["provenance"],
        build=content["build"],
        conditions=_conditions(content),
    )


def _conditions(content: Row) -> Conditions:
    performance, energy, accuracy = (content[name] or {} for name in ("performance", "energy", "accuracy"))
    metered = energy.get("windows", ())
    return Conditions(
        clock=_clock(content["board"] or {}),
        dataset=accuracy.get("dataset", ""),
        clips=((content["provenance"] or {}).get("clips_sha256", ""), accuracy.get("n", 0)),
        meter=", ".join(filter(None, (energy.get("meter"), energy.get("chip")))),
        volts=energy.get("volts"),
        latency_windows=_windows(performance.get("windows_s", ()), performance.get("iterations", ())),
        energy_windows=_windows(*([window[key] for window in metered] for key in ("seconds", "iterations"))),
    )


def _clock(board: Row) -> str:
    hertz = board.get("clock_hz")
    return f"{hertz / 1e6:g} MHz" if isinstance(hertz, int | float) and hertz else ""


def _windows(seconds: Sequence[float], inferences: Sequence[int]) -> Windows | None:
    return (len(seconds), median(seconds), float(median(inferences))) if seconds else None


def _name(number: int) -> str:
    return ascii_uppercase[number] if number < len(ascii_uppercase) else f"R{number + 1}"


def _file(path: Path) -> Path:
    run = newest(path)
    names = [run / name for name in ("report.json", "bench.json") if (run / name).is_file()]
    return names[0] if names else run
