"""A prepared data set as a pool of selectors, and what they chose as clips of the data set again."""

from __future__ import annotations

import numpy as np

from edgekws.data.dataset import Dataset
from edgekws.data.listing import UNKNOWN
from edgekws.errors import ConfigError, DataError
from edgekws.select import Pool, Selection


def of(data: Dataset, vectors: np.ndarray) -> Pool:
    """The training clips. Each label is a target, silence too; `_unknown_`, where there is one, has the other words.

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
    """How many clips a share is. Raises ConfigError unless it is within 0..1 and leaves room for each label."""
    if not 0 < share <= 1:
        raise ConfigError("a share of the training clips should be above 0 and at most 1", got=f"{share:g}")
    size = round(share * clips)
    if size < labels:
        raise ConfigError(f"a share should leave a clip for each of {labels} labels", got=f"{size} of {clips} clips")
    return size


def numbers_of(selection: Selection, pool: Pool, size: int, selector: str) -> np.ndarray:
    """Numbers of the chosen training clips, int64 [k], in the pool's order.

    Raises DataError, which names the selector and the rule, for ids that the pool does not have, in a wrong class,
    twice, too many, or none of a label.
    """
    places = {clip: number for number, clip in enumerate(pool.ids)}
    listed = [
        (clip, pool.targets.index(word) if word in pool.targets else -2)
        for word, ids in selection.targets.items()
        for clip in ids
    ]
    listed += [(clip, -1) for clip in selection.nontargets]
    wrong = [clip for clip, label in listed if clip not in places or pool.classes[places[clip]] != label]
    chosen = np.array(sorted({places[clip] for clip, _ in listed if clip in places}), np.int64)
    missing = set(pool.classes.tolist()) - set(pool.classes[chosen].tolist())
    faults = [
        (wrong, f"{', '.join(wrong[:3])}, which the pool does not have in that class"),
        (len(chosen) < len(listed) - len(wrong), "clips that are chosen twice"),
        (len(listed) > size, f"{len(listed)} clips for a limit of {size}"),
        (
            missing,
            f"no clip of {', '.join(pool.targets[label] if label >= 0 else UNKNOWN for label in sorted(missing))}",
        ),
    ]
    for fault, got in faults:
        if fault:
            raise DataError(
                f"the selector {selector} should choose clips of the pool, each once, some of each label", got=got
            )
    return chosen
