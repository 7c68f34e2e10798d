"""The clips that are most surely of their word, an even share of each word."""

from __future__ import annotations

import numpy as np

from edgekws.scale.confidence import margins
from edgekws.scale.methods import Picks
from edgekws.scale.methods.balanced import first_of_each, words_of
from edgekws.scale.run import Run


def choose(run: Run, size: int, seed: int) -> Picks:
    del seed  # nothing here is left to chance
    margin = margins(run)
    rows = first_of_each(words_of(run), -margin, size)
    return Picks(rows, "mean margin of the choice", float(np.mean(margin[rows], dtype=np.float64)))
