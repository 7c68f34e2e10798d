"""One run: a share of the training clips by a selector -> training -> int8 graph -> accuracy. A plan is many runs.

    OUT/vectors-<hash>.npz              the vectors that selectors see, computed once
    OUT/<selector>-<share>-seed<n>/     run.json, selection.txt, float/, graph.npz, quantize.json, result.json
    OUT/downstream.json, .md, .svg      after each run, from all finished runs
    OUT/.lock                           held while an evaluation works there

A finished run (with result.json) is not repeated; a killed one continues in the middle of its training. run.json is
written first and records the run's inputs. A selector in a file is identified by its content: after a change its runs
are new ones, in folders of their own.
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
from edgekws.files import read_json, sha256_file, write_json, write_text
from edgekws.files.locks import exclusive
from edgekws.recipe import Recipe, changed
from edgekws.types import Progress

KIND, VERSION = "edgekws-loop-run", 1  # the name of the format, from before it was called downstream evaluation
RESULT, SELECTION, ABOUT = "result.json", "selection.txt", "run.json"
_WARMUP = 0.05
_ALL_CLIPS = 1.0


@dataclass(frozen=True)
class Plan:
    """What is compared. selectors: plugins, or files and classes as for `select run`.

    steps: batches of each training, the same for every size of selection.

    validation: clips of the validation split that select the best epoch (0: all), drawn once for all runs.
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
                raise ConfigError(
                    f"{what} of a downstream evaluation should be given, each once", got=", ".join(map(str, values))
                )
        if self.steps < 1 or self.validation < 0 or min(self.seeds) < 0:
            raise ConfigError(
                "a downstream evaluation needs 1 step or more, and no negative numbers",
                got=f"{self.steps} steps, {self.validation} validation clips, seeds {self.seeds}",
            )


@dataclass(frozen=True)
class Result:
    """Accuracies (0..1) on the test split. clips: training clips selected; n: test clips."""

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
    """Make every run of `plan` that does not exist yet, seed by seed; `done` gets all results after each.

    Raises ConfigError for unknown selectors before any training and when another evaluation works in `out`, DataError
    for a selector that fails or makes an invalid selection, and ArtifactError when a run in `out` was made from other
    data, another recipe or another plan.
    """
    selectors = {select.current_name(name): _run.selector(name) for name in plan.selectors}
    sizes = {share: pools.size_of(share, len(data.splits["train"]), len(data.labels)) for share in plan.shares}
    results: list[Result] = []
    with exclusive(out):
        pool = pools.of(data, vectors.of(data, plan.embedding, out, progress))
        for seed in plan.seeds:
            for share in plan.shares:
                for name, selector in selectors.items():
                    one = _Run(plan, _recipe(recipe, seed), data, pool, out, name, share, seed)
                    results.append(one.result(selector, sizes[share], progress))
                    done(results)
    return results


def _recipe(recipe: Recipe, seed: int) -> Recipe:
    """8-bit post-training quantization: quantization-aware training could hide differences between selections."""
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
        names = (self.selector, *select.former_names(self.selector))
        folders = [self.out / f"{_folder_name(name)}-{self.share:g}-seed{self.seed}" for name in names]
        return next((folder for folder in folders if folder.exists()), folders[0])

    def result(self, selector: select.Selector, size: int, progress: Progress) -> Result:
        if (self.folder / RESULT).exists():
            return self._recorded()
        self._begin()
        part = self._subset(self._select(selector, size))
        recipe, report = self._with_epochs(part), self._labelled(progress)
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

    def _select(self, selector: select.Selector, size: int) -> np.ndarray:
        """Row numbers of the selection, int64 [k]; saved, so that a killed run does not select again."""
        path = self.folder / SELECTION
        if path.exists():
            return datasets.read_clip_list(self.data, "train", path)
        if self.share == _ALL_CLIPS:
            numbers = np.arange(len(self.pool.ids))
        else:
            chosen = _run.run_unchecked(self.selector, selector, self.pool, size, self.seed)
            numbers = pools.numbers_of(chosen, self.pool, size, self.selector)
        write_text(path, "\n".join(self.pool.ids[number] for number in numbers) + "\n")
        return numbers

    def _subset(self, numbers: np.ndarray) -> Dataset:
        chosen = {"train": numbers}
        count = len(self.data.splits["validation"])
        if 0 < self.plan.validation < count:
            chosen["validation"] = np.sort(np.random.default_rng(0).permutation(count)[: self.plan.validation])
        return subset.of(self.data, chosen, self.out)

    def _with_epochs(self, part: Dataset) -> Recipe:
        """The recipe with the epochs that make up the plan's steps; warm-up is a share of them."""
        train = self.recipe.train
        epochs = max(1, round(self.plan.steps / max(1, len(part.splits["train"]) // train.batch)))
        schedule = {**train.model_dump(), "epochs": epochs, "warmup_epochs": _WARMUP * epochs}
        clips = min(self.recipe.quant.calibration_clips, len(part.splits["train"]))
        return changed(
            self.recipe, train=schedule, quant={**self.recipe.quant.model_dump(), "calibration_clips": max(clips, 16)}
        )

    def _header(self) -> dict[str, Any]:
        inputs = {**self.recipe.to_json(), "dataset": self.data.sha256, "share": self.share, **_identity(self.selector)}
        return inputs | {key: getattr(self.plan, key) for key in ("steps", "validation", "embedding")}

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
        expected = json.loads(json.dumps(self._header()))
        recorded = value.get("run")
        inputs = recorded if isinstance(recorded, dict) else {}
        if inputs.get("selector") in select.former_names(self.selector):
            inputs = {**inputs, "selector": self.selector}
        keys = sorted(key for key in expected if key not in inputs or inputs[key] != expected[key])
        if keys:
            raise ArtifactError(
                f"{self.folder} should be a run of this plan, recipe and data",
                got="another " + ", ".join(keys),
                hint="give another folder with --out",
            )

    def _labelled(self, progress: Progress) -> Progress:
        name = f"{self.selector}, {100 * self.share:g} %, seed {self.seed}"
        return lambda what, done, total: progress(f"{name}: {what}", done, total)


def _identity(selector: str) -> dict[str, str]:
    """A plugin is identified by its name, a file by its name and content, wherever it is."""
    place, colon, attribute = selector.partition(":")
    if not place.endswith(".py"):
        return {"selector": selector}
    return {"selector": f"{Path(place).name}{colon}{attribute}", "selector_sha256": sha256_file(Path(place))}


def _folder_name(selector: str) -> str:
    """A plugin's name; for a file or a class, its stem and a hash."""
    if selector.replace("-", "").replace("_", "").isalnum():
        return selector
    digest = hashlib.sha256(" ".join(_identity(selector).values()).encode()).hexdigest()[:8]
    return f"{Path(selector.partition(':')[0]).stem}-{digest}"
