"""Official score of every selector, on synthetic tasks with planted label errors or on a folder of embeddings.

    python benchmarks/select_quality.py [--seeds 5] [--folder work/embeddings] [--out benchmarks/results/selectors.json]

A folder has DataPerf's layout: allowed_training_set.yaml, eval.yaml, train_embeddings/, eval_embeddings/; seeds then
affect the selectors only. The table, a .md beside the .json, has the mean macro F1 and, for each other selector, the
mean paired difference to ours with its 95 % interval over the seeds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from _tasks import TASKS, Case, case

from edgekws.curate import select
from edgekws.curate.select import Selection
from edgekws.curate.select.macro_f1 import macro_f1
from edgekws.files import write_json, write_text
from edgekws.stats import half_of_mean

SIZES = (25, 60)
OURS = "proxy_exchange"
SCORER_SEEDS = (5, 69, 98)
"""Three of the challenge's ten."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--folder", type=Path)
    options.add_argument("--tasks", default=",".join(TASKS))
    options.add_argument("--out", type=Path, default=Path("benchmarks/results/selectors.json"))
    given = options.parse_args()
    if given.folder:
        fixed = from_folder(given.folder)
        cases: dict[str, tuple[str, Callable[[int], Case]]] = {given.folder.name: (described(fixed), lambda _: fixed)}
    else:
        cases = {
            name: (TASKS[name].title, lambda seed, name=name: case(name, seed))  # type: ignore[misc]
            for name in given.tasks.split(",")
        }
    rows: list[dict[str, Any]] = []
    head = {"kind": "edgekws-selectors", "version": 1, "ours": OURS, "seeds": given.seeds}
    head |= {"scorer": {"numerics": "2023", "seeds": SCORER_SEEDS}}
    for name, (title, make) in cases.items():
        for size in SIZES:
            rows.append(row(name, title, size, make, range(given.seeds)))
            document = {**head, "rows": rows}  # after each row
            write_json(given.out, document)
            write_text(given.out.with_suffix(".md"), markdown(document))
    print("\n".join(table(rows)))


def from_folder(folder: Path) -> Case:
    from edgekws.curate.select import files

    pool = files.read_pool(folder / "allowed_training_set.yaml", folder / "train_embeddings")
    test = files.read_pool(folder / "eval.yaml", folder / "eval_embeddings")
    truth = np.where(test.classes < 0, len(test.targets), test.classes)
    return Case(pool, np.zeros(len(pool.ids), bool), test.vectors, truth)


def described(task: Case) -> str:
    pool, words = task.pool, len(set(task.pool.words))
    return (
        f"embeddings of {len(pool.ids):,} clips x {pool.vectors.shape[1]} to select from ({', '.join(pool.targets)}; "
        f"{words} words), {len(task.truth):,} clips to evaluate"
    )


def row(name: str, title: str, size: int, make: Callable[[int], Case], seeds: Iterable[int]) -> dict[str, Any]:
    """Scores of all selectors for one size of one task, and differences of ours to each of them."""
    scores: dict[str, list[float]] = {selector: [] for selector in select.names()}
    seconds = dict.fromkeys(scores, 0.0)
    for seed in seeds:
        task = make(seed)
        for selector, values in scores.items():
            begin = time.perf_counter()
            chosen = select.load(selector)(task.pool, size, seed)
            seconds[selector] += time.perf_counter() - begin
            values.append(score(task, chosen))
    ours = scores[OURS]
    against = {other: difference(ours, theirs) for other, theirs in scores.items() if other != OURS}
    print(f"{name} {size}: " + ", ".join(f"{key} {statistics.mean(value):.3f}" for key, value in scores.items()))
    return {
        "task": name, "title": title, "size": size, "macro_f1": scores, "ours_minus": against,
        "seconds": {selector: total / len(ours) for selector, total in seconds.items()},
    }  # fmt: skip


def score(task: Case, chosen: Selection) -> float:
    """The official score of a selection: mean macro F1 over the scorer's seeds."""
    from edgekws.curate.dataperf.scorer.ensemble import Ensemble

    place = {name: row for row, name in enumerate(task.pool.ids)}
    blocks = [*(chosen.targets[target] for target in task.pool.targets), chosen.nontargets]
    rows = [place[name] for block in blocks for name in block]
    labels = np.repeat(np.arange(len(blocks)), [len(block) for block in blocks])
    guesses = Ensemble(task.pool.vectors[rows], labels, SCORER_SEEDS).predict(task.vectors)
    return statistics.mean(macro_f1(task.truth, guess, len(blocks)) for guess in guesses)


def difference(ours: list[float], theirs: list[float]) -> dict[str, float]:
    """Mean of the paired differences and half of its 95 % interval."""
    pairs = [mine - other for mine, other in zip(ours, theirs, strict=True)]
    return {"mean": statistics.mean(pairs), "half": half_of_mean(pairs)}


def markdown(document: dict[str, Any]) -> str:
    rows = document["rows"]
    titles = dict.fromkeys(f"- {row['task']}: {row['title']}" for row in rows)
    about = (
        f"Macro F1 by the official score ({document['scorer']['numerics']} numerics, mean over the scorer's seeds "
        f"{', '.join(map(str, document['scorer']['seeds']))}), mean over {document['seeds']} seeds of the selectors. "
        f"Ours: {document['ours']}. Computed."
    )
    return "\n".join([about, "", *titles, "", *table(rows), ""])


def table(rows: list[dict[str, Any]]) -> list[str]:
    names = list(rows[0]["macro_f1"])
    lines = [f"| task | size | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for one in rows:
        means = [f"{statistics.mean(one['macro_f1'][name]):.3f}" for name in names]
        lines.append(f"| {one['task']} | {one['size']} | {' | '.join(means)} |")
    lines += ["", "Ours minus the other, mean +- 95 % interval:"]
    for one in rows:
        shown = ", ".join(f"{k} {v['mean']:+.3f} +- {v['half']:.3f}" for k, v in one["ours_minus"].items())
        lines.append(f"- {one['task']} {one['size']}: {shown}")
    return lines


if __name__ == "__main__":
    main()
