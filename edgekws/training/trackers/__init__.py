"""Trackers: where the values of a training run go while it runs, one module for each service or file format.

A module has one function

    start(run: Run) -> ContextManager[Tracker]

`start` raises ConfigError with the line that installs what is missing. Whatever else a tracker raises, the training
goes on without it (edgekws.training.tracking). Steps are epochs, counted from 1. A run that is interrupted and resumed
has the same `id`, and gets each step once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Run:
    """A training run.

    id: 16 hexadecimal digits, the same each time the run is resumed; folder: of its checkpoints, where a tracker may
    write under its own name; config: its recipe, flat ("train.epochs"); logged: the last step that this tracker got
    before, 0 for a new run.
    """

    name: str
    id: str
    folder: Path
    config: Mapping[str, object]
    logged: int = 0


class Tracker(Protocol):
    """What `start` gives for a `with` block."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Take the values of one step; returns soon."""

    def finish(self, values: Mapping[str, float], pictures: Mapping[str, bytes]) -> None:
        """Take the figures and pictures (PNG) of the finished training; called at most once."""
