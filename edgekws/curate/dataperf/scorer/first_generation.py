"""A selection of the first generation: clips of samples.pb by their ids (train.yaml), or their vectors (train.npz)."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass

import numpy as np

from edgekws.curate.dataperf.formats.lists import FirstLists
from edgekws.curate.dataperf.formats.npz import TrainingSet
from edgekws.curate.dataperf.formats.pb import NONTARGET, TARGET, Samples
from edgekws.errors import DataError


def training(chosen: FirstLists, pool: Samples, where: str) -> TrainingSet:
    """Vectors of the selected clips, as float64: targets first, each class in the order of `pool`, as in the challenge.

    Raises as rows().
    """
    parts = rows(chosen, pool, where)
    y = np.repeat([1, 0], [len(part) for part in parts])
    return TrainingSet(pool.vectors[np.concatenate(parts)].astype(np.float64), y)


def rows(chosen: FirstLists, pool: Samples, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows of `pool`, int64, ascending: of the targets, and of other words.

    where: names both files in an error. Raises DataError for a missing id, one of another class or listed twice,
    and for an empty selection.
    """
    parts = []
    for ids, kind in ((chosen.targets, TARGET), (chosen.nontargets, NONTARGET)):
        requested = set(ids)
        parts.append(
            np.array([row for row in np.flatnonzero(pool.types == kind) if pool.ids[row] in requested], np.int64)
        )
        missing = requested - {pool.ids[row] for row in parts[-1]}
        if missing or len(requested) < len(ids):
            got = _reason_missing(min(missing), pool) if missing else f"{len(ids) - len(requested)} ids twice"
            raise DataError(f"{where} should have each clip of the selection once", got=got)
    if not sum(map(len, parts)):
        raise DataError(f"{where} should have clips of the selection", got="a selection without ids")
    return parts[0], parts[1]


def _reason_missing(clip: str, pool: Samples) -> str:
    if clip not in pool.ids:
        return f"{clip} is not there"
    return f"{clip}, which is {'of another word' if pool.types[pool.ids.index(clip)] else 'of a target'} there"


@dataclass(frozen=True)
class NamedClips:
    """lists: in the order of train.npz. ambiguous: number of rows whose vector occurs several times in the pool."""

    lists: FirstLists
    ambiguous: int


def name(known: TrainingSet, pool: Samples, where: str) -> NamedClips:
    """The ids of a training set's clips: those with the same class and bit-identical vectors.

    Of clips with the same vector and class the first is named. where: names both files in an error.
    Raises DataError for a vector that the pool lacks, has in the other class, or has less often.
    """
    if known.x.shape[1] != pool.vectors.shape[1]:
        got = f"vectors of {known.x.shape[1]} numbers, and of {pool.vectors.shape[1]}"
        raise DataError(f"{where} should have vectors of one length", got=got)
    left: dict[tuple[int, bytes], deque[str]] = defaultdict(deque)
    for clip, kind, vector in zip(pool.ids, pool.types.tolist(), pool.vectors.astype(np.float64), strict=True):
        left[kind, vector.tobytes()].append(clip)
    counts = {key: len(clips) for key, clips in left.items()}
    ids_by_class: dict[int, list[str]] = {TARGET: [], NONTARGET: []}
    ambiguous = 0
    for row, (vector, label) in enumerate(zip(known.x.astype(np.float64), known.y.tolist(), strict=True)):
        key = (TARGET if label else NONTARGET, vector.tobytes())
        if not left.get(key):
            raise _unknown(where, row, counts, key)
        ambiguous += counts[key] > 1
        ids_by_class[key[0]].append(left[key].popleft())
    return NamedClips(FirstLists(tuple(ids_by_class[TARGET]), tuple(ids_by_class[NONTARGET])), ambiguous)


def _unknown(where: str, row: int, counts: dict[tuple[int, bytes], int], key: tuple[int, bytes]) -> DataError:
    other = (NONTARGET if key[0] == TARGET else TARGET, key[1])
    got = f"row {row + 1} is the vector of no clip there"
    if key in counts:
        got = f"row {row + 1} repeats a clip; a list of ids names each once"
    elif other in counts:
        got = f"row {row + 1} is a vector of the other class there"
    return DataError(f"{where} should have each row of the selection", got=got, hint="give the samples.pb it is from")
