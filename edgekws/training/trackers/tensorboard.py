"""TensorBoard: scalars, the recipe as hyperparameters, and the curves; show them with `tensorboard --logdir FOLDER`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from edgekws.errors import MissingPackageError
from edgekws.training.trackers import Run

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FOLDER = "tensorboard"
_GOALS = ("validation_accuracy", "validation_balanced_accuracy", "validation_loss")
"""The columns of the hyperparameter table."""


def installed() -> bool:
    """Whether the package tensorboard is there."""
    return find_spec("tensorboard") is not None


class _Events:
    def __init__(self, writer: SummaryWriter, goals: frozenset[str]) -> None:
        self._writer, self._goals, self._step = writer, goals, 0

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._step = step
        for name, value in values.items():
            self._writer.add_scalar(_tag(name), value, step)
            if name in self._goals:
                self._writer.add_scalar(name, value, step)  # the hyperparameter table finds its column by this tag
        self._writer.flush()

    def finish(self, values: Mapping[str, float], pictures: Mapping[str, bytes]) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        for name, value in values.items():
            self._writer.add_scalar(f"final/{name}", value, self._step)
        for name, content in pictures.items():
            image = Summary.Image(encoded_image_string=content)
            event = Summary(value=[Summary.Value(tag=name, image=image)])
            self._writer.file_writer.add_summary(event, self._step)


@contextmanager
def start(run: Run) -> Iterator[_Events]:
    """Event files in the folder `tensorboard`. Raises MissingPackageError without the package."""
    if not installed():
        raise MissingPackageError("tensorboard", "tensorboard")
    from torch.utils.tensorboard import SummaryWriter
    from torch.utils.tensorboard.summary import hparams

    folder = run.folder / FOLDER / run.id
    with SummaryWriter(str(folder), purge_step=run.logged + 1 if run.logged else None) as writer:
        config = {key: value if isinstance(value, bool | int | float) else str(value) for key, value in _used(run)}
        for part in hparams(config, dict.fromkeys(_GOALS, 0.0))[:2]:  # the table and its row; the end needs no record
            writer.file_writer.add_summary(part)
        yield _Events(writer, frozenset(_GOALS))


def _used(run: Run) -> list[tuple[str, object]]:
    return [(key, value) for key, value in run.config.items() if value is not None]


def _tag(name: str) -> str:
    """`validation_loss` -> `validation/loss`: TensorBoard groups what stands before the slash."""
    group, separator, rest = name.partition("_")
    return f"{group}/{rest}" if separator and group == "validation" else f"training/{name}"
