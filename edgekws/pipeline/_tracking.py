"""A training and its trackers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edgekws.data.dataset import Dataset
from edgekws.recipe import Recipe

if TYPE_CHECKING:
    from edgekws.training.loop import Watch


@contextmanager
def tracked(names: Sequence[str], recipe: Recipe, data: Dataset, folder: Path, watch: Watch | None) -> Iterator[Watch]:
    """What `fit` calls after each epoch of the training in `folder`: it tells the trackers, then `watch`.

    At the end of the block the trackers get the figures of the best epoch and the curves. Raises ConfigError for a
    tracker that is not known or that misses its package.
    """
    from edgekws.training import checkpoint, curves, history, loop, tracking

    watch = watch or loop.unwatched
    if not names:
        yield watch
        return
    last, seen = folder / checkpoint.LAST, list[Mapping[str, float]]()
    done = int(checkpoint.header_of(last)["epoch"]) + 1 if last.exists() else 0
    steps = max(1, len(data.splits["train"]) // recipe.train.batch)
    with tracking.started(names, recipe.name, folder, history.flat(recipe.to_json()), done) as trackers:

        def follow(rows: Sequence[Mapping[str, float]]) -> None:
            seen[:] = rows
            trackers.log([{**row, "learning_rate": _rate(recipe, int(row["epoch"]), steps)} for row in rows])
            watch(rows)

        yield follow
        best = seen[history.best_epoch(seen) - 1]
        figures = {"best_epoch": best["epoch"], **{key: best[key] for key in best if key.startswith("validation_")}}
        trackers.finish(figures, {"curves": curves.png(folder / curves.LOG)})


def _rate(recipe: Recipe, epoch: int, steps: int) -> float:
    """The learning rate in the middle of an epoch, which counts from 1."""
    from edgekws.training.optimizer import schedule

    plan = recipe.train
    middle = (epoch - 1) * steps + steps // 2
    return plan.learning_rate * schedule(middle, plan.epochs * steps, plan.warmup_epochs * steps)
