"""A challenge in DataPerf's style from embeddings of words and the splits of their corpus.

- targets: clips of the training split are the pool, those of the evaluation splits are evaluated.
- other words: WORDS are drawn among those with enough clips, independent of the targets' splits. Of the first KNOWN,
  TRAIN_CLIPS are in the pool and EVAL_CLIPS are evaluated; of the others, which are unseen words, all are evaluated.
  With `by_split` other words follow the splits too, so that no speaker is on both sides, and a word contributes the
  clips that it has there, at most TRAIN_CLIPS and EVAL_CLIPS.

DataPerf drew with RandomState(0), first words, then the clips of each, from the corpus's list of words; here words are
sorted by name, and clips are in file order. The result:

    allowed_training_set.yaml, train_embeddings/<word>.parquet     with the listed rows only
    eval.yaml, eval_embeddings/<word>.parquet
    experiment.json                                                how it was made
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from edgekws.curate.dataperf import splits
from edgekws.curate.dataperf.formats import lists, words
from edgekws.curate.dataperf.formats.lists import EVALUATION, POOL, IdLists
from edgekws.curate.dataperf.splits import SplitOf
from edgekws.errors import ConfigError, DataError
from edgekws.files import new_folder, sha256_file, write_json
from edgekws.types import Progress

KIND, VERSION = "dataperf-experiment", 1
_WORDS = 200
"""Number of other words in DataPerf's challenges."""


@dataclass(frozen=True)
class Plan:
    """words, known: of other words, 0 for DataPerf's 200 (all, where there are fewer) and for half of them.

    *_clips: of each known one (0 with by_split: all). judged: splits.
    """

    targets: tuple[str, ...]
    words: int = 0
    known: int = 0
    train_clips: int = 100
    eval_clips: int = 100
    judged: tuple[str, ...] = (splits.DEV, splits.TEST)
    by_split: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Experiment:
    """The pool, the evaluation, and which other words are on both sides or only evaluated."""

    pool: IdLists
    evaluation: IdLists
    known: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class _Sides:
    """Of one word: int64 rows of its file in the pool, and in the evaluation."""

    train: np.ndarray
    judged: np.ndarray


def make(
    embeddings: Path, split_of: Callable[[list[str]], SplitOf], plan: Plan, out: Path, progress: Progress
) -> Experiment:
    """Write the challenge into the new folder `out`; one word is in memory at a time.

    split_of: from the included words to their splits. Raises ConfigError for a plan that these embeddings cannot
    fill, DataError for a target without clips on both sides, ArtifactError for damaged files. `out` is created
    only when all is valid.
    """
    plan = replace(plan, targets=tuple(map(words.composed, plan.targets)))
    _check(plan)
    files = _files(embeddings, plan.targets)
    rng = np.random.RandomState(plan.seed)
    plan, others = _draw([word for word in files if word not in plan.targets], files, plan, rng)
    included = [*plan.targets, *others]
    split = split_of(included)
    pool = judged = IdLists({}, ())
    with new_folder(out) as partial:
        for place, word in enumerate(included):
            known = place < len(plan.targets) + plan.known
            read = words.read(files[word])
            ids = _ids(read, word)
            sides = _target(ids, split, plan) if word in plan.targets else _other(ids, split, plan, known, rng)
            pool = _add(pool, word, _write_rows(read, sides.train, partial / POOL[0]), plan.targets)
            judged = _add(judged, word, _write_rows(read, sides.judged, partial / EVALUATION[0]), plan.targets)
            progress("words", place + 1, len(included))
        made = Experiment(pool, judged, tuple(others[: plan.known]), tuple(others[plan.known :]))
        _finish(made, plan, partial)
    return made


def _check(plan: Plan) -> None:
    wrong = [word for word in plan.targets if not lists.is_word(word)]
    if not plan.targets or wrong or len(set(plan.targets)) < len(plan.targets):
        raise ConfigError("an experiment needs target words, each once", got=", ".join(plan.targets) or "none")
    if not plan.by_split and not (plan.train_clips and plan.eval_clips):
        hint = "all clips can only be taken by split: add --by-split"
        raise ConfigError("each other word should give clips to both sides", got="0 clips", hint=hint)
    if not plan.judged or set(plan.judged) - {splits.DEV, splits.TEST}:
        raise ConfigError("judged should be dev, test or both", got=", ".join(plan.judged) or "none")


def _files(embeddings: Path, targets: Sequence[str]) -> dict[str, Path]:
    """Each word's file, in the order of names."""
    made = {words.composed(path.stem): path for path in embeddings.glob("*.parquet")}
    made |= {word: words.path_of(embeddings, word) for word in targets}
    return dict(sorted(made.items()))


def _draw(
    candidates: list[str], files: dict[str, Path], plan: Plan, rng: np.random.RandomState
) -> tuple[Plan, list[str]]:
    """The plan with its numbers of words filled in, and the other words, known ones first."""
    taken = 0 if plan.by_split else plan.train_clips + plan.eval_clips
    enough = [word for word in candidates if words.count(files[word]) > taken]
    count = plan.words or min(_WORDS, len(enough)) or _WORDS
    if len(enough) < count:
        raise ConfigError(
            f"{count} other words should have more than {taken} clips",
            got=f"{len(enough)} have, of {len(candidates)}",
            hint=_fewer_hint(plan, len(enough)),
        )
    known = plan.known or (count + 1) // 2
    if not 0 < known <= count:
        raise ConfigError("of the other words one or more should be known", got=f"{known} of {count}")
    drawn = [enough[place] for place in rng.choice(len(enough), count, replace=False)]
    return replace(plan, words=count, known=known), drawn


def _fewer_hint(plan: Plan, enough: int) -> str:
    fewer = f"give --words {enough} or fewer" if enough else "embed recordings of other words, too"
    if plan.by_split:
        return fewer
    return f"{fewer}; or take less of each with --train-clips and --eval-clips, or what each has with --by-split"


def _ids(read: words.Word, word: str) -> list[str]:
    """Raises DataError for an id that belongs to another word, by which the challenge would look for its file."""
    foreign = [clip for clip in read.ids if words.composed(clip.partition("/")[0]) != word]
    if foreign:
        raise DataError(f"{read.path} should hold ids of the form {word}/file.wav", got=foreign[0])
    if len(set(read.ids)) < len(read.ids):
        raise DataError(
            f"{read.path} should hold each clip once", got=f"{len(read.ids) - len(set(read.ids))} ids twice"
        )
    return read.ids


def _target(ids: list[str], split: SplitOf, plan: Plan) -> _Sides:
    sides = _by_split(ids, split, plan)
    if not len(sides.train) or not len(sides.judged):
        word = ids[0].partition("/")[0] if ids else "a target without clips"
        raise DataError(
            f"the target {word} should have clips to train and clips to evaluate",
            got=f"{len(sides.train)} and {len(sides.judged)}",
            hint="compare the ids of its embeddings with those of the splits",
        )
    return sides


def _by_split(ids: list[str], split: SplitOf, plan: Plan) -> _Sides:
    names = np.array([split(clip) for clip in ids])
    return _Sides(np.flatnonzero(names == splits.TRAIN), np.flatnonzero(np.isin(names, plan.judged)))


def _other(ids: list[str], split: SplitOf, plan: Plan, known: bool, rng: np.random.RandomState) -> _Sides:
    if plan.by_split:
        sides = _by_split(ids, split, plan)
        train = sides.train if known else sides.train[:0]
        return _Sides(_some(train, plan.train_clips, rng), _some(sides.judged, plan.eval_clips, rng))
    taken = plan.train_clips + plan.eval_clips
    rows = np.sort(rng.choice(len(ids), taken, replace=False))
    return _Sides(rows[: plan.train_clips], rows[plan.train_clips :]) if known else _Sides(rows[:0], rows)


def _some(rows: np.ndarray, count: int, rng: np.random.RandomState) -> np.ndarray:
    """`count` random rows in their order; all when there are fewer, or `count` is 0."""
    if not 0 < count < len(rows):
        return rows
    return np.sort(rng.choice(rows, count, replace=False))


def _write_rows(read: words.Word, rows: np.ndarray, folder: Path) -> tuple[str, ...]:
    """Write the file of these rows, named by the first part of their ids, if there are any; returns the ids."""
    ids = tuple(read.ids[row] for row in rows)
    if ids:
        words.write(folder / f"{ids[0].partition('/')[0]}.parquet", ids, read.vectors(rows))
    return ids


def _add(listed: IdLists, word: str, ids: tuple[str, ...], targets: Sequence[str]) -> IdLists:
    if word in targets:
        return IdLists({**listed.targets, word: ids}, listed.nontargets)
    return IdLists(listed.targets, (*listed.nontargets, *ids))


def _finish(made: Experiment, plan: Plan, folder: Path) -> None:
    for listed, (_, name) in ((made.pool, POOL), (made.evaluation, EVALUATION)):
        if not listed.nontargets:
            raise DataError(f"{name} should list clips of other words", got="none", hint="compare ids with the splits")
        lists.write_yaml(folder / name, listed)
    about = {
        "kind": KIND,
        "version": VERSION,
        "plan": asdict(plan),
        "known": made.known,
        "unknown": made.unknown,
        "clips": {"to_choose_from": made.pool.size, "judged": made.evaluation.size},
        "files_sha256": {name: sha256_file(folder / name) for _, name in (POOL, EVALUATION)},
    }
    write_json(folder / "experiment.json", about)
