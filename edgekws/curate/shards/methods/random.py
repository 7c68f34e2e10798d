"""Random clips: those whose hash comes first in the order of the seed."""

from __future__ import annotations

import numpy as np

from edgekws.curate.shards.arithmetic import lowest, shuffled
from edgekws.curate.shards.run import Picks, Run


def choose(run: Run, size: int, seed: int) -> Picks:
    return Picks(lowest(keys(run, seed), size))


def keys(run: Run, seed: int) -> np.ndarray:
    """uint64 [rows]: each clip's sort key for a seed."""
    parts = range(len(run.store.parts))
    return shuffled(np.concatenate([run.store.places(part) for part in parts]), seed)
