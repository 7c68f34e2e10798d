"""Checks that a selection satisfies the rules, whoever made it."""

from __future__ import annotations

from collections import Counter

from edgekws.curate.select import Pool, Selection
from edgekws.errors import DataError


def check(selection: Selection, pool: Pool, size: int) -> Selection:
    """Returns the selection. Raises DataError that names the rule, the class and the clip.

    Rules: at most `size` clips; each from the pool, in its own class, once; at least one for every target, and for
    the other words where the pool has some.
    """
    unknown = [word for word in selection.targets if word not in pool.targets]
    if unknown:
        raise _bad_selection(
            f"targets should be words of the pool: {', '.join(pool.targets)}", f"{_first_few(unknown)}"
        )
    places = [(word, selection.targets.get(word, ())) for word in pool.targets]
    if selection.nontargets or (pool.classes < 0).any():
        places.append(("nontargets", selection.nontargets))
    _check_ids(places, pool)
    for place, ids in places:
        if not ids:
            raise _bad_selection(f"{place} should have one clip or more", "an empty list")
    if selection.size > size:
        raise _bad_selection(f"a selection should have at most {size} clips", f"{selection.size}")
    return selection


def _check_ids(places: list[tuple[str, tuple[str, ...]]], pool: Pool) -> None:
    names = [*pool.targets, "nontargets"]
    class_of = dict(zip(pool.ids, (names[label] for label in pool.classes.tolist()), strict=True))
    count = Counter(name for _, ids in places for name in ids)
    for place, ids in places:
        unknown_ids = [name for name in ids if name not in class_of]
        if unknown_ids:
            raise _bad_selection(f"{place} should have ids of the allowed pool only", _first_few(unknown_ids))
        repeated = [name for name, times in Counter(ids).items() if times > 1]
        if repeated:
            raise _bad_selection(f"{place} should have every id once", f"twice or more: {_first_few(repeated)}")
        shared = [name for name in ids if count[name] > 1]
        if shared:
            classes_of = [other for other, theirs in places if shared[0] in theirs]
            raise _bad_selection("an id should be in one class only", f"{shared[0]} in {' and '.join(classes_of)}")
        other_class = [name for name in ids if class_of[name] != place]
        if other_class:
            raise _bad_selection(
                f"{place} should have its own clips only",
                f"{other_class[0]}, which is one of {class_of[other_class[0]]}",
            )


def _first_few(names: list[str]) -> str:
    shown = ", ".join(ascii(name)[1:-1][:60] for name in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


def _bad_selection(expected: str, got: str) -> DataError:
    return DataError(f"bad selection: {expected}", got=got, hint="nothing was written; fix the selector")
