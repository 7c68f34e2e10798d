"""The highest-confidence clips of each word, in equal shares."""

from __future__ import annotations

import numpy as np

from edgekws.curate.shards.confidence import margins
from edgekws.curate.shards.methods.balanced import first_of_each, words_of
from edgekws.curate.shards.run import Picks, Run


def choose(run: Run, size: int, seed: int) -> Picks:
    del seed  # deterministic
    margin = margins(run)
    rows = first_of_each(words_of(run), -margin, size)
    return Picks(rows, "mean margin of the selection", float(np.mean(margin[rows], dtype=np.float64)))
