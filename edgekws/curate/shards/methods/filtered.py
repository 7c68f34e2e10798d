"""The surer half of every word, then facility location: what wrong labels and noise do to a choice is undone first.

The idea of edgekws/curate/select/selectors/filtered.py, in arithmetic that merges: there an out-of-fold logistic
probe says how sure a clip is, and each class gets its quota; here the margin to means that leave its fold out, and one
choice for all words.
The two choose different clips.
"""

from __future__ import annotations

import numpy as np

from edgekws.curate.shards.confidence import margins
from edgekws.curate.shards.methods.balanced import in_turn, words_of
from edgekws.curate.shards.methods.facility import among
from edgekws.curate.shards.run import Picks, Run
from edgekws.errors import ConfigError


def choose(run: Run, size: int, seed: int) -> Picks:
    allowed = surer_half(words_of(run), margins(run))
    if size > allowed.sum():
        got = f"{size:,} wanted"
        raise ConfigError(f"at most the surer half can be chosen: {int(allowed.sum()):,} clips", got=got)
    return among(run, allowed, size, seed)


def surer_half(words: np.ndarray, margin: np.ndarray) -> np.ndarray:
    """bool [rows]: the better half of each word's clips by margin, the middle one included."""
    by_word, turn, counts = in_turn(words, -margin)
    result = np.zeros(len(words), bool)
    result[by_word] = turn < (counts + 1) // 2
    return result
