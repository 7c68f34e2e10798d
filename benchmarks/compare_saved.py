"""The last saved run of the pytest-benchmark suites compared with the one before it.

    python benchmarks/compare_saved.py [--storage work/benchmarks] [--out work/benchmarks/compare.md]

Reads what `pytest --benchmark-autosave --benchmark-storage=STORAGE` wrote. Times are of this computer: a difference is
reported only when the interquartile ranges of the rounds are disjoint and the medians differ by more than 2 %; shared
machines are noisier than that. A benchmark's extra_info (instructions, bytes) is compared to 0.01 %: an emulated
clock ticks once in many instructions.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from edgekws.cli import console
from edgekws.errors import ArtifactError
from edgekws.files import write_text

Row = dict[str, Any]
HEAD = ("benchmark", "before", "now", "now / before", "", "figures that changed")
LEAST_CHANGE, EXACT = 0.02, 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--storage", type=Path, default=Path("work/benchmarks"))
    parser.add_argument("--out", type=Path, default=Path("work/benchmarks/compare.md"))
    options = parser.parse_args()
    text = comparison(saved(options.storage))
    write_text(options.out, text)
    print(text)


def saved(storage: Path) -> list[Path]:
    """The files of pytest-benchmark, oldest first: it numbers them."""
    return sorted(storage.glob("*/[0-9][0-9][0-9][0-9]*.json"), key=lambda path: (int(path.name[:4]), path.name))


def comparison(files: list[Path]) -> str:
    """Markdown about the last two of the files."""
    if not files:
        return "# Benchmarks of this computer\n\nNo run is saved yet: `make bench-host` saves one.\n"
    now = read(files[-1])
    if len(files) == 1:
        note = "This is the first saved run: there is nothing to compare it with."
        return "\n".join(["# Benchmarks of this computer", "", note, "", *table(None, now)]) + "\n"
    before = read(files[-2])
    lines = ["# Benchmarks of this computer", "", f"Before: {label(before)}", "", f"Now: {label(now)}", ""]
    if machine(before) != machine(now):
        lines += [f"**Other machine: {machine(before)}, then {machine(now)}; the times are not comparable.**", ""]
    lines += [*table(before, now), "", *gone(before, now)]
    note = "Median of the rounds. `noise`: the middle halves of the rounds overlap, or it is less than 2 %."
    return "\n".join([*lines, note]) + "\n"


def read(path: Path) -> Row:
    """A saved run. Raises ArtifactError for a file that pytest-benchmark did not write."""
    try:
        document = json.loads(path.read_text("utf-8"))
        rows = {
            row["fullname"]: {key: row["stats"][key] for key in ("median", "q1", "q3")}
            for row in document["benchmarks"]
        }
        extra = {row["fullname"]: row.get("extra_info", {}) for row in document["benchmarks"]}
        origin = {"when": document["datetime"], "commit": document["commit_info"], "machine": document["machine_info"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        expected = f"{path} should be a saved run of pytest-benchmark"
        raise ArtifactError(expected, got=repr(error)[:200], hint="remove it, then `make bench-host`") from error
    return {"stats": rows, "extra": extra, **origin}


def label(run: Row) -> str:
    commit = run["commit"]
    changed = " with changes" if commit.get("dirty") else ""
    return f"{run['when'][:19]}, commit {str(commit.get('id', '?'))[:12]}{changed}"


def machine(run: Row) -> str:
    """What must be the same for times to mean anything."""
    info = run["machine"]
    return f"{info.get('cpu', {}).get('brand_raw', '?')}, Python {info.get('python_version', '?')}"


def table(before: Row | None, now: Row) -> list[str]:
    lines = [f"| {' | '.join(HEAD)} |", "|---|---:|---:|---:|---|---|"]
    for name in sorted(now["stats"]):
        old = before["stats"].get(name) if before else None
        cells = cells_of(old, now["stats"][name])
        exact = (
            changed(before["extra"].get(name, {}), now["extra"][name]) if before and old else known(now["extra"][name])
        )
        lines.append(f"| {' | '.join([name.removeprefix('benchmarks/'), *cells, exact])} |")
    return lines


def cells_of(old: Row | None, new: Row) -> list[str]:
    """(before, now, ratio, what to think of it)"""
    if old is None:
        return ["", duration(new["median"]), "", "new"]
    ratio = new["median"] / old["median"] if old["median"] else float("nan")
    apart = (new["q1"] > old["q3"] or new["q3"] < old["q1"]) and abs(ratio - 1) > LEAST_CHANGE
    verdict = ("slower" if ratio > 1 else "faster") if apart else "noise"
    return [duration(old["median"]), duration(new["median"]), f"{ratio:.3f}", verdict]


def changed(old: Row, new: Row) -> str:
    keys = [key for key in new if not same(old.get(key), new[key])]
    return "; ".join(f"{key} {shown(old.get(key, 'unknown'))} -> {shown(new[key])}" for key in keys)


def same(old: object, new: object) -> bool:
    if isinstance(old, int | float) and isinstance(new, int | float):
        return abs(new - old) <= EXACT * abs(old)
    return old == new


def known(extra: Row) -> str:
    return "; ".join(f"{key} {shown(value)}" for key, value in extra.items())


def gone(before: Row, now: Row) -> list[str]:
    lost = sorted(set(before["stats"]) - set(now["stats"]))
    return [f"Not run this time: {', '.join(lost)}.", ""] if lost else []


def shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def duration(seconds: float) -> str:
    for factor, unit in ((1, "s"), (1e3, "ms")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"


if __name__ == "__main__":
    with console.readable_errors(debug=False):
        main()
