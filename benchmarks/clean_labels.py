"""How many labels that were corrupted on purpose are in the first part of the ranking of `edgekws data clean`.

    python benchmarks/clean_labels.py --data work/data [--clips 8000] [--seeds 0 1 2] [--probes network linear]
        [--kinds uniform pairs] [--save]

5 % of the training clips (of a random subset of --clips; 0 is all) get a wrong label: any other one (uniform), or the
same other one for each label (pairs), which is harder. The whole ranking counts, including other faults. The probes are
trained on the corrupted labels only. --save writes results/clean_labels.json and .md beside this script.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgekws.cli import console
from edgekws.curate.clean import clips as clipping
from edgekws.curate.clean import labels, rank
from edgekws.curate.clean.clips import Clips
from edgekws.curate.clean.probe import KINDS, ProbePlan
from edgekws.data import dataset
from edgekws.files import write_json, write_text
from edgekws.stats import wilson

HERE = Path(__file__).resolve().parent
CORRUPTED, SHARES = 0.05, (0.05, 0.08, 0.10, 0.20)
BAR_AT, BAR = 0.08, 0.80


def main() -> None:
    options = parse()
    torch.set_num_threads(1)  # the probe's layers are too small for more
    every = clipping.of_dataset(dataset.load(options.data), ["train"])
    rows = []
    for probe in options.probes:
        for kind in options.kinds:
            for seed in options.seeds:
                chosen = clipping.some(every, options.clips or len(every), seed)
                rows.append(one(chosen, kind, ProbePlan(probe, seed=seed)))
                print(line(rows[-1]), flush=True)
    report = {"data": every.name, "machine": f"{platform.machine()}, {os.cpu_count()} cores", "rows": rows}
    if options.save:
        write_json(HERE / "results" / "clean_labels.json", report)
        write_text(HERE / "results" / "clean_labels.md", table(report))
    print(table(report))


def one(clips: Clips, kind: str, plan: ProbePlan) -> dict[str, Any]:
    given, bad = corrupt(clips.labels, len(clips.words), kind, plan.seed)
    started = time.monotonic()
    with console.progress() as report:
        ranking = rank.rank(replace(clips, labels=given), plan, report)
    wrong = {clips.ids[number] for number in bad}
    order = np.array([entry.id in wrong for entry in ranking.entries])
    flagged = [entry.id for entry in ranking.entries if any(r.reason == labels.WRONG_LABEL for r in entry.reasons)]
    return {
        "probe": plan.kind,
        "folds": plan.folds,
        "epochs": plan.epochs,
        "seed": plan.seed,
        "kind": kind,
        "clips": len(clips),
        "corrupted": len(bad),
        "found": {str(share): int(order[: int(share * len(order))].sum()) for share in SHARES},
        "flagged": len(flagged),
        "flagged_right": len(wrong.intersection(flagged)),
        "seconds": round(time.monotonic() - started, 1),
    }


def corrupt(true: np.ndarray, classes: int, kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(labels, indices of the wrong ones)."""
    rng = np.random.default_rng([seed, 7])
    bad = rng.permutation(len(true))[: round(CORRUPTED * len(true))]
    given = true.copy()
    offset = rng.integers(1, classes, len(bad)) if kind == "uniform" else 1
    given[bad] = (true[bad] + offset) % classes
    return given, bad


def line(row: dict[str, Any]) -> str:
    hits = row["found"][str(BAR_AT)]
    interval = wilson(hits, row["corrupted"])
    return (
        f"{row['probe']}, {row['kind']}, seed {row['seed']}: {hits} of {row['corrupted']} in the first "
        f"{100 * BAR_AT:.0f} % of {row['clips']} clips ({100 * interval.low:.1f} to {100 * interval.high:.1f} %), "
        f"{row['seconds']} s"
    )


def table(report: dict[str, Any]) -> str:
    rows = report["rows"]
    heads = ["probe", "wrong labels", "clips", "seeds", *(f"found in {100 * share:.0f} %" for share in SHARES), "s"]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for key in dict.fromkeys((row["probe"], row["kind"], row["clips"]) for row in rows):
        same = [row for row in rows if (row["probe"], row["kind"], row["clips"]) == key]
        cells = [key[0], key[1], str(key[2]), str(len(same))]
        for share in SHARES:
            shares = [100 * row["found"][str(share)] / row["corrupted"] for row in same]
            cells.append(f"{statistics.mean(shares):.1f} % ({min(shares):.1f} to {max(shares):.1f})")
        cells.append(f"{statistics.median(row['seconds'] for row in same):.0f}")
        lines.append(f"| {' | '.join(cells)} |")
    intro = (
        f"5 % of the training labels of {report['data']} corrupted on purpose; which share of these stands in the "
        f"first part of the ranking (mean, and least to most over seeds). Computed on {report['machine']}, shared."
    )
    return "\n".join([intro, "", *lines, ""])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("work/data"))
    parser.add_argument("--clips", type=int, default=8000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--probes", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--kinds", nargs="+", default=["uniform", "pairs"], choices=["uniform", "pairs"])
    parser.add_argument("--save", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
