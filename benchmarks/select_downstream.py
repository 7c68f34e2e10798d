"""The table of `edgekws select downstream`: selectors by the int8 accuracy of the DS-CNN trained on their selection.

    python benchmarks/select_downstream.py --data work/data --work work/downstream [--selectors random balanced ...]
        [--shares 0.1] [--seeds 0 1 2] [--steps 1500] [--validation 1000] [--embedding statistics] [--save]

Acceptance: at 10 % of the training clips, the best selector exceeds random by more than the interval over three seeds.
A run of 1,500 batches took 60 to 70 s on two free cores; the same command continues a stopped evaluation.
--save writes results/select_downstream.json, .md and .svg beside this script.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

from edgekws import recipe
from edgekws.cli import console
from edgekws.curate import select
from edgekws.curate.downstream import runs, summary
from edgekws.curate.downstream.runs import Result
from edgekws.data import dataset

HERE = Path(__file__).resolve().parent
RECIPE = HERE.parent / "models" / "dscnn" / "recipe.toml"


def main() -> None:
    options = parse()
    data = dataset.load(options.data)
    plan = runs.Plan(
        tuple(options.selectors or select.names()),
        tuple(options.shares),
        tuple(options.seeds),
        options.steps,
        options.validation,
        options.embedding,
    )
    started = time.monotonic()

    def done(results: list[Result]) -> None:
        summary.write(results, plan, data, "DS-CNN", options.work)
        print(f"{results[-1]} after {time.monotonic() - started:.0f} s", flush=True)

    with console.progress() as report:
        results = runs.run(plan, recipe.load(RECIPE), data, options.work, report, done)
    for row in summary.rows(results):
        print(f"{100 * row['share']:g} %, {row['selector']}: {summary.percent(row['int8'])} {summary.verdict(row)}")
    if options.save:
        for name in summary.FILES:
            shutil.copyfile(options.work / name, HERE / "results" / f"select_{name}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("work/data"))
    parser.add_argument("--work", type=Path, default=Path("work/downstream"))
    parser.add_argument("--selectors", nargs="+")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.1])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--validation", type=int, default=1000)
    parser.add_argument("--embedding", default="statistics")
    parser.add_argument("--save", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
