"""Weights & Biases; without a login, or with WANDB_MODE=offline, in files that `wandb sync` uploads later."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from edgekws.errors import MissingPackageError
from edgekws.training.trackers import Run

PROJECT = "edgekws"
"""The project, unless WANDB_PROJECT names another."""


class _Online:
    def __init__(self, run: Any) -> None:  # noqa: ANN401 (wandb's Run)
        self._run = run

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def finish(self, values: Mapping[str, float], pictures: Mapping[str, bytes]) -> None:
        import wandb
        from PIL import Image

        self._run.summary.update({f"final_{name}": value for name, value in values.items()})
        self._run.log({name: wandb.Image(Image.open(io.BytesIO(content))) for name, content in pictures.items()})


@contextmanager
def start(run: Run) -> Iterator[_Online]:
    """The run of this id in WANDB_PROJECT. Raises MissingPackageError without the package."""
    try:
        import wandb
    except ModuleNotFoundError as error:
        raise MissingPackageError("wandb", "wandb") from error
    tracked = wandb.init(
        project=os.environ.get("WANDB_PROJECT", PROJECT),
        name=run.name,
        id=run.id,
        dir=str(run.folder),
        config=dict(run.config),
        resume="allow",
        mode=None if os.environ.get("WANDB_MODE") else _mode(wandb),
        settings=wandb.Settings(silent=True, console="off"),
    )
    try:
        yield _Online(tracked)
    except BaseException:
        tracked.finish(exit_code=1)
        raise
    tracked.finish()


def _mode(wandb: Any) -> Literal["online", "offline"]:  # noqa: ANN401 (the module)
    """Offline without a login: the training must not wait for somebody to type a key."""
    return "online" if wandb.api.api_key else "offline"
