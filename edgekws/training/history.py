"""How far a training got, and how it goes on: more epochs, fewer epochs, early stopping. Without torch.

A run goes on when only the number of epochs or the patience differs. The schedule of its learning rate is a function
of the step and of the epochs in all, so a run of E epochs that goes on to E2 follows the schedule of E2 from the epoch
that it had reached: after a finished run the learning rate rises to where half a cosine of E2 epochs stands. Weights,
optimizer and moving average are kept, and the same sequence of numbers gives the same bytes. It is another result than
that of one run of E2 epochs, so a checkpoint records the sequence:

    plans    [[first epoch, epochs in all], ...]; absent where there was only one
    stopped  true where it ended for want of a better validation loss; else absent
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from edgekws.errors import ArtifactError

_MAY_DIFFER = ("epochs", "patience")
Plans = list[list[int]]


def difference(saved: Mapping[str, Any], current: Mapping[str, Any]) -> str:
    """The keys in which two headers of a run differ; "" when it may go on."""
    one, other = _comparable(saved), _comparable(current)
    keys = sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
    parts = [_inside(key, one.get(key), other.get(key)) for key in keys]
    return "another " + ", ".join(parts) if parts else ""


def plans_of(header: Mapping[str, Any] | None, epochs: int, where: str) -> Plans:
    """The plans of a run that goes on to `epochs` in all. header: of its last checkpoint, None for a new run.

    Raises ArtifactError when more epochs are done than that.
    """
    if header is None:
        return [[0, epochs]]
    done, before = int(header["epoch"]) + 1, epochs_of(header, epochs)
    if done > epochs:
        raise ArtifactError(
            f"the training in {where} has {done} epochs behind it, it cannot end after {epochs}",
            hint=f"give --epochs {done} or more, or another output folder",
        )
    plans = [list(plan) for plan in header.get("plans", [[0, before]])]
    return plans if plans[-1][1] == epochs else [*(plan for plan in plans if plan[0] < done), [done, epochs]]


def recorded(plans: Plans, stopped: bool) -> dict[str, Any]:
    """What a checkpoint's header says of them: nothing of a run that was planned once and never stopped early."""
    return {**({"plans": plans} if len(plans) > 1 else {}), **({"stopped": True} if stopped else {})}


def epochs_of(header: Mapping[str, Any], otherwise: int = 0) -> int:
    """Epochs in all of the run that wrote this header; `otherwise` for one of QAT, where others are another run."""
    return int(header["run"].get("recipe", {}).get("train", {}).get("epochs", otherwise))


def is_finished(header: Mapping[str, Any]) -> bool:
    """Whether the run of this last checkpoint has all its epochs behind it, or was stopped early."""
    return bool(header.get("stopped")) or int(header["epoch"]) + 1 >= epochs_of(header)


def best_epoch(rows: Sequence[Mapping[str, float]]) -> int:
    """The epoch (from 1) of the lowest validation loss, the first of equals."""
    return int(min(rows, key=lambda row: row["validation_loss"])["epoch"])


def is_exhausted(rows: Sequence[Mapping[str, float]], patience: int | None, since: int) -> bool:
    """Whether the last `patience` epochs brought no better validation loss. since: epochs before this plan began."""
    if patience is None or not rows:
        return False
    return int(rows[-1]["epoch"]) - max(best_epoch(rows), since) >= patience


def _comparable(header: Mapping[str, Any]) -> dict[str, Any]:
    copied = copy.deepcopy(dict(header))
    plan = copied.get("recipe", {}).get("train", {})
    for key in _MAY_DIFFER:
        plan.pop(key, None)
    return copied


def _inside(key: str, saved: Any, current: Any) -> str:  # noqa: ANN401 (any JSON)
    """The name of a key that differs; of the recipe also its section, key and values."""
    if key != "recipe" or not (isinstance(saved, dict) and isinstance(current, dict)):
        return key
    one, other = flat(saved), flat(current)
    keys = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    return "recipe: " + ", ".join(f"{name} was {one.get(name)}, is {other.get(name)}" for name in keys)


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"train": {"epochs": 3}} -> {"train.epochs": 3}."""
    rows: dict[str, Any] = {}
    for key, value in config.items():
        rows |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return rows
