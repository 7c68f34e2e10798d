"""A prepared data set as a pool for selectors, and their selection as clips of the data set."""

from __future__ import annotations

from itertools import chain

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.check import check
from edgekws.data.dataset import Dataset
from edgekws.data.labels import UNKNOWN
from edgekws.errors import ConfigError, DataError


def of(data: Dataset, vectors: np.ndarray) -> Pool:
    """The pool of the training clips. Each label is a target, silence too; `_unknown_`, if present, is the other words.

    vectors: float32 [training clips, dimensions].
    """
    split = data.splits["train"]
    targets = tuple(label for label in data.labels if label != UNKNOWN)
    place = np.array([targets.index(label) if label in targets else -1 for label in data.labels])
    classes = place[split.labels]
    words = tuple(
        clip.partition("/")[0] if number < 0 else targets[number]
        for clip, number in zip(split.ids, classes, strict=True)
    )
    return Pool(targets, split.ids, classes, vectors, words)


def size_of(share: float, clips: int, labels: int) -> int:
    """Number of clips of a share. Raises ConfigError unless it is above 0, at most 1, and covers each label."""
    if not 0 < share <= 1:
        raise ConfigError("a share of the training clips should be above 0 and at most 1", got=f"{share:g}")
    size = round(share * clips)
    if size < labels:
        raise ConfigError(
            f"a share should be enough for a clip of each of {labels} labels", got=f"{size} of {clips} clips"
        )
    return size


def numbers_of(selection: Selection, pool: Pool, size: int, selector: str) -> np.ndarray:
    """Row numbers of the selected training clips, int64 [k], in the pool's order.

    Raises DataError that names the selector and the rule for an invalid selection.
    """
    try:
        check(selection, pool, size)
    except DataError as error:
        raise DataError(f"the selector {selector}: {error.expected}", got=error.got, hint=error.hint) from error
    places = {clip: number for number, clip in enumerate(pool.ids)}
    chosen = [*selection.nontargets, *chain.from_iterable(selection.targets.values())]
    return np.array(sorted(places[clip] for clip in chosen), np.int64)
