"""Selects 1,000 of 1,000,000 synthetic clips x 1,024 numbers (4 GB) in 2 GB of memory; killed once and resumed.

    python benchmarks/select_scale.py                   make the data, run both, write results/select_scale.{json,md}
    python benchmarks/select_scale.py --clips 100000    less data; prints only
    ... [--folder F] [--keep] [--engine ray] [--methods kcenter ...] [--kill-after 30] [--again]

Computed on this computer. Memory is the peak of all processes of a run together (proportional set size, sampled ten
times a second). A run is killed with SIGKILL after --kill-after seconds and started again; its time is the sum of both
attempts. With --again it also runs uninterrupted, and both selections must be equal.

The estimate for MSWC (23.4 million clips) scales the rates measured here; see `estimate`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from edgekws.curate import shards
from edgekws.curate.shards import source
from edgekws.files import write_json, write_text

RESULTS = Path(__file__).resolve().parent / "results" / "select_scale.json"
FULL = 1_000_000
METHODS = ("kcenter", "facility")
BATCH = 4096
MSWC_CLIPS, WORKERS, DISK_BYTES_PER_S, WORKERS_PER_DISK = 23_400_000, (1, 8, 64), 1e9, 8


def main() -> None:
    options = parse()
    if options.child:
        child(options)
        return
    home = options.folder or Path(tempfile.mkdtemp(prefix="select-scale-"))
    try:
        if not (home / "shards").exists():
            make(home / "shards", options)
        runs = {method: measured(home, method, options) for method in options.methods}
    finally:
        if not options.keep:
            shutil.rmtree(home, ignore_errors=True)
    result = {"kind": "edgekws-select-scale", "version": 1, "how": "computed", **described(options)}
    result["runs"] = runs = known_runs(result) | runs
    if set(runs) == set(METHODS):
        result["estimate"] = estimate(runs, options)
    print(markdown(result))
    if options.clips == FULL:
        write_json(RESULTS, result)
        write_text(RESULTS.with_suffix(".md"), markdown(result))


def known_runs(described_now: dict[str, Any]) -> dict[str, Any]:
    """Saved runs of the other methods, if they had the same data and limits."""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    same = all(known.get(name) == value for name, value in described_now.items())
    return dict(known["runs"]) if same else {}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=FULL)
    parser.add_argument("--dimensions", type=int, default=1024)
    parser.add_argument("--words", type=int, default=2000)
    parser.add_argument("--shards", type=int, default=16)
    parser.add_argument("--size", type=int, default=1000)
    parser.add_argument("--memory", type=float, default=2e9, help="bytes")
    parser.add_argument("--engine", default="process")
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--kill-after", type=float, default=30.0, help="seconds; 0: never")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


def described(options: argparse.Namespace) -> dict[str, Any]:
    names = ("clips", "dimensions", "words", "shards", "size", "memory", "engine")
    return {name: getattr(options, name) for name in names} | {"processors": os.cpu_count()}


# data


def make(folder: Path, options: argparse.Namespace) -> None:
    """Write shards: words with Zipf frequencies, noise of varying strength, 8 % wrong labels."""
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((options.words, options.dimensions), dtype=np.float32)
    share = 1 / np.arange(1, options.words + 1)
    partial = folder.with_name("shards.partial")
    shutil.rmtree(partial, ignore_errors=True)
    bounds = np.linspace(0, options.clips, options.shards + 1).astype(int)
    for number, (start, stop) in enumerate(pairwise(bounds)):
        source.write(partial / f"{number:03}.parquet", batches(number, start, stop, centres, share / share.sum()))
        print(f"made shard {number + 1} of {options.shards}", flush=True)
    partial.rename(folder)


def batches(seed: int, start: int, stop: int, centres: np.ndarray, share: np.ndarray):
    rng = np.random.default_rng(seed)
    for first in range(start, stop, BATCH):
        count = min(BATCH, stop - first)
        labels = rng.choice(len(share), count, p=share)
        spoken = np.where(rng.random(count) < 0.08, rng.integers(0, len(share), count), labels)
        noise = rng.standard_normal((count, centres.shape[1]), dtype=np.float32)
        vectors = centres[spoken] + noise * rng.uniform(0.4, 1.6, (count, 1)).astype(np.float32)
        yield [f"word{word:04}/clip_{first + i}.wav" for i, word in enumerate(labels)], vectors


# runs, in processes of their own


def measured(home: Path, method: str, options: argparse.Namespace) -> dict[str, Any]:
    work = home / f"work-{method}"
    shutil.rmtree(work, ignore_errors=True)
    stages_path(home, method).unlink(missing_ok=True)
    attempts = [attempt(home, method, options, options.kill_after)] if options.kill_after else []
    if not attempts or attempts[0]["killed"]:
        attempts.append(attempt(home, method, options, 0))
    result = attempts[-1].pop("result")
    row = {
        "seconds": round(sum(a["seconds"] for a in attempts), 1),
        "processor_seconds": round(sum(a["processor_seconds"] for a in attempts), 1),
        "peak_bytes": max(a["peak_bytes"] for a in attempts),
        "load_average": os.getloadavg()[1],
        "attempts": attempts,
        **{name: result[name] for name in ("measure", "value", "counts", "workers", "store_sha256")},
        "stages": result["stages"],
    }
    if options.again:
        shutil.rmtree(work / "runs")
        stages_path(home, method).unlink()
        uninterrupted = attempt(home, method, options, 0)
        row["same_when_undisturbed"] = uninterrupted["result"]["ids"] == result["ids"]
        row["undisturbed"] = {"seconds": uninterrupted["seconds"], "stages": uninterrupted["result"]["stages"]}
    shutil.rmtree(work)
    print(json.dumps(row), flush=True)
    return row


def attempt(home: Path, method: str, options: argparse.Namespace, kill_after: float) -> dict[str, Any]:
    out = home / f"{method}.json"
    out.unlink(missing_ok=True)
    command = [sys.executable, __file__, "--child", method, "--folder", str(home), "--engine", options.engine]
    command += ["--size", str(options.size), "--memory", str(options.memory)]
    began, peak, ticks = time.monotonic(), 0, dict[int, int]()
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            held, used = family_of(process.pid)
            peak, ticks = max(peak, held), ticks | used
            if kill_after and time.monotonic() - began > kill_after:
                process.send_signal(signal.SIGKILL)
                process.wait()
            time.sleep(0.1)
    killed = process.returncode == -signal.SIGKILL
    if process.returncode and not killed:
        sys.exit(process.returncode)
    row = {"killed": killed, "seconds": round(time.monotonic() - began, 1), "peak_bytes": peak}
    row["processor_seconds"] = round(sum(ticks.values()) / os.sysconf("SC_CLK_TCK"), 1)
    return row if killed else row | {"result": json.loads(out.read_text())}


def family_of(parent: int) -> tuple[int, dict[int, int]]:
    """(bytes, processor ticks by process) of a process and its descendants; a shared page counts once."""
    parents, ticks = dict[int, int](), dict[int, int]()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(stat.parent.name)
        parents[pid], ticks[pid] = int(fields[1]), int(fields[11]) + int(fields[12])
    family, total = {parent}, 0
    while more := {pid for pid, of in parents.items() if of in family} - family:
        family |= more
    for pid in family:
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), 0) << 10
    return total, {pid: ticks[pid] for pid in family if pid in ticks}


def stages_path(home: Path, method: str) -> Path:
    return home / f"{method}.stages.json"


def child(options: argparse.Namespace) -> None:
    home, method = options.folder, options.child
    path = stages_path(home, method)
    stages: dict[str, float] = json.loads(path.read_text()) if path.exists() else {}
    last = time.monotonic()

    def progress(what: str, done: int, _: int) -> None:
        nonlocal last  # written each time, so that the stages of a killed run count too
        now = time.monotonic()
        name = what.partition(" (")[0] if what.startswith("k-center") else what
        name = name if done else "between stages"
        stages[name], last = stages.get(name, 0.0) + now - last, now
        write_json(stages_path(home, method), stages)

    chosen = shards.select(
        home / "shards", method, options.size, 0, int(options.memory), options.engine, progress,
        work=home / f"work-{method}",
    )  # fmt: skip
    stages["between stages"] = stages.get("between stages", 0.0) + time.monotonic() - last
    rounded = {name: round(value, 2) for name, value in stages.items()}
    write_json(home / f"{method}.json", chosen.to_json() | {"stages": rounded})


# MSWC


def estimate(runs: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Hours for 23.4 million clips, from the stages measured here, on workers of the same speed.

    A parallel stage takes the measured time per clip and worker, or the time to read its bytes from disk (1 GB/s per
    8 workers) if that is longer: 4 bytes per number of the shards, 1 per number of the store. The serial part takes as
    long as here, except that k-center's grows with its passes. The number of passes is at least the measured one; at
    most it grows in proportion to the clips, up to one per selected clip.
    """
    rows = {}
    scale_up = MSWC_CLIPS / options.clips
    for workers in WORKERS:
        disk = DISK_BYTES_PER_S * max(1, workers // WORKERS_PER_DISK)
        store_bytes = MSWC_CLIPS * options.dimensions

        def mapped(run: str, names: tuple[str, ...], traffic: float, times: float = 1.0, on: int = workers,
                   rate: float = disk) -> float:  # fmt: skip
            here = sum(stages_of(runs[run]).get(name, 0.0) for name in names) * runs[run]["workers"]
            return times * max(here * scale_up / on, traffic / rate)

        build = mapped("facility", ("hashing shards", "reading shards", "sorting clips"), 11 * store_bytes)
        passes = runs["kcenter"]["counts"]["passes"]
        most = min(options.size, passes * scale_up) / passes
        alone = {name: stages_of(runs[name])["between stages"] for name in METHODS}
        once = mapped("kcenter", ("k-center",), passes * store_bytes)
        blocks = mapped("facility", ("facility location (blocks)", "facility location (value)"), 2 * store_bytes)
        rows[str(workers)] = {
            "store_hours": round(build / 3600, 3),
            "facility_hours": round((build + blocks + alone["facility"]) / 3600, 3),
            "kcenter_hours": [round((build + t * (once + alone["kcenter"])) / 3600, 3) for t in (1, most)],
        }
    passes_shown = [passes, round(passes * most)]
    return {"how": "estimated", "clips": MSWC_CLIPS, "kcenter_passes": passes_shown, "workers": rows}


def stages_of(run: dict[str, Any]) -> dict[str, float]:
    """Seconds of each stage, including the time lost when the run was killed."""
    known: dict[str, float] = dict(run["stages"])
    return known


def shares_of(runs: dict[str, Any]) -> str:
    """Share of a processor that each worker had; on an idle computer the rates would be higher by its inverse."""
    shares = [100 * run["processor_seconds"] / run["seconds"] / run["workers"] for run in runs.values()]
    return f"{min(shares):.0f} to {max(shares):.0f} %"


def markdown(result: dict[str, Any]) -> str:
    lines = [
        "# Selection from data larger than memory",
        "",
        "Generated by `benchmarks/select_scale.py`; do not edit. Computed on this computer, shared with other work.",
        "",
        f"{result['size']:,} of {result['clips']:,} clips x {result['dimensions']:,} float32 in {result['shards']} "
        f"shards, {result['memory'] / 1e9:.1f} GB at most, engine {result['engine']}, {result['processors']} cores.",
        "",
        "| method | time, s (killed once, resumed) | on processors, s | peak memory, GB | value | what it did "
        "| load average |",
        "|---|---|---|---|---|---|---|",
    ]
    for method, run in result["runs"].items():
        did = ", ".join(f"{value:,} {name}" for name, value in run["counts"].items())
        shown = " + ".join(f"{a['seconds']:.0f}" for a in run["attempts"])
        cells = (
            method,
            f"{run['seconds']:.0f} ({shown})",
            f"{run['processor_seconds']:.0f}",
            f"{run['peak_bytes'] / 1e9:.2f}",
            f"{run['value']:.4f} ({run['measure']})",
            did,
            f"{run['load_average']:.1f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", *estimate_lines(result.get("estimate"), result["runs"])]) + "\n"


def estimate_lines(estimated: dict[str, Any] | None, runs: dict[str, Any]) -> list[str]:
    if estimated is None:
        return []
    low, high = estimated["kcenter_passes"]
    lines = [
        f"## Estimate for MSWC ({estimated['clips'] / 1e6:.1f} million clips x 1,024), from these rates",
        "",
        f"k-center with {low} to {high} passes. A disk of 1 GB/s for every {WORKERS_PER_DISK} workers. Not measured.",
        f"While the rates were measured, other work left each worker {shares_of(runs)} of a processor. Workers that",
        "have one of their own take less, down to that share of these hours or to what the disks take.",
        "",
        "| workers | making the store, h | + facility location, h | + k-center, h |",
        "|---|---|---|---|",
    ]
    for workers, row in estimated["workers"].items():
        spread = " to ".join(f"{hours:.2f}" for hours in row["kcenter_hours"])
        lines.append(f"| {workers} | {row['store_hours']:.2f} | {row['facility_hours']:.2f} | {spread} |")
    return lines


if __name__ == "__main__":
    main()
