"""One run: a selector's share of the training clips -> training -> int8 graph -> accuracy. Many runs: a plan.

    OUT/vectors-<hash>.npz              what selectors see, made once
    OUT/<selector>-<share>-seed<n>/     run.json, selection.txt, float/, graph.npz, quantize.json, result.json
    OUT/loop.json, loop.md, loop.svg    after each run, from all that are done
    OUT/.lock                           held while a loop works there

A run whose result.json is there is not made again; one that was killed continues in the middle of its training.
run.json says from the first moment what the run is made of. A selector in a file is known by what stands in it: after a
change its runs are others, in folders of their own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekws import pipeline
from edgekws.curate import select
from edgekws.curate.downstream import pool as pools
from edgekws.curate.downstream import vectors
from edgekws.curate.select import Pool
from edgekws.curate.select import run as _run
from edgekws.data import dataset as datasets
from edgekws.data import subset
from edgekws.data.dataset import Dataset
from edgekws.errors import ArtifactError, ConfigError
from edgekws.files import exclusive, read_json, sha256_file, write_json, write_text
from edgekws.recipe import Recipe, changed
from edgekws.types import Progress

KIND, VERSION = "edgekws-loop-run", 1
RESULT, SELECTION, ABOUT = "result.json", "selection.txt", "run.json"
_WARMUP = 0.05
_EVERYTHING = 1.0


@dataclass(frozen=True)
class Plan:
    """What is compared. selectors: plugins, or files and classes as for `select run`.

    steps: batches of each training, the same for every size of selection.

    validation: clips of the validation split that choose the best epoch (0: all); they are drawn once for all runs.
    """

    selectors: tuple[str, ...]
    shares: tuple[float, ...]
    seeds: tuple[int, ...]
    steps: int = 1500
    validation: int = 1000
    embedding: str = vectors.STATISTICS

    def __post_init__(self) -> None:
        for what in ("selectors", "shares", "seeds"):
            values = getattr(self, what)
            if not values or len(set(values)) < len(values):
                raise ConfigError(f"{what} of a loop should be given, each once", got=", ".join(map(str, values)))
        if self.steps < 1 or self.validation < 0 or min(self.seeds) < 0:
            raise ConfigError(
                "a loop has 1 step or more, and no negative numbers",
                got=f"{self.steps} steps, {self.validation} validation clips, seeds {self.seeds}",
            )


@dataclass(frozen=True)
class Result:
    """Accuracies on the test split. clips: chosen; n: test clips."""

    selector: str
    share: float
    seed: int
    clips: int
    int8: float
    float32: float
    validation: float
    n: int


def run(
    plan: Plan, recipe: Recipe, data: Dataset, out: Path, progress: Progress, done: Callable[[list[Result]], None]
) -> list[Result]:
    """Make every run of `plan` that is not there yet, seed by seed; `done` gets all results after each.

    Raises ConfigError for unknown selectors before anything is trained and when another loop works in `out`, DataError
    for a selector that fails or chooses badly, and ArtifactError when a run in `out` was made of other data, another
    recipe or another plan.
    """
    chosen = {name: _run.selector(name) for name in plan.selectors}
    sizes = {share: pools.size_of(share, len(data.splits["train"]), len(data.labels)) for share in plan.shares}
    results: list[Result] = []
    with exclusive(out):
        seen = pools.of(data, vectors.of(data, plan.embedding, out, progress))
        for seed in plan.seeds:
            for share in plan.shares:
                for name, selector in chosen.items():
                    one = _Run(plan, _recipe(recipe, seed), data, seen, out, name, share, seed)
                    results.append(one.result(selector, sizes[share], progress))
                    done(results)
    return results


def _recipe(recipe: Recipe, seed: int) -> Recipe:
    """8 bits after training: what a selection is worth, not what a longer quantization may repair."""
    quant = {**recipe.quant.model_dump(), "method": "ptq", "weight_bits": 8, "layers": {}, "calibration_list": None}
    return changed(recipe, seed=seed, quant=quant)


@dataclass(frozen=True)
class _Run:
    plan: Plan
    recipe: Recipe
    data: Dataset
    pool: Pool
    out: Path
    selector: str
    share: float
    seed: int

    @property
    def folder(self) -> Path:
        return self.out / f"{_safe(self.selector)}-{self.share:g}-seed{self.seed}"

    def result(self, selector: select.Selector, size: int, progress: Progress) -> Result:
        if (self.folder / RESULT).exists():
            return self._recorded()
        self._begin()
        part = self._part(self._chosen(selector, size))
        recipe, report = self._paced(part), self._labelled(progress)
        best = pipeline.train(recipe, part, self.folder, report)
        pipeline.quantize(pipeline.load_trained(best, recipe), part, self.folder, report)
        write_json(
            self.folder / RESULT, {"kind": KIND, "version": VERSION, "run": self._header(), **self._scores(part)}
        )
        return self._recorded()

    def _begin(self) -> None:
        path = self.folder / ABOUT
        if path.exists():
            self._check(read_json(path, KIND, VERSION))
        else:
            write_json(path, {"kind": KIND, "version": VERSION, "run": self._header()})

    def _chosen(self, selector: select.Selector, size: int) -> np.ndarray:
        """Kept in a file: a slow selector is asked once, whatever is killed after it."""
        path = self.folder / SELECTION
        if path.exists():
            return datasets.read_clip_list(self.data, "train", path)
        if self.share == _EVERYTHING:
            numbers = np.arange(len(self.pool.ids))
        else:
            found = _run.run_unchecked(self.selector, selector, self.pool, size, self.seed)
            numbers = pools.numbers_of(found, self.pool, size, self.selector)
        write_text(path, "\n".join(self.pool.ids[number] for number in numbers) + "\n")
        return numbers

    def _part(self, numbers: np.ndarray) -> Dataset:
        chosen = {"train": numbers}
        count = len(self.data.splits["validation"])
        if 0 < self.plan.validation < count:
            chosen["validation"] = np.sort(np.random.default_rng(0).permutation(count)[: self.plan.validation])
        return subset.of(self.data, chosen, self.out)

    def _paced(self, part: Dataset) -> Recipe:
        """Epochs that come to the plan's steps. The warm-up is a share of them: an epoch may be a few batches."""
        train = self.recipe.train
        epochs = max(1, round(self.plan.steps / max(1, len(part.splits["train"]) // train.batch)))
        paced = {**train.model_dump(), "epochs": epochs, "warmup_epochs": _WARMUP * epochs}
        clips = min(self.recipe.quant.calibration_clips, len(part.splits["train"]))
        return changed(
            self.recipe, train=paced, quant={**self.recipe.quant.model_dump(), "calibration_clips": max(clips, 16)}
        )

    def _header(self) -> dict[str, Any]:
        told = {**self.recipe.to_json(), "dataset": self.data.sha256, "share": self.share, **_known(self.selector)}
        return told | {key: getattr(self.plan, key) for key in ("steps", "validation", "embedding")}

    def _scores(self, part: Dataset) -> dict[str, Any]:
        scores = pipeline.read_scores(self.folder / "quantize.json")["scores"]
        test, validation = scores["test"], scores["validation"]
        shown = {"int8": test["graph"]["accuracy"], "float32": test["float"]["accuracy"], "n": test["graph"]["n"]}
        return {**shown, "validation": validation["graph"]["accuracy"], "clips": len(part.splits["train"])}

    def _recorded(self) -> Result:
        value = read_json(self.folder / RESULT, KIND, VERSION)
        self._check(value)
        figures = {key: value[key] for key in ("clips", "int8", "float32", "validation", "n")}
        return Result(self.selector, self.share, self.seed, **figures)

    def _check(self, value: dict[str, Any]) -> None:
        wanted = json.loads(json.dumps(self._header()))
        told = value.get("run")
        keys = sorted(key for key in wanted if not isinstance(told, dict) or told.get(key) != wanted[key])
        if keys:
            raise ArtifactError(
                f"{self.folder} should be a run of this plan, recipe and data",
                got="another " + ", ".join(keys),
                hint="give another folder with --out",
            )

    def _labelled(self, progress: Progress) -> Progress:
        name = f"{self.selector}, {100 * self.share:g} %, seed {self.seed}"
        return lambda what, done, total: progress(f"{name}: {what}", done, total)


def _known(selector: str) -> dict[str, str]:
    """A plugin by its name; a file by its name and what stands in it, wherever it lies."""
    place, colon, wanted = selector.partition(":")
    if not place.endswith(".py"):
        return {"selector": selector}
    return {"selector": f"{Path(place).name}{colon}{wanted}", "selector_sha256": sha256_file(Path(place))}


def _safe(selector: str) -> str:
    """A name for a folder; a file, or a class, is told apart by a hash."""
    if selector.replace("-", "").replace("_", "").isalnum():
        return selector
    told = hashlib.sha256(" ".join(_known(selector).values()).encode()).hexdigest()[:8]
    return f"{Path(selector.partition(':')[0]).stem}-{told}"
