"""Throughput of training with slots, beside training without, on the same cores.

    python benchmarks/train_slots.py --data work/data [--rounds 5] [--epochs 3] [--slots 8] [--out FILE]

Each round trains the default network for some epochs, anew: without slots in one process, with slots in one and in two.
The kinds alternate, so that what else runs on the computer disturbs all of them alike. An epoch's time is the one in
log.csv: without start-up and without validation. Printed are medians over the epochs, the first of each run left out.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekws import machine
from edgekws.files import write_json

KINDS = {"no slots, 1 process": (False, 1), "slots, 1 process": (True, 1), "slots, 2 processes": (True, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--recipe", default="dscnn")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    seconds: dict[str, list[list[float]]] = {kind: [] for kind in KINDS}
    for number in range(options.rounds):
        for kind, (slots, count) in KINDS.items():
            seconds[kind].append(list(epochs(options, options.slots if slots else None, count)))
            print(f"round {number + 1}, {kind}: {' '.join(f'{second:.2f}' for second in seconds[kind][-1])} s an epoch")
    result = figures(seconds, options)
    print(json.dumps(result, indent=2))
    if options.out:
        write_json(options.out, result)


def epochs(options: argparse.Namespace, slots: int | None, count: int) -> Iterator[float]:
    """Seconds of each epoch but the first, of a training of its own."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["-m", "edgekws", "train", "--data", options.data, "--out", folder, "--recipe", options.recipe]
        words += ["--epochs", options.epochs, *(["--slots", slots] if slots else [])]
        several = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", count] if count > 1 else []
        command = [sys.executable, *map(str, (*several, *words))]
        subprocess.run(command, check=True, capture_output=True)
        with (Path(folder) / "float" / "log.csv").open(newline="") as file:
            yield from [float(row["seconds"]) for row in csv.DictReader(file)][1:]


def figures(seconds: dict[str, list[list[float]]], options: argparse.Namespace) -> dict[str, Any]:
    """Medians, and the throughput of each kind relative to training without slots, round by round."""
    medians = {kind: [statistics.median(one) for one in rounds] for kind, rounds in seconds.items()}
    first, *others = KINDS
    return {
        "how": "measured",
        "cores": machine.cores(),
        "slots": options.slots,
        "rounds": options.rounds,
        "seconds_per_epoch": {kind: round(statistics.median(values), 3) for kind, values in medians.items()},
        "throughput": {
            kind: {
                "median": round(statistics.median(ratios), 3),
                "lowest": round(min(ratios), 3),
                "highest": round(max(ratios), 3),
            }
            for kind in others
            for ratios in [[a / b for a, b in zip(medians[first], medians[kind], strict=True)]]
        },
    }


if __name__ == "__main__":
    main()
