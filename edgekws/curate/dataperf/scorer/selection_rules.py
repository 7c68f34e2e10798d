"""Rules of a selection: the challenge's, with its messages, and stricter ones."""

from __future__ import annotations

from edgekws.curate.dataperf.formats.lists import IdLists
from edgekws.curate.dataperf.scorer import loader
from edgekws.errors import DataError

_LIKE_PEER = "correct the selection; --strict-peer scores it as the challenge does"


def check(selection: IdLists, allowed: IdLists, limit: int | None) -> None:
    """The challenge's assertions, in its order. Raises DataError."""
    for word in selection.targets:
        if word not in allowed.targets:
            raise _refused(f"target {word} not in allowed set", f"allowed are {', '.join(allowed.targets)}")
    for word, ids in selection.targets.items():
        _subset(ids, allowed.targets[word], word, allowed)
    _subset(selection.nontargets, allowed.nontargets, "nontargets", allowed)
    if limit is not None and selection.size > limit:
        raise _refused(f"{selection.size} samples exceeds limit of {limit}", "")


def _subset(ids: tuple[str, ...], allowed: tuple[str, ...], where: str, everything: IdLists) -> None:
    known = set(allowed)
    wrong = [clip for clip in ids if clip not in known]
    if not wrong:
        return
    verb = "contain" if where == "nontargets" else "contains"
    home = [word for word, clips in everything.targets.items() if wrong[0] in clips]
    home += ["nontargets"] * (wrong[0] in set(everything.nontargets))
    entry = f"entry {ids.index(wrong[0]) + 1} is {wrong[0]}" + (f", which belongs to {home[0]}" if home else "")
    raise _refused(f"{where} {verb} an ID not in allowed set", f"{entry} ({len(wrong)} such)")


def check_evaluation(evaluation: IdLists) -> None:
    """Raises DataError, as the challenge fails, for an evaluation without targets or without other words."""
    missing = [] if any(evaluation.targets.values()) else ["targets"]
    missing += [] if evaluation.nontargets else ["other words"]
    if missing:
        raise DataError("the evaluation should list clips of targets and of other words", got=f"no {missing[0]}")


def check_strictly(selection: IdLists, evaluated: IdLists, by_name: bool) -> None:
    """Stricter rules, for selections that the challenge scores in a surprising way. Raises DataError."""
    check_once(selection)
    check_filled(selection, list(selection.targets))
    problem = shifted(selection, evaluated, by_name)
    if problem:
        raise _refused("the selection should have the targets of the evaluation", problem, _LIKE_PEER)


def check_once(selection: IdLists) -> None:
    """Raises DataError for a clip that is listed twice, in one class or in two."""
    twice = [clip for clip, count in selection.counts().items() if count > 1]
    if twice:
        homes = [word for word, ids in selection.targets.items() if twice[0] in ids]
        homes += ["nontargets"] * (twice[0] in selection.nontargets)
        where = f"in {' and in '.join(homes)}" if len(homes) > 1 else f"twice in {homes[0]}"
        raise _refused("a clip may be selected once", f"{twice[0]} {where} ({len(twice)} such)", _LIKE_PEER)


def check_filled(selection: IdLists, words: list[str]) -> None:
    """Raises DataError for a target among `words` that has no clip."""
    empty = [word for word in words if not selection.targets.get(word)]
    if empty:
        raise _refused("each target should have clips", f"none for {empty[0]}", _LIKE_PEER)


def check_homes(selection: IdLists, allowed: IdLists) -> None:
    """Of March 2022: a target's clips are in its own folder, and a nontarget's in no target's. Raises DataError."""
    for clip in selection.nontargets:
        if loader.word_of(clip) in (*allowed.targets, loader.NONTARGET):
            raise _refused("a nontarget should be of another word than the targets", clip)
    for word, ids in selection.targets.items():
        foreign = [clip for clip in ids if loader.word_of(clip) != word]
        if foreign:
            raise _refused(f"a clip of {word} should have an id that begins with {word}/", foreign[0])


def shifted(selection: IdLists, evaluated: IdLists, by_name: bool) -> str:
    """How the classes of training and evaluation differ; "" when they do not."""
    ours, theirs = loader.class_ids(selection, by_name), loader.class_ids(evaluated, by_name)
    if ours == theirs:
        return ""
    missing, extra = sorted(set(theirs) - set(ours)), sorted(set(ours) - set(theirs))
    parts = [f"without {', '.join(missing)}"] * bool(missing) + [f"with {', '.join(extra)}"] * bool(extra)
    return " and ".join(parts or ["in another order"]) + ", so class numbers differ between training and evaluation"


def surprises(selection: IdLists, evaluated: IdLists, by_name: bool) -> list[str]:
    """The stricter rules as warnings, for --strict-peer."""
    notes = []
    for word, ids in selection.targets.items():
        if len(set(ids)) < len(ids):
            notes.append(f"{word} lists {len(ids) - len(set(ids))} ids twice: they count to the limit and train once")
        if not ids:
            notes.append(f"no clip of {word}: it can never be predicted")
    repeated = len(selection.nontargets) - len(set(selection.nontargets))
    if repeated:
        notes.append(f"nontargets list {repeated} ids twice: they train twice")
    problem = shifted(selection, evaluated, by_name)
    return [*notes, *([f"the selection is {problem}"] if problem else [])]


def _refused(sentence: str, got: str, hint: str = "choose again among the allowed ids") -> DataError:
    return DataError(f"The selection is refused: {sentence}", got=got, hint=hint)
