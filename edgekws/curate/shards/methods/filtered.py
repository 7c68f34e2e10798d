"""The most confident half of every word, then facility location: removes label errors and noise first.

Like edgekws/curate/select/selectors/filtered.py, with mergeable arithmetic. There the confidence is that of an
out-of-fold logistic probe and each class has a quota; here it is the margin to out-of-fold class means, with one
selection for all words. The two select different clips.
"""

from __future__ import annotations

import numpy as np

from edgekws.curate.shards.confidence import margins
from edgekws.curate.shards.methods.balanced import rank_within_word, words_of
from edgekws.curate.shards.methods.facility import among
from edgekws.curate.shards.run import Picks, Run
from edgekws.errors import ConfigError


def choose(run: Run, size: int, seed: int) -> Picks:
    allowed = most_confident_half(words_of(run), margins(run))
    if size > allowed.sum():
        got = f"{size:,} requested"
        raise ConfigError(f"at most the most confident half can be selected: {int(allowed.sum()):,} clips", got=got)
    return among(run, allowed, size, seed)


def most_confident_half(words: np.ndarray, margin: np.ndarray) -> np.ndarray:
    """bool [rows]: the upper half of each word's clips by margin, the middle one included."""
    by_word, rank, counts = rank_within_word(words, -margin)
    result = np.zeros(len(words), bool)
    result[by_word] = rank < (counts + 1) // 2
    return result
