"""The clips that are most surely of their word, an even share of each word."""

from __future__ import annotations

import numpy as np

from edgekws.curate.shards.confidence import margins
from edgekws.curate.shards.methods.balanced import first_of_each, words_of
from edgekws.curate.shards.run import Picks, Run


def choose(run: Run, size: int, seed: int) -> Picks:
    del seed  # nothing here is left to chance
    margin = margins(run)
    rows = first_of_each(words_of(run), -margin, size)
    return Picks(rows, "mean margin of the choice", float(np.mean(margin[rows], dtype=np.float64)))
