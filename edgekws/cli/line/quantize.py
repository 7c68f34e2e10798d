"""`edgekws quantize`."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from edgekws import machine
from edgekws.cli import console
from edgekws.cli._model import data_for, recipe_for, require_same_data, require_trained
from edgekws.cli._options import OUT, ModelDataOption, ModelRecipeOption, OutOption, changed_recipe
from edgekws.errors import ConfigError

if TYPE_CHECKING:
    from edgekws.quant.mixed import Mixed
    from edgekws.quant.mixed.budget import Budget
    from edgekws.quant.mixed.front import Point
    from edgekws.recipe import Recipe
    from edgekws.training.scoring import Score

_SHOWN = 8
"""Points of the front in the table, besides those that were measured."""
_LEGEND = (
    "bits: one digit a layer; flash: weights and requantization parameters; ms: latency, estimated; "
    "error: predicted divergence of the class probabilities, nats; "
    "validation: accuracy measured after PTQ, over all clips and as mean of classes"
)


def quantize(
    recipe: ModelRecipeOption = None,
    data: ModelDataOption = None,
    out: OutOption = OUT,
    method: Annotated[str | None, typer.Option(help="ptq or qat, instead of the recipe's.")] = None,
    bits: Annotated[int | None, typer.Option(help="Width of all weights, 8, 4 or 2, instead of the recipe's.")] = None,
    layer: Annotated[
        list[str] | None, typer.Option(help="Width of some layers, like 'dw*=8'; may be repeated, the last one wins.")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="Find the widths: flash=24kB (weights and requantization parameters), latency=2.5ms (estimated) or "
            "drop=0.5 (points of validation accuracy, over all clips and as mean of classes). "
            "Layers named by --layer keep theirs."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="Whose latency counts, by default the target's first device.")] = "",
) -> None:
    """Turn the trained network into the integer graph of the NPU, and score both."""
    from edgekws.quant.mixed.budget import parse

    require_trained(out)
    chosen, folder = recipe_for(recipe, out), data_for(data, out)
    require_same_data(data, folder, out)
    if method is not None:
        chosen = _with(chosen, method=method)
    widths = dict(_width(text) for text in layer or [])
    if budget is None:
        if device:
            raise ConfigError("--device goes with --budget", got=f"--device {device}")
        run(_with_widths(chosen, bits, widths), folder, out)
        console.next_step("export", "--out", out)
        return
    if bits is not None:
        hint = "pin single layers with --layer, or omit --budget"
        raise ConfigError("--budget finds the widths that --bits would set; one of them should be given", hint=hint)
    if machine.place().count > 1:
        hint = "run it without torchrun, then give its widths with --layer"
        raise ConfigError("--budget searches in one process", got=f"{machine.place().count}", hint=hint)
    parsed = parse(budget)
    _with_widths(chosen, None, widths)  # refuses widths that do not exist before anything is computed
    run(chosen, folder, out, Search(parsed, widths, device))
    console.next_step("export", "--out", out)


@dataclass(frozen=True)
class Search:
    """The options --budget, --layer and --device."""

    budget: Budget
    pinned: dict[str, int]
    device: str


def run(recipe: Recipe, data: Path, out: Path, search: Search | None = None) -> None:
    """Quantize the trained network in `out`, with widths that are searched if asked for; show the scores."""
    from edgekws import pipeline
    from edgekws.data import dataset
    from edgekws.training.checkpoint import BEST

    loaded = dataset.load(data)
    with console.progress() as report:
        trained = pipeline.load_trained(out / "float" / BEST, recipe)
        if search is not None:
            wish = (search.budget, out, report, search.device, search.pinned)
            result = pipeline.search(trained, loaded, *wish)
            trained = replace(trained, recipe=_with(trained.recipe, layers=result.bits))
        pipeline.quantize(trained, loaded, out, report)
    if search is not None:
        _show_search(result, out)
    _show_scores(pipeline.read_scores(out / "quantize.json")["scores"], loaded.name, out)
    for note in loaded.notes:
        console.out.print(f"[yellow]note:[/] {note}")


def _with(recipe: Recipe, **changes: object) -> Recipe:
    return changed_recipe(recipe, quant={**recipe.quant.model_dump(), **changes})


def _with_widths(recipe: Recipe, bits: int | None, layers: dict[str, int]) -> Recipe:
    """--bits replaces all widths of the recipe, --layer comes after those that are left."""
    if bits is not None:
        recipe = _with(recipe, weight_bits=bits, layers={})
    kept = {name: width for name, width in recipe.quant.layers.items() if name not in layers}  # the last one wins
    return _with(recipe, layers={**kept, **layers}) if layers else recipe


def _width(text: str) -> tuple[str, int]:
    pattern, separator, bits = text.rpartition("=")
    if not (pattern and separator and bits.strip().isdecimal()):
        raise ConfigError("--layer should be a layer's name or pattern, = and bits, like 'dw*=8'", got=text)
    return pattern.strip(), int(bits)


def _show_search(result: Mixed, out: Path) -> None:
    from edgekws.quant.mixed.front import thinned

    points = {point.bits: point for point in (*thinned(result.front, _SHOWN), *result.measured)}
    columns = ("flash, B", "ms", "error", "validation", "classes", "")
    table = Table("bits", *(Column(name, no_wrap=True) for name in columns), box=None)
    for point in sorted(points.values(), key=lambda point: (point.flash_bytes, point.error)):
        table.add_row(*_row(result, point), style="bold" if point == result.chosen else "")
    console.out.print(f"bits for {result.budget.text}, layer by layer: {' '.join(result.layers)}")
    console.out.print(table)
    console.out.print(_LEGEND)
    shown = f"float network: {' and '.join(_percent(result.float_score))} of {result.clips} validation clips"
    console.out.print(f"{shown}; latency on {result.target}:{result.device}; all points in {out / 'mixed.json'}")
    console.out.print(f"for a recipe:\n\n{as_toml(result.bits)}", markup=False)


def _row(result: Mixed, point: Point) -> list[str]:
    seconds = result.latency(point)
    return [
        "".join(map(str, point.bits)),
        f"{point.flash_bytes:,}",
        "" if seconds is None else f"{1e3 * seconds:.2f}",
        f"{point.error:.4f}",
        *_percent(result.scores.get(point.bits)),
        "chosen" if point == result.chosen else "",
    ]


def _percent(score: Score | None) -> tuple[str, str]:
    """(over all clips, mean of classes)"""
    if score is None:
        return "", ""
    return f"{100 * score.accuracy:.2f} %", f"{100 * score.balanced_accuracy:.2f} %"


def as_toml(bits: dict[str, int]) -> str:
    """The block of a recipe that gives these widths."""
    return "\n".join(["[quant.layers]", *(f"{json.dumps(name)} = {width}" for name, width in bits.items()), ""])


def _show_scores(scores: dict[str, dict[str, dict[str, float]]], name: str, out: Path) -> None:
    table = Table("split", "clips", "float", "integers", "differing integers", box=None)
    for split, row in scores.items():
        shown = [f"{100 * row[key]['accuracy']:.2f} %" for key in ("float", "graph")]
        table.add_row(split, str(row["float"]["n"]), *shown, f"{row['differing_integers']} of {row['integers']}")
    console.out.print(f"accuracy on {name} (computed on this machine), graph in {out / 'graph.npz'}")
    console.out.print(table)
