"""Makes the published accuracy tables: train and quantize with several seeds, export, bench, release.

    python benchmarks/accuracy.py --data work/data --work work/accuracy/dscnn [--seeds 0 1 2] [--recipe ...]
        [--plans w8-ptq w8-qat ...] [--boards host ...] [--clips 0] [--keep]
        [--official kws01] [--float "models/dsresnet/teachers/dscnn-seed{seed}.safetensors"]

Resumes each seed's folder. --float uses trained networks instead of training them; --keep uses existing quantized
networks, so that only exports, benches and the card are made again. Writes results/<model>.json beside this script, and
card.md into the recipe's folder with the artifacts of the best seed on validation and the graph of every width. A run
from scratch takes hours on two cores.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from _card import card

from edgekws import pipeline, plugins, recipe
from edgekws.cli import console
from edgekws.data import dataset
from edgekws.files import write_bytes, write_json, write_text
from edgekws.graph import io
from edgekws.quant.mixed.budget import parse as parse_budget
from edgekws.training.checkpoint import BEST, LAST

HERE = Path(__file__).resolve().parent
PLANS: dict[str, dict[str, Any]] = {
    "w8-ptq": {"weight_bits": 8, "method": "ptq"},
    "w8-qat": {"weight_bits": 8, "method": "qat"},
    "w4-ptq": {"weight_bits": 4, "method": "ptq"},
    "w4-qat": {"weight_bits": 4, "method": "qat"},
    "w2-ptq": {"weight_bits": 2, "method": "ptq"},
    "w2-qat": {"weight_bits": 2, "method": "qat"},
    "mixed-qat": {"weight_bits": 8, "method": "qat"},
}
REPORT = "quantize.json"
MIXED_BUDGET = "flash=16kB"
RELEASED = ("graph.npz", "export/golden.npz", "export/model.tinpu.onnx", "export/model.qdq.onnx", "export/model.tflite")
OPTIONAL = ("export/model.integer.onnx",)
OFFICIAL_BOARD = "qemu-an386"
BOARDS = ("host", "qemu-an385-v6m", "qemu-an385", "qemu-an386", "qemu-an547", "qemu-riscv32")


def main() -> None:
    options = parse()
    chosen = recipe.load(options.recipe)
    data = dataset.load(options.data)
    runs = []
    for seed in options.seeds:
        folder = options.work / f"seed{seed}"
        if options.float:
            adopt(Path(options.float.format(seed=seed)), folder / "float" / BEST)
        if not (options.keep and all((folder / plan / REPORT).exists() for plan in options.plans)):
            one_seed(recipe.changed(chosen, seed=seed), data, folder, options.plans)
        runs.append({"seed": seed, **{plan: recorded(folder / plan) for plan in options.plans}})
    best = {plan: best_seed(runs, plan) for plan in options.plans}
    folders = {plan: options.work / f"seed{seed}" / plan for plan, seed in best.items()}
    parity = {plan: export(folder, options.data) for plan, folder in folders.items()}
    main_plan = "w8-qat" if "w8-qat" in folders else options.plans[0]
    boards = {name: bench(name, options.data, folders[main_plan], options.clips) for name in options.boards}
    table = {
        "model": chosen.name, "data": data.name, "data_sha256": data.sha256, "notes": list(data.notes),
        "clips": {split: len(data.splits[split]) for split in ("validation", "test")}, "main": main_plan,
        "runs": runs, "best": best, "parity": parity, "boards": boards,
    }  # fmt: skip
    if options.official:
        table["official"] = official(options.official, folders[main_plan])
    write_json(HERE / "results" / f"{chosen.name}.json", table)
    files = release(folders, main_plan, best[main_plan], options.work, options.recipe.parent, parity[main_plan])
    write_text(options.recipe.parent / "card.md", card(table, files))
    print((options.recipe.parent / "card.md").read_text())


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="prepared data set")
    parser.add_argument("--work", type=Path, default=Path("work/accuracy/dscnn"))
    parser.add_argument("--recipe", type=Path, default=Path("models/dscnn/recipe.toml"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--plans", nargs="+", choices=PLANS, default=list(PLANS))
    parser.add_argument("--official", type=Path, help="MLPerf Tiny's official input files, to score them too")
    parser.add_argument("--float", default="", help="trained float networks to use, with {seed} in the name")
    parser.add_argument("--boards", nargs="+", default=list(BOARDS))
    parser.add_argument(
        "--keep", action="store_true", help="do not train or quantize seeds whose plans are all finished"
    )
    parser.add_argument("--clips", type=int, default=0, help="test clips per board, 0 is all")
    return parser.parse_args()


def adopt(trained: Path, best: Path) -> None:
    if not best.exists():
        write_bytes(best, trained.read_bytes())


def one_seed(chosen: recipe.Recipe, data: dataset.Dataset, out: Path, plans: list[str]) -> None:
    """Float training, then every plan."""
    with console.progress() as report:
        if (out / "float" / LAST).exists() or not (out / "float" / BEST).exists():  # else it comes from --float
            pipeline.train(chosen, data, out, report)
        for plan in plans:
            planned = recipe.changed(chosen, quant={**chosen.quant.model_dump(), **PLANS[plan]})
            trained = pipeline.load_trained(out / "float" / BEST, planned)
            if plan.startswith("mixed"):
                mixed = pipeline.search(trained, data, parse_budget(MIXED_BUDGET), out / plan, report, "", {})
                planned = recipe.changed(planned, quant={**planned.quant.model_dump(), "layers": mixed.bits})
                trained = pipeline.load_trained(out / "float" / BEST, planned)
            pipeline.quantize(trained, data, out / plan, report)


def recorded(folder: Path) -> dict[str, Any]:
    """Scores of a plan on validation and test, and the size of its graph."""
    graph = io.load(folder / "graph.npz")
    return {
        "scores": pipeline.read_scores(folder / REPORT)["scores"],
        "parameter_bytes": graph.parameter_bytes,
        "bits": {node.name: node.weight_bits for node in graph.nodes if node.weight is not None},
    }


def best_seed(runs: list[dict[str, Any]], plan: str) -> int:
    best = max(runs, key=lambda run: run[plan]["scores"]["validation"]["graph"]["accuracy"])
    return int(best["seed"])


def export(out: Path, data: Path) -> list[dict[str, Any]]:
    """Export a graph through the command line, which compares each artifact with the interpreter on all test clips."""
    subprocess.run([command(), "export", "--data", data, "--out", out], check=True)
    return list(json.loads((out / "export" / "parity.json").read_text())["results"])


def bench(board: str, data: Path, out: Path, clips: int) -> dict[str, Any]:
    """Bench through the command line; gives the figures of its report."""
    arguments = ["--board", board, "--data", data, "--out", out, "--clips", str(clips)]
    subprocess.run([command(), "bench", *arguments], check=True)
    report = json.loads((out / "bench" / board / "latest" / "report.json").read_text())
    keys = ("verdict", "performance", "memory")
    return {**{key: report[key] for key in keys}, "figures": [row for row in report["figures"] if row["board"]]}


def official(vectors: Path, out: Path) -> dict[str, Any]:
    """Score MLPerf Tiny's own input files on an emulated board; gives its section of the report."""
    arguments = ["--board", OFFICIAL_BOARD, "--vectors", vectors, "--out", out, "--mode", "accuracy"]
    subprocess.run([command(), "bench", *arguments], check=True)
    report = json.loads((out / "bench" / OFFICIAL_BOARD / "latest" / "report.json").read_text())
    return {
        "board": OFFICIAL_BOARD,
        "verdict": report["verdict"],
        "accuracy": {key: report["accuracy"][key] for key in ("dataset", "n", "correct")},
    }


def command() -> Path:
    return Path(sys.executable).with_name("edgekws")


def release(
    folders: dict[str, Path], main_plan: str, seed: int, work: Path, target: Path, parity: list[dict[str, Any]]
) -> list[Path]:
    """Copy the artifacts of the main plan, the float network below it and the graph of every other plan.

    An artifact whose runtime gave other integers, by `parity`, stays behind.
    """
    differing = {plugins.load("emitters", row["artifact"]).FILE for row in parity if row["differences"]}
    made = [name for name in (*RELEASED, *OPTIONAL) if (folders[main_plan] / name).exists()]
    made = [name for name in made if Path(name).name not in differing]
    files = {target / Path(name).name: folders[main_plan] / name for name in made}
    files[target / "float.safetensors"] = work / f"seed{seed}" / "float" / BEST
    others = {plan: folder for plan, folder in folders.items() if plan != main_plan}
    files |= {target / f"graph-{plan}.npz": folder / "graph.npz" for plan, folder in others.items()}
    for destination, source in files.items():
        shutil.copyfile(source, destination)
    return list(files)


if __name__ == "__main__":
    main()
