"""Whether a selection keeps the rules; whoever made it."""

from __future__ import annotations

from collections import Counter

from edgekws.curate.select import Pool, Selection
from edgekws.errors import DataError


def check(selection: Selection, pool: Pool, size: int) -> Selection:
    """The selection itself. Raises DataError that names the rule, the place and the clip.

    Rules: at most `size` clips; each one of the pool, in its own class, once; every target has at least one, and so
    have the other words where the pool has some.
    """
    unknown = [word for word in selection.targets if word not in pool.targets]
    if unknown:
        raise _wrong(f"targets should be words of the pool: {', '.join(pool.targets)}", f"{_few(unknown)}")
    places = [(word, selection.targets.get(word, ())) for word in pool.targets]
    if selection.nontargets or (pool.classes < 0).any():
        places.append(("nontargets", selection.nontargets))
    _check_ids(places, pool)
    for place, ids in places:
        if not ids:
            raise _wrong(f"{place} should have one clip or more", "an empty list")
    if selection.size > size:
        raise _wrong(f"a selection should have at most {size} clips", f"{selection.size}")
    return selection


def _check_ids(places: list[tuple[str, tuple[str, ...]]], pool: Pool) -> None:
    names = [*pool.targets, "nontargets"]
    home = dict(zip(pool.ids, (names[label] for label in pool.classes.tolist()), strict=True))
    count = Counter(name for _, ids in places for name in ids)
    for place, ids in places:
        strangers = [name for name in ids if name not in home]
        if strangers:
            raise _wrong(f"{place} should have ids of the allowed pool only", _few(strangers))
        twice = [name for name, times in Counter(ids).items() if times > 1]
        if twice:
            raise _wrong(f"{place} should have every id once", f"twice or more: {_few(twice)}")
        both = [name for name in ids if count[name] > 1]
        if both:
            where = [other for other, theirs in places if both[0] in theirs]
            raise _wrong("an id should be in one class only", f"{both[0]} in {' and '.join(where)}")
        moved = [name for name in ids if home[name] != place]
        if moved:
            raise _wrong(f"{place} should have its own clips only", f"{moved[0]}, which is one of {home[moved[0]]}")


def _few(names: list[str]) -> str:
    shown = ", ".join(ascii(name)[1:-1][:60] for name in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


def _wrong(expected: str, got: str) -> DataError:
    return DataError(f"bad selection: {expected}", got=got, hint="nothing was written; mend the selector")
